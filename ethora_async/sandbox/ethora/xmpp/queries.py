"""Queries and settings of clients: every `<iq>` except history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from ethora_async.sandbox.ethora.grants import READ
from ethora_async.sandbox.ethora.names import folded
from ethora_async.sandbox.ethora.xmpp import moderation_queries as moderation
from ethora_async.sandbox.ethora.xmpp import namespaces as ns
from ethora_async.sandbox.ethora.xmpp.addresses import CONFERENCE, Address
from ethora_async.sandbox.ethora.xmpp.archive import history
from ethora_async.sandbox.ethora.xmpp.elements import Element, element
from ethora_async.sandbox.ethora.xmpp.hub import affiliation, role
from ethora_async.sandbox.ethora.xmpp.paging import MOST, USUAL, Page, page_set
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError
from ethora_async.sandbox.ethora.xmpp.rooms import find_chat, find_room, require_owner, require_reader, room_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ethora_async.sandbox.ethora.records import Chat, User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

MAX_PRIVATE: Final = 32
"""The largest number of items in a user's private storage."""
_NO_LOOK: Final = ("none", "none")
_SERVER_FEATURES: Final = (ns.DISCO_INFO, ns.DISCO_ITEMS, ns.PING, ns.PRIVATE, ns.MAM)
_ROOM_FEATURES: Final = (ns.MUC, ns.MAM, ns.RSM, ns.STANZA_ID)


class Query(Protocol):
    """Answers one kind of query: the children of the result."""

    def __call__(self, hub: Hub, session: XmppSession, iq: Element, query: Element, /) -> list[Element]:
        """Reply, or raise a StanzaError."""
        ...


def receive(hub: Hub, session: XmppSession, iq: Element) -> None:
    """Answer a query.

    Raises:
        StanzaError: it cannot be answered.
    """
    kind = iq.get("type")
    if kind in ("result", "error"):
        return  # the server asks nothing
    children = list(iq.elements)
    if kind not in ("get", "set") or not iq.get("id") or len(children) != 1:
        raise StanzaError("bad-request", "A query has an id, the type get or set, and one child")
    answer = _KINDS.get((kind, children[0].xmlns, children[0].name))
    _check_addressee(hub, session, iq.get("to"), answer)
    if answer is None:
        raise StanzaError("service-unavailable")
    result = answer(hub, session, iq, children[0])
    given = {"type": "result", "id": iq.get("id"), "to": session.jid}
    if iq.get("to"):
        given["from"] = iq.get("to")
    session.send(Element("iq", ns.CLIENT, given, [*result]))


def _check_addressee(hub: Hub, session: XmppSession, to: str, answer: Query | None) -> None:
    """Check that there is somebody at this address who answers such a query.

    A room's occupants are reached from inside only, and for them the server answers pings alone: so clients ask whether
    they are still in a room (XEP-0410).
    """
    address = Address.read(to) if to else None
    if address is None or not address.of_room:
        if answer is _ping and to.startswith(CONFERENCE):
            raise StanzaError("service-unavailable")
        return
    if not address.resource:
        if answer is _ping:
            raise StanzaError("service-unavailable")
        return
    chat = find_chat(session, address.local)
    if chat not in session.chats:
        raise StanzaError("not-acceptable", "Only occupants are allowed to send queries to the conference")
    if not any(folded(user.xmpp_username) == folded(address.resource) for user in hub.occupants(chat)):
        raise StanzaError("item-not-found", "There is no such occupant")
    if answer is not _ping:
        raise StanzaError("service-unavailable")


def _ping(*_: Any) -> list[Element]:
    return []


def _nothing(*_: Any) -> list[Element]:
    return []


