"""The state of a local Ethora, with a read side for assertions.

`store.app(id)` → `App`; `app.users` and `app.chats` are sized, iterable in order of creation, and look
records up by any form of id: `app.users.find("u1")`, `app.chats.find("<appId>_room@conference.host")`.
`chat.members` and `user.chats` are rosters: sized, iterable, `in`. `chat.messages` are oldest first,
`chat.access(user)` are the bits of an access code.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.bots import new_bot
from ethora_async.sandbox.ethora.conversation import Message
from ethora_async.sandbox.ethora.directories import Chats, Users
from ethora_async.sandbox.ethora.names import RecordIds
from ethora_async.sandbox.ethora.records import App, Chat, DefaultRoom, User, UserKind
from ethora_async.sandbox.ethora.tokens import AppKeys
from ethora_async.sandbox.lag import Agenda

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.watching import Watcher


HISTORY = 10_000
"""The default number of messages that a chat keeps."""


@attrs.frozen
class UserData:
    """The values of a new user, already validated; `uuid` may be missing."""

    first_name: str
    last_name: str
    email: str | None = None
    uuid: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    profile_image: str | None = None
    kind: UserKind = UserKind.PERSON
    tags: tuple[str, ...] = ()


@attrs.frozen
class ChatData:
    """The values of a new chat, already validated."""

    title: str
    type: str
    uuid: str | None = None
    description: str = ""
    picture: str | None = None
    is_app_chat: bool = False


class Store:
    """All apps of a local Ethora, and the changes that keep their indexes in step.

    `watchers` are notified of changes. `history` is the minimum number of messages that a chat keeps; the oldest are
    dropped first.
    """

    def __init__(self, history: int = HISTORY) -> None:
        self.watchers: list[Watcher] = []
        self.history = history
        self.ids: RecordIds = RecordIds()
        self.agenda: Agenda = Agenda()
        self._apps: dict[str, App] = {}
        self._by_domain: dict[str, App] = {}

    def __repr__(self) -> str:
        return f"<Store apps={len(self._apps)}>"

    @property
    def apps(self) -> list[App]:
        """All apps, the base app first."""
        return list(self._apps.values())

    def app(self, app_id: str) -> App:
        """Return an app; KeyError when this host does not have it."""
        return self._apps[app_id]

    def find_app(self, app_id: object) -> App | None:
        """Return an app, or None for an unknown (or absurd) id."""
        return self._apps.get(app_id) if isinstance(app_id, str) else None

    def app_of_domain(self, domain_name: str) -> App | None:
        """Return the app with this `domainName`, or None."""
        return self._by_domain.get(domain_name)

    def create_app(
        self,
        *,
        secret: str,
        now: float,
        display_name: str,
        domain_name: str,
        app_id: str | None = None,
        parent: App | None = None,
    ) -> App:
        """Create an app with a bot that is off; `app_id` defaults to a new record id.

        ValueError when the id or the domain name is taken.
        """
        app_id = app_id or self.ids.text(self.ids.next())
        if app_id in self._apps or self.app_of_domain(domain_name) is not None:
            msg = f"The sandbox already has an app with the id {app_id!r} or the domain name {domain_name!r}."
            raise ValueError(msg)
        app = App(
            id=app_id,
            secret=secret,
            keys=AppKeys(secret),
            display_name=display_name,
            domain_name=domain_name,
            created_at=now,
            updated_at=now,
            parent=parent,
            users=Users(app_id, self.ids),
            chats=Chats(app_id, self.ids),
            bot=new_bot(),
        )
        self._apps[app_id] = app
        self._by_domain[domain_name] = app
        return app

    def rename_domain(self, app: App, domain_name: str) -> None:
        """Change the domain name of an app; the new one must be free."""
        del self._by_domain[app.domain_name]
        app.domain_name = domain_name
        self._by_domain[domain_name] = app

    def purge_app(self, app: App) -> None:
        """Delete an app with everything in it."""
        del self._apps[app.id]
        del self._by_domain[app.domain_name]

    def create_user(self, app: App, data: UserData, now: float) -> User:
        """Create a user; its uuid and e-mail address must be free."""
        number = self.ids.next()
        user = User(
            app=app,
            number=number,
            uuid=self.ids.text(number) if data.uuid is None else data.uuid,
            email=data.email,
            first_name=data.first_name,
            last_name=data.last_name,
            created_at=now,
            updated_at=now,
            password=data.password,
            profile_image=data.profile_image,
            kind=data.kind,
        )
        if data.tags:
            user.profile = attrs.evolve(user.profile, tags=data.tags)
        app.users.add(user)
        return user

    def delete_user(self, user: User) -> None:
        """Delete a user with all its memberships."""
        user.app.users.remove(user)
        for chat in user.chats:
            chat.members.discard(user)
            chat.forget(user)

    def create_chat(
        self,
        app: App,
        data: ChatData,
        now: float,
        *,
        creator: User | None = None,
        members: Iterable[User] = (),
    ) -> Chat:
        """Create a chat; its uuid must be free. The creator becomes its first member."""
        number = self.ids.next()
        chat = Chat(
            app=app,
            number=number,
            uuid=self.ids.text(number) if data.uuid is None else data.uuid,
            title=data.title,
            type=data.type,
            created_at=now,
            updated_at=now,
            description=data.description,
            picture=data.picture,
            creator=creator,
            is_app_chat=data.is_app_chat,
        )
        faded = app.chats.namesake(chat.uuid)
        if faded is not None:
            self._unlist(faded)
        app.chats.add(chat)
        if creator is not None:
            self.join(chat, creator)
        for member in members:
            self.join(chat, member)
        return chat

    def delete_chat(self, chat: Chat, now: float, lag: float) -> None:
        """Delete a chat at once; listings follow after `lag` seconds."""
        chat.app.chats.remove(chat)
        chat.app.rooms = [room for room in chat.app.rooms if room.chat is not chat]
        if lag > 0:
            self.agenda.add(now + lag, partial(self._unlist, chat))
        else:
            self._unlist(chat)
        for watcher in self.watchers:
            watcher.chat_deleted(chat)

    def _unlist(self, chat: Chat) -> None:
        """Remove a deleted chat from every listing; does nothing if it is already gone."""
        if chat.app.chats.unlist(chat):
            for user in chat.members:
                user.chats.discard(chat)

    def chat_changed(self, chat: Chat) -> None:
        """Notify the watchers that the title, description or picture of a chat has changed."""
        for watcher in self.watchers:
            watcher.chat_changed(chat)

    def user_changed(self, user: User) -> None:
        """Notify the watchers that a profile has changed."""
        for watcher in self.watchers:
            watcher.user_changed(user)

    def join(self, chat: Chat, user: User) -> bool:
        """Make `user` a member of `chat`; False when it is one already."""
        user.chats.add(chat)
        if not chat.members.add(user):
            return False
        chat.forget(user)
        if chat.messages:
            chat.conversation.mark_read(user)
        for watcher in self.watchers:
            watcher.joined(chat, user)
        return True

    def leave(self, chat: Chat, user: User, now: float, lag: float) -> bool:
        """End a membership at once; listings follow after `lag` seconds. False when there was none."""
        due = now + lag if lag > 0 else None
        user.chats.discard(chat, due)
        left = chat.members.discard(user, due)
        chat.forget(user)
        if left and due is not None:
            self.agenda.add(due, partial(user.chats.forget, chat, due))
            self.agenda.add(due, partial(chat.members.forget, user, due))
        if left:
            for watcher in self.watchers:
                watcher.left(chat, user)
        return left

    def access_changed(self, chat: Chat, user: User) -> None:
        """Notify the watchers that the rights of a member in a chat have changed."""
        for watcher in self.watchers:
            watcher.access_changed(chat, user)

    def open_room(self, app: App, title: str, now: float, *, pinned: bool) -> DefaultRoom:
        """Create a chat of the app itself, offered to all its users (docs/platforms/ethora.md#apps)."""
        chat = self.create_chat(app, ChatData(title=title, type="public", is_app_chat=True), now)
        room = DefaultRoom(self.ids.text(self.ids.next()), chat, pinned)
        app.rooms.append(room)
        return room

    def post(
        self,
        chat: Chat,
        body: str | None,
        now: float,
        *,
        sender: User | None = None,
        metadata: dict[str, Any] | None = None,
        inner: str | None = None,
        id: str | None = None,
    ) -> Message[User]:
        """Store a message in a chat. A message from XMPP has its stanza's id and content."""
        talk = chat.conversation
        id = id or self.ids.text(self.ids.next())
        message: Message[User] = Message(talk.next_stanza(now), id, now, body or "", sender, metadata, inner)
        talk.keep(message, self.history)
        for watcher in self.watchers:
            watcher.posted(chat, message)
        return message
