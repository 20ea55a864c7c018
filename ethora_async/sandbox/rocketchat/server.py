"""The local Rocket.Chat: a real server with real state, for development and tests."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Literal

from ethora_async.sandbox.faults import Faults
from ethora_async.sandbox.local_server import LocalServer
from ethora_async.sandbox.rocketchat import accounts, announce, membership
from ethora_async.sandbox.rocketchat.gateway import Gateway
from ethora_async.sandbox.rocketchat.limiter import RateLimiter
from ethora_async.sandbox.rocketchat.platform import Platform
from ethora_async.sandbox.rocketchat.realtime.limits import CallLimits
from ethora_async.sandbox.rocketchat.realtime.quirks import Quirks
from ethora_async.sandbox.rocketchat.realtime.socket import Realtime
from ethora_async.sandbox.rocketchat.records import Room, User
from ethora_async.sandbox.rocketchat.routing import RateLimit
from ethora_async.sandbox.rocketchat.settings import TWO_FACTOR
from ethora_async.sandbox.rocketchat.tokens import drop, mint_personal, sweep
from ethora_async.sandbox.rocketchat.two_factor import new_totp_secret, totp
from ethora_async.sandbox.rocketchat.versions import Version
from ethora_async.sandbox.rocketchat.view import RocketChatView
from ethora_async.sandbox.rocketchat.wording import wording
from ethora_async.sandbox.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from ethora_async.sandbox.logs import RequestRecord
    from ethora_async.sandbox.rocketchat.platform import Mail
    from ethora_async.sandbox.rocketchat.settings import Settings
    from ethora_async.sandbox.rocketchat.store import Store

DEFAULT_VERSION = "8.8.1"
DEFAULT_ADMIN = "admin"
A_YEAR = 365 * 86_400.0
MINUTE_MS = 60_000

TwoFactorMethod = Literal["totp", "email", "password"]


class RocketChatSandbox(LocalServer):
    """A stateful Rocket.Chat on this machine: `async with RocketChatSandbox() as sandbox: … sandbox.url …`.

    It starts with an administrator and the default channel `general`. State lives in memory and outlasts `aclose` and
    `start`, so that an outage can be played.

    Args:
        host, port: where to listen; port 0 takes a free one.
        version: 6.0 to 9.x; errors, `users.createToken` and forms are those of that generation.
        admin, admin_password: the administrator's user name and password; by default ``ROCKETCHAT_USER`` or `admin`,
            and a password made here.
        create_tokens: whether the server's environment lets `users.createToken` work at all.
        create_tokens_secret: what it asks for from 8.0 on; made when not given.
        two_factor: switches the second factor on (off otherwise), and which one the administrator has.
        two_factor_creation: `users.create` and `users.createToken` ask for it too.
        rate_limit: calls per minute, route and address, for those who may not bypass it; None for no limit at all.
        legacy_rate_limit: refuse with 400 and a code, as very old servers did, not with 429.
        token_cap: login tokens per user; the oldest are dropped without a word.
        fresh_user_bug: how many times `users.createToken` fails for a user who never logged in (issue 40598).
        microservices: the realtime server of that build; see `Quirks`.
        clock: seconds since 1970; drives tokens, limits and codes. Heartbeats run on real time.
        on_request: called after each request.
        ui: serve the page at `/_sandbox/`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        version: str = DEFAULT_VERSION,
        admin: str | None = None,
        admin_password: str | None = None,
        create_tokens: bool = True,
        create_tokens_secret: str | None = None,
        two_factor: TwoFactorMethod | None = None,
        two_factor_creation: bool = False,
        rate_limit: int | None = 10,
        legacy_rate_limit: bool = False,
        token_cap: int = 50,
        fresh_user_bug: int = 0,
        microservices: bool = False,
        clock: Callable[[], float] = time.time,
        on_request: Callable[[RequestRecord], None] | None = None,
        ui: bool = True,
    ) -> None:
        self.admin_password: str = admin_password or secrets.token_urlsafe(12)
        self._platform = Platform(
            clock=clock,
            version=Version.parse(version),
            create_tokens=create_tokens,
            secret=create_tokens_secret or secrets.token_urlsafe(24),
            token_cap=token_cap,
            two_factor_creation=two_factor_creation,
            fresh_user_bug=fresh_user_bug,
        )
        self.faults: Faults = Faults(wording=wording(self._platform, legacy_rate_limit=legacy_rate_limit))
        limits = CallLimits(enabled=rate_limit is not None)
        self.realtime: Realtime = Realtime(self._platform, Quirks.of(microservices=microservices), limits)
        limiter = RateLimiter(
            None if rate_limit is None else RateLimit(rate_limit, MINUTE_MS), legacy=legacy_rate_limit
        )
        service = Gateway(self._platform, limiter, self._open_socket)
        super().__init__(
            service,
            self.faults,
            clock=clock,
            host=host,
            port=port,
            on_request=on_request,
            view=RocketChatView(self._platform) if ui else None,
        )
        self.admin: User = self._add_admin(
            admin or os.environ.get("ROCKETCHAT_USER", "").strip() or DEFAULT_ADMIN, two_factor
        )
        self._open_general()

    def __repr__(self) -> str:
        store = self._platform.store
        return f"<RocketChatSandbox {self._platform.version} users={len(store.users)} rooms={len(store.rooms)}>"

    async def aclose(self) -> None:
        """Stop listening and drop every connection; the state stays."""
        await self.realtime.aclose()
        await super().aclose()

    @property
    def version(self) -> str:
        """The version that the server plays: `8.8.1`."""
        return str(self._platform.version)

    @property
    def secret(self) -> str:
        """What `users.createToken` asks for from 8.0 on."""
        return self._platform.secret

    @property
    def totp_secret(self) -> str | None:
        """The administrator's authenticator secret in base32, with `two_factor="totp"`."""
        return self.admin.totp_secret

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client at this sandbox; secrets are among them."""
        variables = {
            "ROCKETCHAT_URL": self.url,
            "ROCKETCHAT_USER": self.admin.username,
            "ROCKETCHAT_PASSWORD": self.admin_password,
        }
        if self._platform.version.gate != "switch":
            variables["ROCKETCHAT_CREATE_TOKENS_SECRET"] = self.secret
        if self.admin.totp_secret is not None:
            variables["ROCKETCHAT_TOTP_SECRET"] = self.admin.totp_secret
        return variables

    @property
    def store(self) -> Store:
        """The state as of now, to look at: `sandbox.store.users.with_username("ada")`."""
        sweep(self._platform, self._platform.now())
        return self._platform.store

    @property
    def settings(self) -> Settings:
        """The settings of the server: `sandbox.settings["Accounts_LoginExpiration"] = 30`."""
        return self._platform.settings

    @property
    def outbox(self) -> list[Mail]:
        """The mails that the server would have sent, oldest first: codes and passwords."""
        return self._platform.outbox

    def add_user(self, username: str, *, password: str | None = None, roles: tuple[str, ...] = ("user",)) -> User:
        """Create an account directly in the store; its address is `<username>@sandbox.localhost`, verified.

        What the server would refuse, a name that is taken for one, raises its `MeteorError`.
        """
        platform, now = self._platform, self._platform.now()
        data = {
            "name": username,
            "username": username,
            "email": f"{username}@sandbox.localhost",
            "password": password or secrets.token_urlsafe(12),
            "verified": True,
            "roles": list(roles),
        }
        return accounts.create(platform, data, self.admin, now)

    def add_personal_token(self, username: str, name: str = "sandbox", *, bypass_two_factor: bool = False) -> str:
        """Give a user a personal access token and return it. KeyError for an unknown user."""
        user = self._known(username)
        now = self._platform.now()
        return mint_personal(self._platform, user, name, now, bypass_two_factor=bypass_two_factor)

    def totp_code(self) -> str:
        """Return the six digits that the administrator's authenticator shows now. RuntimeError without one."""
        if self.admin.totp_secret is None:
            msg = 'The administrator has no authenticator: construct the sandbox with two_factor="totp".'
            raise RuntimeError(msg)
        return totp(self.admin.totp_secret, self._platform.now())

    def force_logout(self, username: str) -> None:
        """End a user's sessions as device management does: their connections are told first.

        See docs/platforms/rocketchat.md#reconnecting.

        KeyError for an unknown user.
        """
        user = self._known(username)
        announce.to_user(self._platform, user, "force_logout", list)
        drop(self._platform, user, lambda token: not token.personal)

    def _known(self, username: str) -> User:
        user = self._platform.store.users.with_username(username)
        if user is None:
            msg = f"There is no user {username!r} in this sandbox."
            raise KeyError(msg)
        return user

    def settle(self) -> None:
        """Let the jobs run that are due by the clock: expired tokens are swept, and their connections told."""
        sweep(self._platform, self._platform.now())

    def _open_socket(self, request: web.BaseRequest) -> Reply:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return Reply(400, b'Can "Upgrade" only to "WebSocket".', "text/plain; charset=utf-8")
        return Reply(101, b"", takeover=self.realtime.serve)

    def _add_admin(self, username: str, method: TwoFactorMethod | None) -> User:
        platform = self._platform
        platform.settings[TWO_FACTOR] = method is not None
        born = platform.now() - A_YEAR
        user = User(
            username=username,
            name="Administrator",
            email=f"{username}@sandbox.localhost",
            verified=method == "email" or method is None,
            password=accounts.hash_password(self.admin_password),
            roles=["admin"],
            totp_secret=new_totp_secret() if method == "totp" else None,
            created_at=born,
            updated_at=born,
        )
        platform.store.users.add(user)
        return user

    def _open_general(self) -> None:
        platform, now = self._platform, self._platform.now()
        creator = {"_id": self.admin.id, "username": self.admin.username}
        room = Room(
            id="GENERAL", type="c", name="general", creator=creator, created_at=now, updated_at=now, default=True
        )
        platform.store.rooms.add(room)
        membership.join(platform, room, self.admin, now)


def _first_user() -> str:
    return os.environ.get("ROCKETCHAT_USER", "").strip() or DEFAULT_ADMIN