def _private_get(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    _require_own(session, iq.get("to"))
    # Leave out items that were never stored: the published front end fails on an empty element.
    stored = hub.private.get(session.user, {})
    found = [stored[key] for key in ((child.xmlns, child.name) for child in query.elements) if key in stored]
    return [element("query", ns.PRIVATE, *found)]


def _require_own(session: XmppSession, to: str) -> None:
    local = Address.read(to).local if to else ""
    if local and folded(local) != folded(session.nick):
        raise StanzaError("forbidden", "Private storage is its owner's alone")


def _private_set(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    _require_own(session, iq.get("to"))
    stored = hub.private.setdefault(session.user, {})
    fresh = {(child.xmlns, child.name): child for child in query.elements}
    if len(stored.keys() | fresh.keys()) > MAX_PRIVATE:
        raise StanzaError("resource-constraint", f"At most {MAX_PRIVATE} items are stored")
    stored |= fresh
    seen = fresh.get(("chatjson:store", "chatjson"))
    if seen is not None:
        _mark_read(session.user, seen.get("value"))
    return []


def _mark_read(user: User, value: str) -> None:
    """Store when a front end last showed each room: `{"room jid": "milliseconds"}`. REST's unread counts follow."""
    try:
        times = orjson.loads(value.encode("utf-8", "replace"))
    except ValueError:
        return
    for jid, shown in times.items() if isinstance(times, dict) else ():
        chat = room_of(user.app, jid.partition("@")[0])
        if (
            chat is not None
            and user in chat.members
            and chat.messages
            and str(shown).isascii()
            and str(shown).isdigit()
        ):
            chat.conversation.mark_read(user, int(str(shown)[:15]) * 1000)


def _rooms(hub: Hub, session: XmppSession, _: Element, query: Element) -> list[Element]:
    chats = [chat for chat in session.user.chats if chat.exists and chat.access(session.user) & READ]
    rows = [_room_row(hub, session, chat) for chat in chats]
    return [_paged(query, rows, lambda row: row.get("jid"), len(rows))]


def _room_row(hub: Hub, session: XmppSession, chat: Chat) -> Element:
    background, thumbnail = hub.looks.get(chat, _NO_LOOK)
    return element(
        "room",
        ns.ROOMS,
        jid=session.room(chat),
        name=chat.title,
        users_cnt=str(len(chat.members)),
        room_background=background,
        room_thumbnail=thumbnail,
    )


def _room_profile(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    chat = find_room(session, query.get("room") or iq.get("to"))
    require_owner(session, chat)
    background, thumbnail = hub.looks.get(chat, _NO_LOOK)
    hub.looks[chat] = (query.get("room_background") or background, query.get("room_thumbnail") or thumbnail)
    return []


def _room_last(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    chat = find_room(session, query.get("room") or iq.get("to"))
    require_reader(session, chat)
    spoke = {message.sender: message.sent_at for message in chat.messages}
    rows = [_activity(session, chat, user, spoke.get(user, user.updated_at)) for user in chat.members]
    now = hub.platform.clock()
    for row, user in zip(rows, chat.members, strict=True):
        row.attributes["ban_status"] = "ban" if hub.moderation.is_banned(chat, user, now) else "clear"
    return [_paged(query, rows, lambda row: row.get("jid"), USUAL)]


def _activity(session: XmppSession, chat: Chat, user: User, last: float) -> Element:
    row = element(
        "activity",
        ns.ROOM_LAST,
        jid=f"{user.xmpp_username}@{session.domain}",
        name=f"{user.first_name} {user.last_name}".strip(),
        role=role(chat, user),
        ban_status="clear",
        last_active=str(int(last)),
    )
    if user.profile_image:
        row.attributes["profile"] = user.profile_image
    return row


def _paged(query: Element, rows: Sequence[Element], key: Callable[[Element], str], usual: int) -> Element:
    """Return a result of rows: the requested page, or else the first `usual` rows."""
    answer = Element(query.name, query.xmlns, {}, [*rows[:usual]])
    if query.has("set", ns.RSM):
        page, ids = Page.read(query), [key(row) for row in rows]
        start, end = page.index or 0, len(rows)
        if page.after:
            start = ids.index(page.after) + 1 if page.after in ids else end
        if page.before:
            end = ids.index(page.before) if page.before in ids else start
        if page.before is not None:
            start = max(start, end - page.size)
        chosen = slice(start, min(end, start + page.size))
        answer.children = [*rows[chosen], page_set(ids[chosen], len(rows), start)]
    return answer


def _information(_: Hub, session: XmppSession, iq: Element, __: Element) -> list[Element]:
    to = iq.get("to") or session.bare
    if to == session.domain:
        return [_described("server", "im", "Ethora sandbox", _SERVER_FEATURES)]
    if to.startswith(CONFERENCE) and "@" not in to:
        return [_described("conference", "text", "Chatrooms", (ns.MUC, ns.DISCO_INFO, ns.DISCO_ITEMS))]
    if not Address.read(to).of_room:
        if to.partition("/")[0] == session.bare:
            return [_described("account", "registered", session.nick, (ns.PRIVATE, ns.MAM))]
        raise StanzaError("service-unavailable")
    chat = find_room(session, to)
    if chat.type != "public":
        require_reader(session, chat)
    answer = _described("conference", "text", chat.title, _ROOM_FEATURES)
    answer.children.append(
        _form(
            "result",
            "http://jabber.org/protocol/muc#roominfo",
            {
                "muc#roominfo_description": chat.description,
                "muc#roominfo_occupants": str(len(chat.members)),
            },
        )
    )
    return [answer]


def _described(category: str, kind: str, name: str, features: Sequence[str]) -> Element:
    identity = element("identity", ns.DISCO_INFO, category=category, type=kind, name=name)
    known = [element("feature", ns.DISCO_INFO, var=feature) for feature in features]
    return element("query", ns.DISCO_INFO, identity, *known)


def _form(type_: str, kind: str, values: dict[str, str]) -> Element:
    fields = [
        element("field", ns.DATA_FORM, element("value", ns.DATA_FORM, value), var=name)
        for name, value in values.items()
    ]
    hidden = element("field", ns.DATA_FORM, element("value", ns.DATA_FORM, kind), var="FORM_TYPE", type="hidden")
    return element("x", ns.DATA_FORM, hidden, *fields, type=type_)


def _items(_: Hub, session: XmppSession, iq: Element, __: Element) -> list[Element]:
    to, answer = iq.get("to"), element("query", ns.DISCO_ITEMS)
    if to == session.domain:
        answer.children.append(element("item", ns.DISCO_ITEMS, jid=f"{CONFERENCE}{session.domain}"))
    elif to == f"{CONFERENCE}{session.domain}":
        public = [chat for chat in session.user.app.chats if chat.type == "public"][:MOST]
        answer.children += [element("item", ns.DISCO_ITEMS, jid=session.room(chat), name=chat.title) for chat in public]
    return [answer]


def _configuration(_: Hub, session: XmppSession, iq: Element, __: Element) -> list[Element]:
    chat = find_room(session, iq.get("to"))
    require_owner(session, chat)
    values = {"muc#roomconfig_roomname": chat.title, "muc#roomconfig_roomdesc": chat.description}
    return [element("query", ns.MUC_OWNER, _form("form", "http://jabber.org/protocol/muc#roomconfig", values))]


def _configure(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    chat = find_room(session, iq.get("to"))
    require_owner(session, chat)
    if query.has("destroy"):
        raise StanzaError("not-allowed", "Chats are deleted over REST")
    form = query.find("x", ns.DATA_FORM)
    fields = {} if form is None else {child.get("var"): child.text_of("value") or "" for child in form.elements}
    title = fields.get("muc#roomconfig_roomname", chat.title)
    if not title:
        raise StanzaError("not-acceptable", "A chat has a title")
    description = fields.get("muc#roomconfig_roomdesc", chat.description)
    if (title, description) != (chat.title, chat.description):
        chat.title, chat.description, chat.updated_at = title, description, hub.platform.clock()
        hub.platform.store.chat_changed(chat)
    return []


def _subscribe(_: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    chat = find_room(session, iq.get("to"))
    if affiliation(chat, session.user) == "none":
        raise StanzaError("forbidden")
    return [query]


_KINDS: Final[dict[tuple[str, str, str], Query]] = {
    ("get", ns.PING, "ping"): _ping,
    ("set", ns.SESSION, "session"): _nothing,
    ("set", ns.VCARD, "vCard"): _nothing,
    ("get", ns.PRIVATE, "query"): _private_get,
    ("set", ns.PRIVATE, "query"): _private_set,
    ("get", ns.ROOMS, "query"): _rooms,
    ("set", ns.ROOM_PROFILE, "query"): _room_profile,
    ("get", ns.ROOM_PROFILE, "query"): _room_profile,
    ("get", ns.ROOM_LAST, "query"): _room_last,
    ("get", ns.DISCO_INFO, "query"): _information,
    ("get", ns.DISCO_ITEMS, "query"): _items,
    ("get", ns.MUC_OWNER, "query"): _configuration,
    ("set", ns.MUC_OWNER, "query"): _configure,
    ("set", ns.MUC_SUBSCRIPTIONS, "subscribe"): _subscribe,
    ("set", ns.BAN, "query"): moderation.ban,
    ("get", ns.BAN, "query"): moderation.ban,
    ("set", ns.BLOCK, "query"): moderation.block,
    ("set", ns.UNBLOCK, "query"): moderation.unblock,
    ("get", ns.BLOCKLIST, "query"): moderation.blocklist,
    ("get", ns.MAM, "query"): history,
    ("set", ns.MAM, "query"): history,
}
