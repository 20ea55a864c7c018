"""The routes of the local Ethora: their tokens, inputs and replies."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs

from ethora_async.sandbox import routing
from ethora_async.sandbox.ethora.forms import Forms
from ethora_async.sandbox.ethora.replies import OK, Replies
from ethora_async.sandbox.ethora.validation import Form

if TYPE_CHECKING:
    from ethora_async.sandbox.routing import Handler

CallT = TypeVar("CallT")
JSON_ONLY = ("application/json",)
FormOf = Callable[[Forms], Form]


class TokenKind(enum.Enum):
    """The families of tokens (docs/platforms/ethora.md#token-kinds)."""

    SERVER = "server"
    CLIENT = "client"
    APP = "app"
    USER = "user"
    REFRESH = "refresh"


class Auth(enum.Enum):
    """The auth class of a route: the accepted families of tokens.

    See docs/platforms/ethora.md#which-token-opens-which-route.
    """

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
class Route(routing.Route):
    """One call.

    section: the heading in docs/platforms/ethora.md whose table lists it.
    summary: what the call does: the first line of the handler's docstring.
    admin: a user token opens it only for an account that manages the app.
    archived: it serves archived apps too; other calls are refused with 403 `APP_ARCHIVED`.
    body, query: what it reads; `body` may depend on how strict this deployment is.
    uploads: the fewest and the most files that a multipart body brings; without them it takes no such body.
    replies: the schema of the reply for each status of success.
    kinds: the content types of those replies.
    """

    auth: Auth
    section: str
    summary: str = attrs.field(default="", repr=False)
    admin: bool = False
    archived: bool = False
    body: Form | FormOf | None = attrs.field(default=None, repr=False)
    query: Form | None = attrs.field(default=None, repr=False)
    uploads: tuple[int, int] | None = None
    replies: Replies = attrs.field(default=OK, repr=False)
    kinds: tuple[str, ...] = JSON_ONLY

    def body_form(self, forms: Forms) -> Form | None:
        """Return the form of the body for a deployment with these rules."""
        return self.body if self.body is None or isinstance(self.body, Form) else self.body(forms)


class Routes(routing.RouteList[Route, CallT]):
    """Routes of one module, collected by decorators: `ROUTES: Routes[Call] = Routes()`."""

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
    ) -> Callable[[Handler[CallT]], Handler[CallT]]:
        """Return a decorator that serves `method` on all `paths` with the handler; see `Route`."""

        def register(handler: Handler[CallT]) -> Handler[CallT]:
            routes = (
                Route(
                    method,
                    path,
                    auth,
                    section,
                    summary=(handler.__doc__ or "").strip().partition("\n")[0],
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
            self.extend(routes, handler)
            return handler

        return register
