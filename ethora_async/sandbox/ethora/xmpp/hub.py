"""Connected sessions and the rooms they are in; passes changes of the store on to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.grants import OWNER, READ, WRITE
from ethora_async.sandbox.ethora.xmpp.content import content, marks, nick_of, stanza_id
from ethora_async.sandbox.ethora.xmpp.elements import Element, element, quoted, write
from ethora_async.sandbox.ethora.xmpp.moderation import Moderation
from ethora_async.sandbox.ethora.xmpp.namespaces import CHANGES, CLIENT, FRAMING, MUC_USER
from ethora_async.sandbox.ethora.xmpp.refusals import stream_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

Occupants = dict["User", dict["XmppSession", None]]

KICKED = "321"
SELF = "110"


class Hub:
    """All sessions of a server. It watches the store, so changes by REST reach connected clients too."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.private: dict[User, dict[tuple[str, str], Element]] = {}
        self.looks: dict[Chat, tuple[str, str]] = {}
        """The background and the thumbnail that clients set for a room."""
        self.moderation: Moderation = Moderation()
        self._sessions: dict[User, dict[str, XmppSession]] = {}
        self._rooms: dict[Chat, Occupants] = {}
        self._entering: XmppSession | None = None

    # -- who is connected

    @property
    def sessions(self) -> list[XmppSession]:
        """Every session."""
        return [session for own in self._sessions.values() for session in own.values()]

    def sessions_of(self, user: User) -> list[XmppSession]:
        """Return the sessions of a user."""
        return list(self._sessions.get(user, {}).values())

    def occupants(self, chat: Chat) -> Occupants:
        """Return the occupants of a room, with their sessions."""
        return self._rooms.get(chat, {})

    def arrive(self, session: XmppSession) -> None:
        """Register a session. An older one with the same resource ends, as on ejabberd."""
        own = self._sessions.setdefault(session.user, {})
        before = own.get(session.resource)
        if before is not None:
            self.end(before, "conflict", "Replaced by new connection")
        self._sessions.setdefault(session.user, {})[session.resource] = session

    def depart(self, session: XmppSession) -> None:
        """Remove a session from the hub and its rooms; does nothing if it is already gone."""
        own = self._sessions.get(session.user, {})
        if own.get(session.resource) is not session:
            return
        for chat in list(session.chats):
            self.exit(chat, session, tell=False)
        del own[session.resource]
        if not own:
            del self._sessions[session.user]

    def end(self, session: XmppSession, condition: str, text: str = "") -> None:
        """End a session with a stream error."""
        self.depart(session)
        session.ended()
        session.line.push(stream_error(condition, text).encode())
        session.line.push(write(element("close", FRAMING)).encode())
        session.line.close()

    def alive(self, user: User) -> bool:
        """Return whether a user may stay connected: the account exists, and its app is not archived."""
        app = user.app
        return user.exists and not app.archived and self.platform.store.find_app(app.id) is app

    def sweep(self) -> None:
        """End the sessions of deleted accounts, and of deleted or archived apps."""
        for session in self.sessions:
            self._keep(session)

    def _keep(self, session: XmppSession) -> bool:
        if self.alive(session.user):
            return True
        self.end(session, "not-authorized", "The account is gone")
        self.private.pop(session.user, None)
        self.moderation.blocked.pop(session.user, None)
        return False

    # -- who is in which room

    def enter(self, chat: Chat, session: XmppSession, presence: Element) -> None:
        """Enter a room, and notify all occupants, including the user's other sessions.

        One that is in already is told again who is there.
        """
        occupants = self._rooms.setdefault(chat, {})
        own = occupants.setdefault(session.user, {})
        newcomer = session not in own
        own[session] = None
        session.chats.add(chat)
        for other in list(occupants):
            if other is not session.user:
                session.send(self._presence(chat, other, session))
        if newcomer:
            self._tell_presence(chat, session.user, presence, but=session)
        session.send(self._presence(chat, session.user, session, presence, statuses=(SELF,)))
        subject = element("message", CLIENT, element("subject", CLIENT), type="groupchat")
        subject.attributes |= {"from": session.room(chat), "to": session.jid}
        session.send(subject)

    def admit(self, chat: Chat, session: XmppSession) -> None:
        """Make a user who enters a public chat a member; this session gets no invitation."""
        self._entering = session
        try:
            self.platform.store.join(chat, session.user)
        finally:
            self._entering = None

    def exit(self, chat: Chat, session: XmppSession, *, tell: bool = True, presence: Element | None = None) -> None:
        """Remove a session from a room, and notify the occupants; with `tell`, the session itself too."""
        if chat not in session.chats:
            return
        session.chats.discard(chat)
        if tell:
            session.send(self._presence(chat, session.user, session, presence, statuses=(SELF,), left=True))
        occupants = self._rooms[chat]
        del occupants[session.user][session]
        if not occupants[session.user]:
            del occupants[session.user]
            self._tell_presence(chat, session.user, presence, left=True)
        if not occupants:
            del self._rooms[chat]

    def _presence(
        self,
        chat: Chat,
        user: User,
        to: XmppSession,
        presence: Element | None = None,
        *,
        statuses: Iterable[str] = (),
        left: bool = False,
    ) -> Element:
        """Return the presence of a user in a room as one session receives it, with the id of the request."""
        given = {} if presence is None else {key: presence.get(key) for key in ("id",) if presence.get(key)}
        kinds = {"type": "unavailable"} if left else {}
        item = element("item", MUC_USER, affiliation=affiliation(chat, user), role="none" if left else role(chat, user))
        if user is to.user and not left:
            item.attributes = {"jid": to.jid, **item.attributes}
        about = element("x", MUC_USER, item, *[element("status", MUC_USER, code=code) for code in statuses])
        further = [] if presence is None else [child for child in presence.elements if child.name != "x"]
        address = {"from": to.room(chat, user.xmpp_username), "to": to.jid}
        return Element("presence", CLIENT, {**given, **kinds, **address}, [*further, about])

    def _tell_presence(
        self,
        chat: Chat,
        user: User,
        presence: Element | None = None,
        *,
        but: XmppSession | None = None,
        statuses: Iterable[str] = (),
        left: bool = False,
    ) -> None:
        """Send a user's presence to everyone in a room except the session that it comes from."""
        for sessions in list(self.occupants(chat).values()):
            for session in list(sessions):
                if session is not but:
                    session.send(self._presence(chat, user, session, presence, statuses=statuses, left=left))

    def update(self, chat: Chat, session: XmppSession, presence: Element) -> None:
        """Send a change of presence, such as away, to everyone in a room."""
        self._tell_presence(chat, session.user, presence, but=session)
        session.send(self._presence(chat, session.user, session, presence, statuses=(SELF,)))

    # -- what is said

    def spread(self, chat: Chat, nick: str, id: str, inner: Callable[[str, str], str]) -> None:
        """Send a message to everyone in a room. `inner` writes its children for a domain and the room's JID there."""
        pieces: dict[str, tuple[str, bytes]] = {}
        named = f' id="{quoted(id)}"' if id else ""
        for sessions in list(self.occupants(chat).values()):
            for session in list(sessions):
                if not self._keep(session):
                    continue
                shared = pieces.get(session.domain)
                if shared is None:
                    room = quoted(session.room(chat))
                    start = f'<message xmlns="{CLIENT}" type="groupchat"{named} from="{room}/{quoted(nick)}" to="'
                    shared = (start, f'">{inner(session.domain, room)}</message>'.encode())
                    pieces[session.domain] = shared
                head, tail = shared
                session.line.push(f"{head}{quoted(session.jid)}".encode(), tail)

    # -- events of the store

    def posted(self, chat: Chat, message: Message[User]) -> None:
        """Send a stored message to the room, whoever posted it."""
        if chat in self._rooms:
            nick = nick_of(chat, message)
            self.spread(
                chat,
                nick,
                stanza_id(message),
                lambda domain, room: marks(room, message.stanza) + content(chat, message, domain),
            )

    def joined(self, chat: Chat, user: User) -> None:
        """Invite a new member's sessions that are not in the room yet, as the system account."""
        for session in self.sessions_of(user):
            if chat not in session.chats and session is not self._entering:
                system = f"{chat.app.id}_{chat.app.id}@{session.domain}"
                invite = Element("invite", MUC_USER, {"from": system}, [element("reason", MUC_USER)])
                address = {"from": session.room(chat), "to": session.bare}
                session.send(Element("message", CLIENT, address, [element("x", MUC_USER, invite)]))

    def left(self, chat: Chat, user: User) -> None:
        """Remove all sessions of a former member from the room."""
        occupants = self.occupants(chat)
        for session in list(occupants.get(user, {})):
            session.chats.discard(chat)
            session.send(self._presence(chat, user, session, statuses=(KICKED, SELF), left=True))
        if occupants.pop(user, None) is not None:
            self._tell_presence(chat, user, statuses=(KICKED,), left=True)
            if not occupants:
                del self._rooms[chat]

    def access_changed(self, chat: Chat, user: User) -> None:
        """Remove a member who may not read any more from the room; tell everyone in it the role of another."""
        if not chat.access(user) & READ:
            self.left(chat, user)
        elif user in self.occupants(chat):
            self._tell_presence(chat, user)

    def chat_deleted(self, chat: Chat) -> None:
        """Destroy the room of a deleted chat."""
        self.looks.pop(chat, None)
        self.moderation.bans.pop(chat, None)
        for user, sessions in self._rooms.pop(chat, {}).items():
            for session in sessions:
                session.chats.discard(chat)
                gone = self._presence(chat, user, session, left=True)
                item, destroyed = (
                    element("item", MUC_USER, affiliation="none", role="none"),
                    element("destroy", MUC_USER),
                )
                gone.children = [element("x", MUC_USER, item, destroyed)]
                session.send(gone)

    def chat_changed(self, chat: Chat) -> None:
        """Notify the occupants that a chat's title, description or picture has changed."""
        change = element(
            "chat-update",
            CHANGES,
            chatName=chat.name,
            title=chat.title,
            description=chat.description,
            picture=chat.picture or "",
            usersCnt=str(len(chat.members)),
        )
        for sessions in self.occupants(chat).values():
            for session in sessions:
                _headline(session, session.room(chat), change)

    def user_changed(self, user: User) -> None:
        """Notify the user, and everyone who shares a room with them once, that the profile has changed."""
        change = element(
            "user-update",
            CHANGES,
            xmppUsername=user.xmpp_username,
            firstName=user.first_name,
            lastName=user.last_name,
            photoURL=user.profile_image or "",
            description=user.profile.description,
        )
        told = dict.fromkeys(self.sessions_of(user))
        for chat in user.chats if told or self._rooms else ():
            for sessions in self.occupants(chat).values():
                told |= sessions
        for session in told:
            _headline(session, f"{user.xmpp_username}@{session.domain}", change)


def affiliation(chat: Chat, user: User) -> str:
    """Return the affiliation of a user with a room."""
    if user not in chat.members:
        return "none"
    return "owner" if chat.access(user) & OWNER else "member"


def role(chat: Chat, user: User) -> str:
    """Return the role of a user in a room."""
    access = chat.access(user)
    if access & OWNER:
        return "moderator"
    return "participant" if access & WRITE else "visitor"


def _headline(session: XmppSession, sender: str, change: Element) -> None:
    session.send(Element("message", CLIENT, {"type": "headline", "from": sender, "to": session.jid}, [change]))
