"""The context of one request in a handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.errors import bad_token, chat_not_found, forbidden, invalid, user_not_found
from ethora_async.sandbox.ethora.names import collapse
from ethora_async.sandbox.ethora.platform import Platform
from ethora_async.sandbox.ethora.records import App, User
from ethora_async.sandbox.ethora.routing import Route, TokenKind
from ethora_async.sandbox.ethora.sessions import Session
from ethora_async.sandbox.ethora.uploads import Upload
from ethora_async.sandbox.ethora.validation import Form, InvalidValueError

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import Chat


@attrs.frozen
class Caller:
    """The caller: the family of the token, its app, and for user tokens the user and session.

    `claims` are the token's claims under `data`.
    """

    kind: TokenKind
    app: App
    claims: Mapping[str, Any] = attrs.field(repr=False)
    user: User | None = None
    session: Session | None = None


@attrs.frozen(kw_only=True, repr=False)
class Call:
    """A request after routing, token check and decoding.

    `now` is the time of arrival, `routes` are all routes of this server, `scheme` is the scheme of the request.
    """

    platform: Platform
    route: Route
    params: dict[str, str]
    query: dict[str, Any]
    body: Any
    headers: Mapping[str, str]
    now: float
    caller: Caller | None
    target: App | None
    upload: Upload = attrs.field(factory=Upload)
    routes: tuple[Route, ...] = ()
    scheme: str = "http"

    @property
    def app(self) -> App:
        """The app of the call: the one in the path, else the token's."""
        if self.target is None:
            raise bad_token()
        return self.target

    @property
    def origin(self) -> str:
        """This server's address as the caller used it, for links in replies; a proxy sends the original scheme."""
        forwarded = self.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
        scheme = forwarded if forwarded in ("http", "https") else self.scheme
        return f"{scheme}://{self.headers.get('Host', 'localhost')}"

    @property
    def user(self) -> User | None:
        """The user of the token; None for a server token."""
        return None if self.caller is None else self.caller.user

    @property
    def claims(self) -> Mapping[str, Any]:
        """The claims of the caller's token."""
        nothing: dict[str, Any] = {}
        return nothing if self.caller is None else self.caller.claims

    def signed_in(self) -> tuple[User, Session]:
        """Return the user and session of a user token."""
        if self.caller is None or self.caller.user is None or self.caller.session is None:
            raise bad_token()
        return self.caller.user, self.caller.session

    def form(self) -> dict[str, Any]:
        """Read the body by the route's form; a missing body counts as an empty object. Raises the 422."""
        form = self.route.body_form(self.platform.forms)
        return {} if form is None else _read(form, self.body)

    def asked(self) -> dict[str, Any]:
        """Read the query string by the route's form. Raises the 422."""
        return {} if self.route.query is None else _read(self.route.query, self.query)

    def plain_uuid(self, sent: str | None) -> str | None:
        """Return the uuid for a new record, its prefixes dropped; raises the 422 if none is left.

        See docs/platforms/ethora.md#plain-or-prefixed.
        """
        if sent is None:
            return None
        uuid = collapse(self.app.id, sent)
        if not uuid:
            raise invalid('"uuid" is not allowed to be empty', "uuid")
        return uuid

    def find_user(self, reference: str, status: int = 404) -> User:
        """Look a user of the app up by any form of id; raises `USER_NOT_FOUND`.

        See docs/platforms/ethora.md#plain-or-prefixed.
        """
        user = self.app.users.find(reference)
        if user is None:
            raise user_not_found(status)
        return user

    def founder(self) -> User:
        """Return the user on whose behalf the call acts: the calling user, or the owner account of the server's app."""
        if self.caller is None:
            raise bad_token()
        user = self.caller.user or self.caller.app.owner
        if user is None:
            raise forbidden()
        return user

    def find_chat(self, reference: str) -> Chat:
        """Look a chat of the app up by any form of id; raises `CHAT_NOT_FOUND`."""
        chat = self.app.chats.find(reference)
        if chat is None:
            raise chat_not_found()
        return chat


def _read(form: Form, value: Any) -> dict[str, Any]:
    try:
        return form.read(value)
    except InvalidValueError as problem:
        raise invalid(problem.message, problem.path) from None
