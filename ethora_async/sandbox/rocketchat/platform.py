"""The shared state of the local Rocket.Chat's handlers: store, clock, rules and faults. No sockets here."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ethora_async.sandbox.rocketchat.attempts import Attempts
from ethora_async.sandbox.rocketchat.hub import Hub
from ethora_async.sandbox.rocketchat.settings import Settings
from ethora_async.sandbox.rocketchat.store import Store
from ethora_async.sandbox.rocketchat.versions import Version
from ethora_async.sandbox.rocketchat.webhook_calls import WebhookCall


@attrs.frozen
class Mail:
    """A mail that the server would have sent. `kind`: `code` or `password`; `value` is the code or password."""

    to: str
    kind: str
    value: str = attrs.field(repr=False)


@attrs.define
class EmailCode:
    """A pending second factor by mail. `failures` counts wrong codes."""

    value: str = attrs.field(repr=False)
    expires: float
    failures: int = 0


@attrs.define(kw_only=True, repr=False)
class Platform:
    """The server behind the routes.

    clock: seconds since 1970.
    create_tokens: whether the environment enables `users.createToken`.
    secret: the secret that `users.createToken` requires from 8.0 on.
    token_cap: the most login tokens of a user; older ones are dropped.
    two_factor_creation: whether `users.create` and `users.createToken` ask for a second factor too.
    fresh_user_bug: how many times `users.createToken` fails for a user who never logged in.
    site_url: the address of the server, which outgoing webhooks pass on.
    call_webhook: sends a request of an outgoing webhook.
    """

    clock: Callable[[], float]
    version: Version
    create_tokens: bool = True
    secret: str = ""
    token_cap: int = 50
    two_factor_creation: bool = False
    fresh_user_bug: int = 0
    store: Store = attrs.field(factory=Store)
    settings: Settings = attrs.field(factory=Settings)
    hub: Hub = attrs.field(factory=Hub)
    attempts: Attempts = attrs.field(factory=Attempts)
    outbox: list[Mail] = attrs.field(factory=list[Mail])
    site_url: str = ""
    call_webhook: Callable[[WebhookCall], None] = attrs.field(default=lambda _: None)
    email_codes: dict[str, EmailCode] = attrs.field(factory=dict[str, EmailCode])

    def now(self) -> float:
        """Return the seconds since 1970, truncated to milliseconds as the database stores times."""
        return int(self.clock() * 1000) / 1000
