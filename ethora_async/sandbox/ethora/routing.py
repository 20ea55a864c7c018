"""The route table: which calls there are, which tokens open them, and where the contract names them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.wire import Answer


class Handler(Protocol):
    """What a route calls."""

    def __call__(self, call: Call, /) -> Answer:
        """Answer one call, or raise a `Refusal`."""
        ...


HandlerT = TypeVar("HandlerT", bound=Handler)


class TokenKind(enum.Enum):
    """The families of tokens (contract §2.1)."""

    SERVER = "server"
    CLIENT = "client"
    APP = "app"
    USER = "user"
    REFRESH = "refresh"


class Auth(enum.Enum):
    """The auth class of a route (contract §1.3): which families of tokens open it."""

    NONE = "none"
    SERVER = "server"
    TENANT_ACTOR = "tenantActor"
    USER = "user"
    CLIENT = "client"
    REFRESH = "refresh"
    APP_OR_ID = "app token or appId"

    @property
    def b2b(self) -> bool:
        """True for routes that a customer's backend calls with its server token."""
        return self in (Auth.SERVER, Auth.TENANT_ACTOR)


OPENED_BY = {
    Auth.NONE: frozenset[TokenKind](),
    Auth.SERVER: frozenset({TokenKind.SERVER}),
    Auth.TENANT_ACTOR: frozenset({TokenKind.SERVER, TokenKind.USER}),
    Auth.USER: frozenset({TokenKind.USER}),
    Auth.CLIENT: frozenset({TokenKind.CLIENT}),
    Auth.REFRESH: frozenset({TokenKind.REFRESH, TokenKind.APP}),
    Auth.APP_OR_ID: frozenset({TokenKind.APP}),
}


@attrs.frozen
class Route:
    """One call. `admin` routes take a user token only from an account that manages the app.

    `section` is the place in the contract, `summary` the first line of the handler's docstring.
    """

    method: str
    path: str
    auth: Auth
    section: str
    handler: Handler = attrs.field(repr=False)
    admin: bool = False

    @property
    def operation(self) -> str:
        """`POST /v2/apps/{appId}/users/batch`: how logs and fault selectors name the route."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        """What the call does, in a line."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]


class Routes:
    """Routes of one module, collected by decorators."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def add(
        self, method: str, *paths: str, auth: Auth, section: str, admin: bool = False
    ) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that serves `method` on all `paths` with the handler."""

        def register(handler: HandlerT) -> HandlerT:
            self._routes.extend(Route(method, path, auth, section, handler, admin) for path in paths)
            return handler

        return register


@attrs.define
class _Node:
    """A step of a path. Fixed words win over placeholders, as `/me` does over `/{appId}`."""

    words: dict[str, _Node] = attrs.Factory(dict[str, "_Node"])
    placeholder: _Node | None = None
    routes: dict[str, Route] = attrs.Factory(dict[str, Route])


@attrs.frozen
class Match:
    """A route found for a path, with the decoded placeholders."""

    route: Route
    params: dict[str, str]


class RouteTable:
    """All routes of a server, found by method and path. A trailing slash is optional (contract §1.1)."""

    def __init__(self, *modules: Routes) -> None:
        self._root = _Node()
        self.routes: tuple[Route, ...] = tuple(route for module in modules for route in module)
        for route in self.routes:
            self._insert(route)

    def _insert(self, route: Route) -> None:
        node = self._root
        for word in _split(route.path):
            if word.startswith("{"):
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.words.setdefault(word, _Node())
        if route.method in node.routes:
            msg = f"{route.operation} is registered twice."
            raise ValueError(msg)
        node.routes[route.method] = route

    def find(self, method: str, path: str) -> Match | None:
        """Return the route for a raw (still percent-encoded) path, or None. HEAD is served by GET.

        Raises ValueError when a placeholder's percent-encoding is not UTF-8.
        """
        values: list[str] = []
        route = _search(self._root, _split(path), 0, "GET" if method == "HEAD" else method, values)
        if route is None:
            return None
        if not values:
            return Match(route, {})
        names = [word[1:-1] for word in _split(route.path) if word.startswith("{")]
        return Match(route, {name: unquote_to_bytes(value).decode() for name, value in zip(names, values, strict=True)})


def _split(path: str) -> list[str]:
    words = path.split("/")[1:]
    if words and not words[-1]:
        words.pop()
    return words


def _search(node: _Node, words: list[str], index: int, method: str, values: list[str]) -> Route | None:
    if index == len(words):
        return node.routes.get(method)
    word = words[index]
    fixed = node.words.get(word)
    if fixed is not None:
        route = _search(fixed, words, index + 1, method, values)
        if route is not None:
            return route
    if node.placeholder is None or not word:
        return None
    values.append(word)
    route = _search(node.placeholder, words, index + 1, method, values)
    if route is None:
        values.pop()
    return route
