"""Histories and lists of messages, and changes since a time (docs/platforms/rocketchat.md#messages)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.announce import may_read
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.encoding import milliseconds, moment, read_iso
from ethora_async.sandbox.rocketchat.errors import MeteorError, not_allowed
from ethora_async.sandbox.rocketchat.families import any_room
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import FILLED, NUMBER, TEXT, WORDS_OF_TRUTH, by_room, closed, maybe, one_of
from ethora_async.sandbox.rocketchat.shapes import message_shape

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.rocketchat.records import DeletedMessage, Message, Room
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
FLAGS = ("inclusive", "unreads", "showThreadMessages")
PAGED = {"count": NUMBER, "offset": NUMBER, "sort": TEXT}
MAYBE_PAGED = {name: maybe(schema) for name, schema in PAGED.items()}
PICKS = dict.fromkeys(("mentionIds", "starredIds", "pinned", "query"), TEXT)
CHANNEL_SPAN = {
    **dict.fromkeys(("latest", "oldest"), maybe(FILLED)),
    **dict.fromkeys(FLAGS, maybe(WORDS_OF_TRUTH)),
    **MAYBE_PAGED,
}
GROUP_SPAN = {**dict.fromkeys(("latest", "oldest", *FLAGS), maybe(TEXT)), **MAYBE_PAGED}
DIRECT_SPAN = {**dict.fromkeys(("latest", "oldest"), FILLED), **dict.fromkeys(FLAGS, WORDS_OF_TRUTH), **PAGED}


def filled_room(optional: dict[str, Any]) -> dict[str, Any]:
    """Return the form that names a room by a non-empty string."""
    return one_of(closed({"roomId": FILLED}, optional), closed({"roomName": FILLED}, optional))


def _readable(call: Call) -> Room:
    """Find the room of a call by its family, and refuse callers who may not read it."""
    room = any_room(call, call.query)
    if not may_read(call.user, room):
        raise not_allowed()
    return room


@ROUTES.add("GET", "channels.history", section="messages", query=filled_room(CHANNEL_SPAN))
@ROUTES.add("GET", "groups.history", section="messages", query=by_room(None, GROUP_SPAN))
@ROUTES.add("GET", "im.history", "dm.history", section="messages", query=closed({"roomId": FILLED}, DIRECT_SPAN))
def history(call: Call) -> Reply:
    """Return messages between `oldest` and `latest`, the newest first; booleans are strings."""
    room = _readable(call)
    latest, oldest = _time(call, "latest"), _time(call, "oldest")
    inclusive = call.query.get("inclusive") == "true"
    threads = call.query.get("showThreadMessages", "true") != "false"
    found = [
        message
        for message in room.messages.values()
        if _between(message.at, oldest, latest, inclusive=inclusive) and (threads or "tmid" not in message.extra)
    ]
    cut, _ = call.page(found[::-1])
    return success(messages=[message_shape(message) for message in cut])


@ROUTES.add("GET", "channels.messages", section="messages", query=closed({"roomId": TEXT}, {**PICKS, **MAYBE_PAGED}))
@ROUTES.add(
    "GET",
    "groups.messages",
    section="messages",
    query=by_room(None, {**PICKS, **MAYBE_PAGED, "query": maybe(TEXT)}),
)
@ROUTES.add(
    "GET",
    "im.messages",
    "dm.messages",
    section="messages",
    query=one_of(
        closed({"roomId": TEXT}, {**PICKS, **PAGED, "fields": TEXT}),
        closed({"username": TEXT}, {**PICKS, **PAGED, "fields": TEXT}),
    ),
)
def messages(call: Call) -> Reply:
    """List the messages of a room, the newest first, by pages."""
    room = _readable(call)
    return call.listing("messages", list(room.messages.values())[::-1], message_shape)


@ROUTES.add(
    "GET",
    "chat.syncMessages",
    section="messages",
    query=closed(
        {"roomId": TEXT},
        {
            **dict.fromkeys(("lastUpdate", "next", "previous"), maybe(TEXT)),
            "fromTs": TEXT,
            "count": maybe(NUMBER),
            "type": maybe({"type": "string", "enum": ["UPDATED", "DELETED"]}),
        },
    ),
)
def sync(call: Call) -> Reply:
    """Return the messages changed and deleted since a time, or pages of either by cursor."""
    room = call.room_of(call.query)
    if not may_read(call.user, room):
        raise not_allowed()
    if call.query.get("lastUpdate"):
        since = _time(call, "lastUpdate")
        return success(result={"updated": _updated(room, since), "deleted": _deleted(room, since)})
    if not call.query.get("type"):
        raise MeteorError("error-param-required", 'The "type" or "lastUpdate" parameters must be provided')
    return success(result=_cursor_page(call, room))


def _updated(room: Room, since: float | None) -> list[dict[str, Any]]:
    found = [message for message in room.messages.values() if since is None or message.updated_at > since]
    return [message_shape(message) for message in found]


def _deleted(room: Room, since: float | None) -> list[dict[str, Any]]:
    return [_deleted_shape(gone) for gone in room.deleted if since is None or gone.at > since]


def _deleted_shape(gone: DeletedMessage) -> dict[str, Any]:
    return {"_id": gone.id, "_deletedAt": moment(gone.at)}


def _cursor_page(call: Call, room: Room) -> dict[str, Any]:
    """Return one page by `next` or `previous`, which are milliseconds since 1970 as text."""
    query = call.query
    key = "updated" if query["type"] == "UPDATED" else "deleted"
    entries: list[tuple[int, dict[str, Any]]] = (
        [(milliseconds(message.updated_at), message_shape(message)) for message in _by_change(room)]
        if key == "updated"
        else [(milliseconds(gone.at), _deleted_shape(gone)) for gone in room.deleted]
    )
    after, before = _cursor(query.get("next")), _cursor(query.get("previous"))
    count = int(query.get("count") or 50)
    if before is not None:
        fitting = [entry for entry in entries if entry[0] < before]
        page = fitting[-count:]
    else:
        fitting = [entry for entry in entries if after is None or entry[0] > after]
        page = fitting[:count]
    more = len(fitting) > len(page)
    cursor = {
        "next": str(page[-1][0]) if page and (more or before is not None) else None,
        "previous": str(page[0][0]) if page and (after is not None or more) else None,
    }
    return {key: [shape for _, shape in page], "cursor": cursor}


def _by_change(room: Room) -> list[Message]:
    return sorted(room.messages.values(), key=lambda message: message.updated_at)


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise MeteorError("error-cursor-conflict", "A cursor holds milliseconds since 1970.")
    return int(text)


def _time(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if not text:
        return None
    when = read_iso(text)
    if when is None:
        raise MeteorError("error-roomId-param-invalid", f'The "{name}" query parameter must be a valid date.')
    return when


def _between(at: float, oldest: float | None, latest: float | None, *, inclusive: bool) -> bool:
    if inclusive:
        return (oldest is None or at >= oldest) and (latest is None or at <= latest)
    return (oldest is None or at > oldest) and (latest is None or at < latest)
