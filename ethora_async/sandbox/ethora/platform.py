"""The shared state of the local Ethora's handlers: store, clock, keys, rules and faults. No sockets here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from ethora_async.sandbox.ethora.credentials import Credentials
from ethora_async.sandbox.ethora.files import Shelf
from ethora_async.sandbox.ethora.forms import Forms
from ethora_async.sandbox.ethora.jobs import Jobs
from ethora_async.sandbox.ethora.sessions import REFRESH_GRACE, RefreshReuse, Sessions
from ethora_async.sandbox.ethora.store import Store
from ethora_async.sandbox.ethora.tokens import Signer
from ethora_async.sandbox.faults import Faults

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import App


@attrs.frozen
class Mail:
    """A mail that the platform would have sent.

    `kind` is `password` or `reset`; `value` is the password or the token.
    """

    to: str
    kind: str
    value: str = attrs.field(repr=False)


@attrs.define(kw_only=True, repr=False)
class Platform:
    """The platform behind the routes. `clock` gives seconds since 1970."""

    clock: Callable[[], float]
    xmpp_host: str
    lenient: bool
    legacy_tokens: bool
    refresh_grace: float = REFRESH_GRACE
    refresh_reuse: RefreshReuse = "log_only"
    faults: Faults
    store: Store = attrs.field(factory=Store)
    signer: Signer = attrs.field(factory=Signer)
    credentials: Credentials = attrs.field(factory=Credentials)
    shelf: Shelf = attrs.field(factory=Shelf)
    outbox: list[Mail] = attrs.field(factory=list[Mail])
    jobs: Jobs = attrs.field(init=False)
    sessions: Sessions = attrs.field(init=False)
    forms: Forms = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.jobs = Jobs(self.faults)
        self.sessions = Sessions(self.signer, self.refresh_grace, self.refresh_reuse)
        self.forms = Forms.of(lenient=self.lenient)

    def app_token(self, app: App) -> str:
        """Return the app token of an app: the same at every call, until a rotation."""
        data = {"type": "app", "appId": app.id, "_id": app.id, "version": app.token_version}
        return self.signer.sign(data, now=app.created_at)
