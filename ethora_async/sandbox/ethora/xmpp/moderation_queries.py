"""Queries about bans and blocked users (docs/platforms/ethora.md#realtime)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ethora_async.sandbox.ethora.xmpp import namespaces as ns
from ethora_async.sandbox.ethora.xmpp.addresses import Address
from ethora_async.sandbox.ethora.xmpp.elements import Element, element
from ethora_async.sandbox.ethora.xmpp.moderation import Ban
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError
from ethora_async.sandbox.ethora.xmpp.rooms import find_room, require_owner

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import User
    from ethora_async.sandbox.ethora.xmpp.hub import Hub
    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

LONGEST: Final = 10**10
"""Seconds that a ban may last at most."""
MOST_BLOCKED: Final = 1_000


def ban(hub: Hub, session: XmppSession, iq: Element, query: Element) -> list[Element]:
    """Ban a user in a room, end a ban, or list the bans; only the owner may."""
    action = query.get("action")
    if query.get("type") == "all":
        raise StanzaError("forbidden", "Only the platform bans users in all rooms")
    if action not in ("ban", "unban", "get_list") or query.get("type") not in ("", "room"):
        raise StanzaError("bad-request", "The action is ban, unban or get_list, the type room")
    chat = find_room(session, query.get("room") or iq.get("to"))
    require_owner(session, chat)
    bans = hub.moderation.bans.setdefault(chat, {})
    now = hub.platform.clock()
    if action == "get_list":
        live = [(user, one) for user, one in bans.items() if hub.moderation.is_banned(chat, user, now)]
        return [element("query", ns.BAN, *(_banned(session, user, one) for user, one in live))]
    user = _named(session, query.get("user"))
    if action == "unban":
        if bans.pop(user, None) is None:
            raise StanzaError("item-not-found", "The user is not banned in this room")
        return []
    if chat.creator is user:
        raise StanzaError("not-allowed", "The owner cannot be banned")
    bans[user] = Ban(_until(query.get("time"), now), query.get("comment"))
    return []


def block(hub: Hub, session: XmppSession, _: Element, query: Element) -> list[Element]:
    """Add a user to the list of those whom the session's user has blocked."""
    user = _named(session, query.get("user"))
    own = hub.moderation.blocked.setdefault(session.user, {})
    if user is session.user:
        raise StanzaError("not-allowed", "Nobody blocks themselves")
    if user not in own and len(own) >= MOST_BLOCKED:
        raise StanzaError("resource-constraint", f"At most {MOST_BLOCKED} users are blocked")
    own.setdefault(user, hub.platform.clock())
    return []


def unblock(hub: Hub, session: XmppSession, _: Element, query: Element) -> list[Element]:
    """Remove a user from the list."""
    hub.moderation.blocked.get(session.user, {}).pop(_named(session, query.get("user")), None)
    return []


def blocklist(hub: Hub, session: XmppSession, _: Element, __: Element) -> list[Element]:
    """Return the list, oldest first."""
    own = hub.moderation.blocked.get(session.user, {})
    rows = [
        element("item", ns.BLOCKLIST, user=_jid(session, user), fullname=_name(user), date=str(int(since)))
        for user, since in own.items()
        if user.exists
    ]
    return [element("query", ns.BLOCKLIST, *rows)]


def _banned(session: XmppSession, user: User, ban: Ban) -> Element:
    until = "" if ban.until is None else str(int(ban.until))
    given = {"user": _jid(session, user), "fullname": _name(user), "time": until, "comment": ban.comment}
    return element("item", ns.BAN, **given)


def _named(session: XmppSession, text: str) -> User:
    name = Address.read(text).local if "@" in text else text
    user = session.user.app.users.find(name) if name else None
    if user is None:
        raise StanzaError("item-not-found", "There is no such user")
    return user


def _until(seconds: str, now: float) -> float | None:
    """Read the length of a ban in seconds; without one it has no end."""
    if not seconds:
        return None
    if not (seconds.isascii() and seconds.isdigit()) or len(seconds) > len(str(LONGEST)) or int(seconds) > LONGEST:
        raise StanzaError("bad-request", "The time of a ban is a number of seconds")
    return now + int(seconds)


def _jid(session: XmppSession, user: User) -> str:
    return f"{user.xmpp_username}@{session.domain}"


def _name(user: User) -> str:
    return f"{user.first_name} {user.last_name}".strip()
