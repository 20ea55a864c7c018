"""The route table: which calls there are, who may make them, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote

import attrs

from ethora_async.sandbox.rocketchat.schema import Schema
from ethora_async.sandbox.rocketchat.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Answer

API = "/api/v1/"


class Handler(Protocol):
    """What a route calls."""

    def __call__(self, call: Call, /) -> Answer:
        """Answer one call, or raise a `MeteorError` or `RestRefusal`."""
        ...


SchemaOf = Callable[[Version], Schema]
HandlerT = TypeVar("HandlerT", bound=Handler)


@attrs.frozen
class Limit:
    """A rate limit: `calls` within `milliseconds`."""

    calls: int
    milliseconds: int


@attrs.frozen
class Route:
    """One call.

    path: below the origin, at most its last word a `{placeholder}`.
    section: the place in the contract.
    anonymous: it takes no token.
    any_of: permissions of which the caller needs one.
    two_factor: it asks for a second factor where the server does at all; `creation`, only where it also does so for
    making users and their tokens.
    limit: a limit of its own; `limit_since`, from which version on.
    body, query: what it takes; either may depend on the version.
    """

    method: str
    path: str
    section: str
    handler: Handler = attrs.field(repr=False)
    anonymous: bool = False
    any_of: tuple[str, ...] = ()
    two_factor: bool = False
    creation: bool = False
    limit: Limit | None = None
    limit_since: tuple[int, int] = (0, 0)
    body: Schema | SchemaOf | None = attrs.field(default=None, repr=False)
    query: Schema | SchemaOf | None = attrs.field(default=None, repr=False)

    @property
    def operation(self) -> str:
        """`POST /api/v1/users.create`: how logs and fault selectors name the route."""
        return f"{self.method} {self.path}"

    def schema(self, version: Version) -> Schema | None:
        """Return what the input of this route is checked by: its query for GET, else its body."""
        schema = self.query if self.method == "GET" else self.body
        return schema(version) if callable(schema) else schema


class Routes:
    """Routes of one module, collected by decorators."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def add(
        self,
        method: str,
        *names: str,
        section: str,
        anonymous: bool = False,
        any_of: tuple[str, ...] = (),
        two_factor: bool = False,
        creation: bool = False,
        limit: Limit | None = None,
        limit_since: tuple[int, int] = (0, 0),
        body: Schema | SchemaOf | None = None,
        query: Schema | SchemaOf | None = None,
    ) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that serves `method` on all `names` with the handler; see `Route`.

        A name is below `/api/v1/`, unless it begins with a slash.
        """

        def register(handler: HandlerT) -> HandlerT:
            self._routes.extend(
                Route(
                    method,
                    name if name.startswith("/") else API + name,
                    section,
                    handler,
                    anonymous=anonymous,
                    any_of=any_of,
                    two_factor=two_factor,
                    creation=creation,
                    limit=limit,
                    limit_since=limit_since,
                    body=body,
                    query=query,
                )
                for name in names
            )
            return handler

        return register


@attrs.frozen
class Match:
    """A route found for a path, with what stood in the place of its placeholder."""

    route: Route
    value: str = ""


class RouteTable:
    """All routes of a server, found by method and path."""

    def __init__(self, *modules: Routes) -> None:
        self.routes: tuple[Route, ...] = tuple(route for module in modules for route in module)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._open: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            head, brace, _ = route.path.partition("{")
            methods = (self._open if brace else self._fixed).setdefault(head, {})
            if route.method in methods:
                msg = f"{route.operation} is registered twice."
                raise ValueError(msg)
            methods[route.method] = route

    def find(self, method: str, path: str) -> Match | None:
        """Return the route for a raw (still percent-encoded) path, or None."""
        path = path.rstrip("/")
        route = self._fixed.get(path, {}).get(method)
        if route is not None:
            return Match(route)
        head, slash, value = path.rpartition("/")
        route = self._open.get(head + slash, {}).get(method)
        return None if route is None else Match(route, unquote(value))

    def serves(self, path: str) -> bool:
        """Whether the path is known, be it for other methods."""
        path = path.rstrip("/")
        return path in self._fixed or path.rpartition("/")[0] + "/" in self._open
