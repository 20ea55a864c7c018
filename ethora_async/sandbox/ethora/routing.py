"""The route table: which calls there are, which tokens open them, and where the contract names them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import attrs

from ethora_async.sandbox.ethora.forms import Forms
from ethora_async.sandbox.ethora.replies import OK, Replies
from ethora_async.sandbox.ethora.validation import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.wire import Answer


class Handler(Protocol):
    """What a route calls."""

    def __call__(self, call: Call, /) -> Answer:
        """Answer one call, or raise a `Refusal`."""
        ...


JSON_ONLY = ("application/json",)
FormOf = Callable[[Forms], Form]
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
    APP = "app"
    APP_OR_USER = "app or user"
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
    Auth.APP: frozenset({TokenKind.APP}),
    Auth.APP_OR_USER: frozenset({TokenKind.APP, TokenKind.USER}),
    Auth.APP_OR_ID: frozenset({TokenKind.APP}),
}


@attrs.frozen
class Route:
    """One call.

    section: the place in the contract.
    admin: a user token opens it only for an account that manages the app.
    archived: it serves archived apps too; other calls are refused with 403 `APP_ARCHIVED`.
    body, query: what it reads; `body` may depend on how strict this deployment is.
    uploads: the fewest and the most files that a multipart body brings; without them it takes no such body.
    replies: the schema of the reply for each status of success.
    kinds: the content types of those replies.
    """

    method: str
    path: str
    auth: Auth
    section: str
    handler: Handler = attrs.field(repr=False)
    admin: bool = False
    archived: bool = False
    body: Form | FormOf | None = attrs.field(default=None, repr=False)
    query: Form | None = attrs.field(default=None, repr=False)
    uploads: tuple[int, int] | None = None
    replies: Replies = attrs.field(default=OK, repr=False)
    kinds: tuple[str, ...] = JSON_ONLY

    @property
    def operation(self) -> str:
        """`POST /v2/apps/{appId}/users/batch`: how logs and fault selectors name the route."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        """What the call does: the first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def placeholders(self) -> list[str]:
        """The names in braces in the path."""
        return [word[1:-1] for word in _split(self.path) if word.startswith("{")]

    def body_form(self, forms: Forms) -> Form | None:
        """Return the form of the body for a deployment with these rules."""
        return self.body if self.body is None or isinstance(self.body, Form) else self.body(forms)


class Routes:
    """Routes of one module, collected by decorators."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def add(
        self,
        method: str,
        *paths: str,
        auth: Auth,
        section: str,
        admin: bool = False,
        archived: bool = False,
        body: Form | FormOf | None = None,
        query: Form | None = None,
        uploads: tuple[int, int] | None = None,
        replies: Replies = OK,
        kinds: tuple[str, ...] = JSON_ONLY,
    ) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that serves `method` on all `paths` with the handler; see `Route`."""

        def register(handler: HandlerT) -> HandlerT:
            self._routes.extend(
                Route(
                    method,
                    path,
                    auth,
                    section,
                    handler,
                    admin=admin,
                    archived=archived,
                    body=body,
                    query=query,
                    uploads=uploads,
                    replies=replies,
                    kinds=kinds,
                )
                for path in paths
            )
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
        named = zip(route.placeholders, values, strict=True)
        return Match(route, {name: unquote_to_bytes(value).decode() for name, value in named})


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
