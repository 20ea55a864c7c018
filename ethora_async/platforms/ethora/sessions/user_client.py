"""``ethora.as_user(session)``: operations of one user (docs/platforms/ethora.md#sessions, #chats, #apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.engine.open_requests import Requests
from ethora_async.errors import InvalidInputError
from ethora_async.multipart import Multipart
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.apps.api import Apps
from ethora_async.platforms.ethora.context import PAGING, AppContext, OtherAppContext
from ethora_async.platforms.ethora.in_app import InApp
from ethora_async.platforms.ethora.sessions.api_keys import ApiKeys
from ethora_async.platforms.ethora.sessions.credentials import SessionCredentials
from ethora_async.platforms.ethora.sessions.files import UPLOAD_TIMEOUT, Files
from ethora_async.platforms.ethora.sessions.my_chats import MyChats
from ethora_async.platforms.ethora.sessions.session import Session, read_session
from ethora_async.records import Id, User, id_text, optional_text
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.attachments import Attachment, Source
    from ethora_async.bulk.outcome import Outcome
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.realtime.account import Account
    from ethora_async.platforms.ethora.realtime.connection import Realtime
    from ethora_async.platforms.ethora.realtime.service import ChatService
    from ethora_async.platforms.ethora.sessions.api import LogoutScope, Sessions
    from ethora_async.request import Reply
    from ethora_async.tokens.fixed import FixedCredentials


@attrs.frozen(kw_only=True)
class XmppCredentials:
    """The user's login at the chat server, by SASL PLAIN (docs/platforms/ethora.md#token-kinds). The password prints
    masked.

    Attributes:
        username: ``<appId>_<id>``.
        host: the XMPP host, if it is known.
    """

    username: str
    password: Secret
    host: str | None = None
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


class UserClient(Requests):
    """The API as one user, by session or API key. Created by `EthoraClient.as_user`.

    A session is renewed before it expires, and once for all calls when the platform rejects it. The client shares the
    connections of the one that created it, and closes with it.

    Attributes:
        chats, files, api_keys: the user's own.
        apps: the apps that the user may manage.
    """

    def __init__(
        self,
        own: AppContext,
        sessions: Sessions,
        signer: SessionCredentials | FixedCredentials,
        xmpp_host: str | None,
        chat: ChatService,
    ) -> None:
        self._own = own
        self._sessions = sessions
        self._signer = signer
        self._xmpp_host = xmpp_host
        self._chat = chat
        self._user: User | None = None
        self._context = OtherAppContext(own, self.session.app_id if self.session else None, signer)
        super().__init__(self._context.send, PAGING)
        self.chats: MyChats = MyChats(self._context, self._own_name)
        self.files: Files = Files(self._context)
        self.api_keys: ApiKeys = ApiKeys(self._context)
        self.apps: Apps = Apps(self._context)

    @property
    def session(self) -> Session | None:
        """The newest session, to be stored. None with an API key."""
        return self._signer.session if isinstance(self._signer, SessionCredentials) else None

    async def me(self) -> User:
        """Return the user's current record.

        Raises:
            UnauthorizedError: the session or the API key has ended.
        """
        app = await self._context.open()
        generation = self._generation()
        reply = await app.call(operations.ME)
        if not isinstance(self._signer, SessionCredentials):
            return self._known(_read_me(reply, app))
        session = read_session(reply.data, app.app_id, origin=reply.origin, before=self._signer.session)
        self._signer.adopt(session, generation)
        return self._known(session.user)

    async def update_profile(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        description: str | None = None,
        phone: str | None = None,
        address: str | None = None,
        is_profile_open: bool | None = None,
        is_assets_open: bool | None = None,
        picture: Attachment | Source | None = None,
    ) -> User:
        """Update the user's own profile. None leaves a field unchanged; an empty text clears it, if the platform allows
        that.

        Args:
            picture: a picture to upload; see `Attachment`.

        Raises:
            InvalidInputError: nothing is to be changed, or the picture cannot be read.
            ValidationFailedError: the platform rejects a value; its limits differ between deployments
                (docs/platforms/ethora.md#sessions).
        """
        texts = {
            "firstName": first_name,
            "lastName": last_name,
            "description": description,
            "phone": phone,
            "address": address,
        }
        data: dict[str, Any] = {key: optional_text(text, key) for key, text in texts.items() if text is not None}
        flags = {"isProfileOpen": is_profile_open, "isAssetsOpen": is_assets_open}
        data |= {key: flag for key, flag in flags.items() if flag is not None}
        if not data and picture is None:
            msg = "nothing to change: pass at least one field of the profile"
            raise InvalidInputError(msg, field="first_name")
        app = await self._context.open()
        generation = self._generation()
        if picture is None:
            reply = await app.call(operations.UPDATE_ME, data=data)
        else:
            fields = {key: str(value).lower() if isinstance(value, bool) else value for key, value in data.items()}
            form = await Multipart.of([("file", picture)], fields=fields)
            reply = await app.call(operations.UPDATE_ME, upload=form, timeout=UPLOAD_TIMEOUT)
        user = _read_me(reply, app)
        if isinstance(self._signer, SessionCredentials):
            self._signer.adopt(attrs.evolve(self._signer.session, user=user), generation)
        return self._known(user)

    async def xmpp_credentials(self) -> XmppCredentials:
        """Return a fresh, short-lived password for the chat server.

        With an API key this also reads the user, unless `me` has been called.

        Raises:
            UnauthorizedError: the session or the API key has ended.
        """
        user = self._user or (self.session.user if self.session else None) or await self.me()
        operation = operations.XMPP_TOKEN
        app = await self._context.open()
        reply = await app.call(operation, data={})
        password = reply.data.get("xmppPassword") if isinstance(reply.data, dict) else None
        if not isinstance(password, str) or not password:
            msg = "the platform's reply has an unexpected shape: reply.xmppPassword: expected text"
            raise reply.origin.lost(msg)
        username = user.xmpp_username or app.names.lookup_name(user.id)
        return XmppCredentials(
            username=username, password=Secret(password), host=self._xmpp_host, request_id=reply.request_id
        )

    def realtime(self, *, rooms: Id | Iterable[Id] = (), queue_size: int = 1000) -> Realtime:
        """Return a stream of the events in the user's chats; see `Realtime`. No request is sent before it is entered.

        Args:
            rooms: The chats to enter at the start; `Realtime.subscribe` adds more.
            queue_size: Maximum number of unread events.
        """
        return self._chat.stream(self.chat_account, rooms=rooms, queue_size=queue_size)

    async def chat_account(self) -> Account:
        """Return the chat account of the user, with a fresh password, and its server.

        Raises:
            ConfigError: The chat server's address is not known.
            UnauthorizedError: The session or the API key has ended.
        """
        credentials = await self.xmpp_credentials()
        user = self._user or (self.session.user if self.session else None) or await self.me()
        app = await self._context.open()
        return self._chat.account(app, credentials.username, credentials.password, user)

    async def logout(self, scope: LogoutScope = "current") -> Outcome[str]:
        """End this session, ``"all"`` of the user's, or all the ``"others"``; see `Sessions.logout`.

        Raises:
            InvalidInputError: the client was made from an API key: delete the key instead.
            UnauthorizedError: the session has ended, and was to end others.
        """
        if not isinstance(self._signer, SessionCredentials):
            msg = "an API key has no session to end: delete the key with api_keys.delete"
            raise InvalidInputError(msg)
        return await self._sessions.end(self._signer, scope)

    def in_app(self, app_id: str | None = None) -> InApp:
        """Return the users and chats of an app, as far as this user may see and change them; by default of their own
        app.

        For operations that require a user in place of a back end: importing into an app that the user owns or may edit,
        tags, and listing its users. No request is sent.

        Raises:
            InvalidInputError: the id is empty.
            ConfigError: no app is named, and the client's own comes from the secret store, which has not been read.
        """
        other = self._context.known().app_id if app_id is None else id_text(app_id, "app_id")
        return InApp(OtherAppContext(self._own, other, self._signer), other, xmpp_host=self._xmpp_host)

    def __repr__(self) -> str:
        return f"UserClient({self.session.user.id!r})" if self.session else "UserClient(API key)"

    def _generation(self) -> int:
        return self._signer.generation if isinstance(self._signer, SessionCredentials) else 0

    def _known(self, user: User) -> User:
        self._user = user
        return user

    def _own_name(self) -> str:
        user = self._user or (self.session.user if self.session else None)
        if user is None:
            msg = "an API key does not name its user: await me() first"
            raise InvalidInputError(msg)
        return user.xmpp_username or user.id


def _read_me(reply: Reply, app: App) -> User:
    data = reply.data
    record = data["user"] if isinstance(data, dict) and isinstance(data.get("user"), dict) else wire.result(data)
    return wire.read_user(record, app.names, origin=reply.origin)
