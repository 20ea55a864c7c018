"""The local Ethora: a real server with real state, for development and tests."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.chat_page.page import ChatPage, page_path
from ethora_async.sandbox.ethora.gateway import Gateway
from ethora_async.sandbox.ethora.names import local_id
from ethora_async.sandbox.ethora.platform import Platform
from ethora_async.sandbox.ethora.records import UserKind
from ethora_async.sandbox.ethora.sessions import REFRESH_GRACE
from ethora_async.sandbox.ethora.store import HISTORY, UserData
from ethora_async.sandbox.ethora.tenancy import AppData, open_app
from ethora_async.sandbox.ethora.tokens import AppKeys
from ethora_async.sandbox.ethora.view import EthoraView
from ethora_async.sandbox.ethora.xmpp.bot import SandboxBot
from ethora_async.sandbox.ethora.xmpp.hub import Hub
from ethora_async.sandbox.ethora.xmpp.socket import Realtime
from ethora_async.sandbox.faults import Faults
from ethora_async.sandbox.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ethora_async.sandbox.ethora.chat_page.page import Minter
    from ethora_async.sandbox.ethora.platform import Mail
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.sandbox.ethora.seeding import Seed
    from ethora_async.sandbox.ethora.sessions import RefreshReuse
    from ethora_async.sandbox.ethora.store import Store
    from ethora_async.sandbox.ethora.xmpp.bot import BotFunction
    from ethora_async.sandbox.logs import RequestRecord
    from ethora_async.sandbox.tls import Certificate

BASE_DOMAIN = "app"
DEFAULT_XMPP_HOST = "xmpp.localhost"
BOT_SUFFIX = "-bot"
DEFAULT_ADMIN = "admin@sandbox.localhost"


class EthoraSandbox(LocalServer):
    """A stateful Ethora on this machine: `async with EthoraSandbox() as sandbox: … sandbox.url …`.

    It starts with a base app (`domainName` "app") and that app's owner account, which logs in with the
    admin's e-mail and password. State lives in memory and outlasts `aclose` and `start`, so that an outage
    can be played.

    Args:
        app_id, secret: those of the base app; made when not given.
        host, port: where to listen; port 0 takes a free one.
        certificate: serves the same by TLS too, on a port of its own; `Certificate()` makes one on the spot.
        admin_email, admin_password: made when not given.
        lenient: names of one character, last names optional, client tokens without `type`.
        xmpp_host: as `get-config` tells it.
        clock: seconds since 1970; drives tokens, lag and job delay.
        job_polls, deletion_lag, legacy_errors: see `Faults`.
        legacy_tokens: the token exchange also takes the flat `{email, type, appId}` payload of older guides.
        refresh_grace: seconds for which a refresh token that was replaced still works (30).
        refresh_reuse: what follows when one comes again after that: "log_only" hands out
            the session's current tokens, "reject" answers 401, "revoke_family" also ends the session.
        messages_per_chat: how many messages a chat keeps; the oldest beyond that are dropped from time to time.
        bot: answers in chats that the bot was let into, as by `chats.grant_bot`; see `BotMessage` and `BotReply`. The
            app's bot settings start with the bot on, for any message.
        bot_jid: the bot's JID or id, which ends in `-bot`; made when not given.
        on_request: called after each request.
        ui: serve the page at `/_sandbox/`, and the chat page beside it.

    Chat is XMPP over a websocket, at `/ws`; `realtime` can drop its connections. The domain is whatever a client opens
    its stream to.
    """

    def __init__(
        self,
        *,
        app_id: str | None = None,
        secret: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        admin_email: str | None = None,
        admin_password: str | None = None,
        lenient: bool = False,
        xmpp_host: str = DEFAULT_XMPP_HOST,
        clock: Callable[[], float] = time.time,
        job_polls: int = 1,
        deletion_lag: float = 0.0,
        legacy_errors: bool = False,
        legacy_tokens: bool = False,
        refresh_grace: float = REFRESH_GRACE,
        refresh_reuse: RefreshReuse = "log_only",
        messages_per_chat: int = HISTORY,
        bot: BotFunction | None = None,
        bot_jid: str | None = None,
        on_request: Callable[[RequestRecord], None] | None = None,
        ui: bool = True,
    ) -> None:
        self.faults: Faults = Faults(job_polls=job_polls, deletion_lag=deletion_lag, legacy_errors=legacy_errors)
        self.admin_email: str = (admin_email or DEFAULT_ADMIN).lower()
        self.admin_password: str = admin_password or secrets.token_urlsafe(12)
        self._platform = Platform(
            clock=clock,
            xmpp_host=xmpp_host,
            lenient=lenient,
            legacy_tokens=legacy_tokens,
            refresh_grace=refresh_grace,
            refresh_reuse=refresh_reuse,
            faults=self.faults,
        )
        self._platform.store.history = messages_per_chat
        hub = Hub(self._platform)
        self._platform.store.watchers.append(hub)
        self.realtime: Realtime = Realtime(hub)
        service = Gateway(self._platform, self.realtime.answer)
        super().__init__(
            service,
            self.faults,
            clock=clock,
            host=host,
            port=port,
            on_request=on_request,
            cross_origin=True,
            certificate=certificate,
            view=EthoraView(self._platform) if ui else None,
        )
        self._base = self.add_app(BASE_DOMAIN, app_id=app_id or secrets.token_hex(12), secret=secret, parent=None)
        self._bot = None if bot is None else self._add_bot(hub, bot, bot_jid)
        self._chat_page = ChatPage(self._platform, lambda: self._base)
        if self.console is not None:
            self._chat_page.add_to(self.console)

    def __repr__(self) -> str:
        counts = f"users={len(self._base.users)} chats={len(self._base.chats)}"
        return f"<EthoraSandbox app_id={self.app_id!r} {counts}>"

    async def aclose(self) -> None:
        """Stop listening and drop every connection; the state stays."""
        if self._bot is not None:
            await self._bot.aclose()
        await self.realtime.aclose()
        await super().aclose()

    def _add_bot(self, hub: Hub, function: BotFunction, jid: str | None) -> SandboxBot:
        """Make the bot's user, whose id ends as the ids of bots do, and switch the app's bot on."""
        store, app = self._platform.store, self._base
        uuid = f"{store.ids.text(store.ids.next())}{BOT_SUFFIX}" if jid is None else local_id(app.id, jid)
        if not uuid.endswith(BOT_SUFFIX):
            msg = f"The bot's JID or id {jid!r} must end in {BOT_SUFFIX!r}, as those of the platform's bots do."
            raise ValueError(msg)
        settings = app.bot = {**(app.bot or {}), "status": "on", "trigger": "any_message"}
        name = UserData(settings["botFirstName"], settings["botLastName"], uuid=uuid, kind=UserKind.BOT)
        bot = SandboxBot(hub, store.create_user(app, name, self._platform.clock()), function)
        store.watchers.append(bot)
        return bot

    @property
    def app_id(self) -> str:
        """The id of the base app."""
        return self._base.id

    @property
    def secret(self) -> str:
        """The current secret of the base app."""
        return self._base.secret

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client at this sandbox; the secret is among them."""
        bot = {} if self._bot is None else {"ETHORA_CHAT_BOT_JID": self._bot.jid}
        return {
            "ETHORA_CHAT_API_URL": self.url,
            "ETHORA_CHAT_APP_ID": self.app_id,
            "ETHORA_CHAT_APP_SECRET": self.secret,
            **bot,
        }

    @property
    def front_end_environment(self) -> dict[str, str]:
        """The variables that a front end's configuration is made from: the chat's websocket, and TLS if it is on."""
        variables = {
            "ETHORA_XMPP_SERVICE": f"ws{self.url.removeprefix('http')}/ws",
            "ETHORA_XMPP_HOST": self._platform.xmpp_host,
        }
        if self.tls_url is not None:
            variables["ETHORA_SANDBOX_TLS_URL"] = self.tls_url
        return variables

    def chat_url(self, *users: str, chat: str | None = None) -> str:
        """Return where a browser shows the chat as one user, or as several side by side.

        Args:
            users: Their ids, as in `users.create`.
            chat: The id of the chat to open.

        Raises:
            ValueError: No user is given.
            RuntimeError: The sandbox is not listening yet.
        """
        if not users:
            msg = "Name a user: chat_url('u1')."
            raise ValueError(msg)
        return self.url + page_path(self.app_id, users, chat)

    def mint_chat_tokens_with(self, minter: Minter | None) -> None:
        """Let the chat page log users of the base app in with tokens of your back end.

        Args:
            minter: Called with a user's id; returns the token. None: the sandbox makes them itself.
        """
        self._chat_page.minter = minter

    @property
    def store(self) -> Store:
        """The state as of now, to look at: `sandbox.store.app(sandbox.app_id).users.find("u1")`."""
        store = self._platform.store
        store.agenda.settle(self._platform.clock())
        return store

    @property
    def outbox(self) -> list[Mail]:
        """The mails that the platform would have sent, oldest first: passwords and reset tokens."""
        return self._platform.outbox

    def add_app(
        self, domain_name: str, *, app_id: str | None = None, secret: str | None = None, parent: str | None
    ) -> App:
        """Make a further app with its owner account; `parent` names the app whose server token may act in it.

        ValueError when the id or the domain name is taken, KeyError for an unknown parent.
        """
        store, now = self._platform.store, self._platform.clock()
        above = None if parent is None else store.app(parent)
        data = AppData(display_name=domain_name.capitalize(), domain_name=domain_name, id=app_id, secret=secret)
        app = open_app(store, data, now, parent=above, creator=None if above is None else above.owner)
        if above is None:
            owner = UserData(
                first_name="Platform",
                last_name="Owner",
                email=self.admin_email,
                uuid=f"owner-{store.ids.text(store.ids.next())}",
                password=self.admin_password,
                kind=UserKind.OWNER,
            )
            app.owner = store.create_user(app, owner, now)
        return app

    async def seed(self, path: str | Path, *, app_id: str | None = None) -> int:
        """Make users of the rows of a CSV file, in the base app if no other is named, and return how many.

        Columns as for `ethora users import`: id, email, first_name, last_name; password and profile_image if
        wanted. All or nothing. Raises InvalidInputError when the file cannot be read or lacks a column, and
        SeedRefusedError, a ValueError that names the lines, when rows are bad.
        """
        seed = self._seed(app_id)
        await seed.read(path)
        return seed.plant(self._platform.store, self._platform.clock())

    async def seed_users(self, rows: Iterable[Mapping[str, str]], *, app_id: str | None = None) -> int:
        """Make users of rows with the columns of `seed`; the first row counts as line 1."""
        seed = self._seed(app_id)
        seed.take(rows)
        return seed.plant(self._platform.store, self._platform.clock())

    def _seed(self, app_id: str | None) -> Seed:
        # Imported when first used: a sandbox that is not seeded loads nothing of this library but itself.
        from ethora_async.sandbox.ethora.seeding import Seed

        app = self._base if app_id is None else self._platform.store.app(app_id)
        return Seed(app, self._platform.forms.user)

    def rotate_secret(self, new: str, *, keep_previous: bool) -> None:
        """Change the secret of the base app, as its owner does on the platform.

        With `keep_previous`, tokens made with the secret before this one are still taken.
        """
        old = self._base.secret
        self._base.keys = AppKeys(new, old) if keep_previous else AppKeys(new)
        self._base.secret = new
