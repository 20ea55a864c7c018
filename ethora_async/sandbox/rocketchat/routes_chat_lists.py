"""Lists of messages: threads, discussions, mentioned, starred, pinned, deleted, found.

See docs/platforms/rocketchat.md#message-lists.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import moment, read_iso
from ethora_async.sandbox.rocketchat.errors import MeteorError, failure, not_allowed
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, NUMBER, TEXT, closed, maybe
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import Message, Room
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
SECTION = "message-lists"
FROM = re.compile(r"from:(\S+)")
PAGED = {"count": maybe(NUMBER), "offset": maybe(NUMBER), "sort": maybe(TEXT)}
BY_ROOM = closed({"roomId": FILLED}, PAGED)


def _room(call: Call, key: str = "roomId") -> Room:
    room = call.platform.store.rooms.with_id(call.query[key])
    if room is None or not may_read(call.user, room):
        raise not_allowed()
    return room


def _thread(call: Call) -> tuple[Room, Message]:
    for room in call.platform.store.rooms:
        message = room.messages.get(call.query["tmid"])
        if message is not None and may_read(call.user, room):
            return room, message
    raise MeteorError("error-invalid-message", "Invalid Message")


def _moment(call: Call, name: str) -> float:
    when = read_iso(call.query[name])
    if when is None:
        raise MeteorError(f"error-{name}-param-invalid", f'The "{name}" query parameter must be a valid date.')
    return when


def _list_route(name: str, wanted: Callable[[Call, Message], bool]) -> None:
    def listing(call: Call) -> Reply:
        found = [message for message in _room(call).messages.values() if wanted(call, message)]
        return call.listing("messages", found[::-1], message_shape)

    ROUTES.add("GET", name, section=SECTION, query=BY_ROOM)(listing)


def _mentions_caller(call: Call, message: Message) -> bool:
    return any(mention["_id"] == call.user.id for mention in message.mentions)


_list_route("chat.getPinnedMessages", lambda _, message: message.pinned_at is not None)
_list_route("chat.getStarredMessages", lambda call, message: call.user.id in message.starred)
_list_route("chat.getMentionedMessages", _mentions_caller)


@ROUTES.add(
    "GET",
    "chat.getDiscussions",
    section=SECTION,
    query=closed({"roomId": FILLED}, {"text": TEXT, "offset": NUMBER, "count": NUMBER}),
)
def discussions(call: Call) -> Reply:
    """List the messages of a room that represent its discussions."""
    text = (call.query.get("text") or "").lower()
    found = [
        message for message in _room(call).messages.values() if "drid" in message.extra and text in message.text.lower()
    ]
    return call.listing("messages", found[::-1], message_shape)


@ROUTES.add("GET", "chat.getDeletedMessages", section=SECTION, query=closed({"roomId": FILLED, "since": FILLED}, PAGED))
def deleted(call: Call) -> Reply:
    """List the ids of messages deleted since a time."""
    since = _moment(call, "since")
    found = [gone for gone in _room(call).deleted if gone.at > since]
    return call.listing("messages", found, lambda gone: {"_id": gone.id})


@ROUTES.add(
    "GET",
    "chat.search",
    section=SECTION,
    query=closed({"roomId": TEXT, "searchText": TEXT}, {"count": maybe(NUMBER), "offset": maybe(NUMBER)}),
)
def search(call: Call) -> Reply:
    """Find messages of a room that contain a text."""
    text = call.query["searchText"].strip().lower()
    if not text:
        raise failure('The required "searchText" param is missing.')
    author = FROM.fullmatch(text)

    def hit(message: Message) -> bool:
        if message.kind is not None:
            return False
        return message.username.lower() == author[1] if author else text in message.text.lower()

    found = [message for message in _room(call).messages.values() if hit(message)]
    cut, _ = call.page(found[::-1])
    return success(messages=[message_shape(message) for message in cut])


@ROUTES.add(
    "GET",
    "chat.getThreadsList",
    section=SECTION,
    query=closed(
        {"rid": TEXT},
        {
            "type": maybe({"type": "string", "enum": ["following", "unread"]}),
            **dict.fromkeys(("text", "query", "fields"), maybe(TEXT)),
            **PAGED,
        },
    ),
)
def threads(call: Call) -> Reply:
    """List the first messages of threads, the last answered first."""
    room = _room(call, "rid")
    member = room.members.get(call.user.id)
    unread = member.unread_threads if member is not None else []
    text = (call.query.get("text") or "").lower()
    kinds: dict[Any, Callable[[Message], bool]] = {
        "following": lambda message: call.user.id in message.followers,
        "unread": lambda message: message.id in unread,
    }
    wanted = kinds.get(call.query.get("type"))
    found = [
        message
        for message in room.messages.values()
        if message.thread_last is not None and (wanted is None or wanted(message)) and text in message.text.lower()
    ]
    found.sort(key=lambda message: message.thread_last or 0.0, reverse=True)
    return call.listing("threads", found, message_shape)


@ROUTES.add(
    "GET",
    "chat.getThreadMessages",
    section=SECTION,
    query=closed({"tmid": FILLED}, {**PAGED, "aroundId": maybe(FILLED)}),
)
def thread(call: Call) -> Reply:
    """List the answers in a thread, the oldest first."""
    room, parent = _thread(call)
    found = [message for message in room.messages.values() if message.extra.get("tmid") == parent.id]
    return call.listing("messages", found, message_shape)


@ROUTES.add("GET", "chat.syncThreadsList", section=SECTION, query=closed({"rid": FILLED, "updatedSince": TEXT}))
def sync_threads(call: Call) -> Reply:
    """Return the changed and deleted threads of a room since a time."""
    room, since = _room(call, "rid"), _moment(call, "updatedSince")
    changed = [
        message for message in room.messages.values() if message.thread_last is not None and message.updated_at > since
    ]
    return success(threads=_changes(room, changed, since))


@ROUTES.add(
    "GET", "chat.syncThreadMessages", section=SECTION, query=closed({"tmid": FILLED, "updatedSince": TEXT}, PAGED)
)
def sync_thread(call: Call) -> Reply:
    """Return the changed and deleted answers of a thread since a time."""
    room, parent = _thread(call)
    since = _moment(call, "updatedSince")
    changed = [
        message
        for message in room.messages.values()
        if message.extra.get("tmid") == parent.id and message.updated_at > since
    ]
    return success(messages=_changes(room, changed, since))


def _changes(room: Room, changed: list[Message], since: float) -> dict[str, Any]:
    gone = [{"_id": one.id, "_deletedAt": moment(one.at)} for one in room.deleted if one.at > since]
    return {"update": [message_shape(message) for message in changed], "remove": gone}
