"""Recognise the platform's own users and chats, which are never planned, deleted or counted.

See docs/architecture.md#guards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.errors import ApiError, RateLimitedError, ServerFaultError, UnauthorizedError
from ethora_async.platforms.ethora import operations, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.records import Chat, User
    from ethora_async.request import Operation

_OWN_ACCOUNTS = ("owner-", "widget-")
_OWN_CHATS = frozenset({"private", "widget"})
_NAMES_A_BOT = frozenset({"xmppusername", "botxmppusername", "jid", "botjid", "userid", "botuserid"})


@attrs.frozen
class OwnUsers:
    """A test for the platform's own accounts.

    Attributes:
        bots: the names and record ids of the app's bots.
    """

    bots: frozenset[str]

    def __call__(self, user: User) -> bool:
        """Return whether a user is one of the platform's own."""
        return self.holds(user.id, user.record_id, user.extra)

    def holds(self, id: str, record_id: str | None, fields: Mapping[str, Any]) -> bool:
        """Return whether an account is the platform's own, by its ids and the reply's other fields."""
        marked = fields.get("isBot") is True or fields.get("type") == "bot"
        return marked or self.has_id(id) or record_id in self.bots

    def may_hold(
        self, ids: Sequence[str], record_ids: Sequence[str | None], fields: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Return False if `holds` is false for every one of many accounts; True tells nothing."""
        return (
            True in [one.get("isBot") for one in fields]
            or "bot" in [one.get("type") for one in fields]
            or any(map(self.has_id, ids))
            or not self.bots.isdisjoint(record_ids)
            # A record id is compared in lower case.
            or not self.bots.isdisjoint([id.lower() for id in record_ids if id is not None] if self.bots else ())
        )

    def has_id(self, id: str) -> bool:
        """Return whether an account with this id is the platform's own."""
        return id.startswith(_OWN_ACCOUNTS) or id in self.bots


async def own_users(context: AppContext, bot_jid: str | None) -> Callable[[User], bool]:
    """Return a predicate for owner accounts, widget visitors (docs/platforms/ethora.md#names-and-ids) and bots: those
    marked as bots, the one in the app's settings, and the one called `bot_jid`. One request.

    Raises:
        ChatError: the app's bot could not be read. A missing bot or route is not an error.
    """
    app = await context.open()
    stated = await _told(app, operations.GET_BOT)
    bots = frozenset(_plain_names(app, [bot_jid, *_bot_names(stated)]))

    return OwnUsers(bots)


async def own_chats(context: AppContext) -> Callable[[Chat], bool]:
    """Return a predicate for 1-1 and widget rooms, and those that belong to the app itself
    (docs/platforms/ethora.md#chats, #apps). One request.

    Raises:
        ChatError: the app's default rooms could not be read; see `own_users`.
    """
    app = await context.open()
    rooms = frozenset(_plain_names(app, _default_rooms(await _told(app, operations.GET_APP))))

    def is_own(chat: Chat) -> bool:
        return chat.type in _OWN_CHATS or chat.extra.get("isAppChat") is True or chat.id in rooms

    return is_own


async def _told(app: App, operation: Operation) -> Any:
    try:
        return wire.result((await app.call(operation)).data)
    except (UnauthorizedError, RateLimitedError, ServerFaultError):
        raise
    except ApiError:
        return None  # an app without a bot, or a server without the route: no further records to protect


def _default_rooms(data: Any) -> list[Any]:
    about = data.get("app", data) if isinstance(data, dict) else None
    rooms = about.get("defaultRooms") if isinstance(about, dict) else None
    return [room.get("jid") for room in rooms if isinstance(room, dict)] if isinstance(rooms, list) else []


def _bot_names(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        for key, value in data.items():
            if key.lower() in _NAMES_A_BOT:
                yield value
            yield from _bot_names(value)


def _plain_names(app: App, names: Sequence[Any]) -> Iterator[str]:
    for name in names:
        if isinstance(name, str) and (local := name.strip().partition("@")[0]):
            yield app.names.strip(local)


__all__ = ["OwnUsers", "own_chats", "own_users"]
