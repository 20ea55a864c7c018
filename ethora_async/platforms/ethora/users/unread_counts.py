"""Read counts of unread messages in every shape that a reply may have, since none is public.

See docs/platforms/ethora.md#unread-counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.platforms.ethora.names import Names
    from ethora_async.request import Origin

_HOLDERS = ("results", "items", "counts", "unreadCounts", "unread", "users")
_IDS = ("userId", "uuid", "xmppUsername", "id", "_id")
_COUNTS = ("unreadCount", "unread", "count", "hasUnread", "flag", "total")


def read_unread(data: Any, names: Names, *, origin: Origin) -> dict[str, int]:
    """Return the counts by plain id; a flag counts as 0 or 1.

    Raises:
        ReplyLostError: there are none in any known shape.
    """
    holder = data.get("result", data) if isinstance(data, dict) else data
    if isinstance(holder, dict):
        holder = next((holder[key] for key in _HOLDERS if isinstance(holder.get(key), (list, dict))), None)
    if not isinstance(holder, (list, dict)):
        msg = f"the platform's reply has an unexpected shape: no counts under any of {', '.join(_HOLDERS)}"
        raise origin.lost(msg)
    return {names.strip(id.partition("@")[0]): int(count) for id, count in _pairs(holder) if count is not None}


def _pairs(holder: list[Any] | dict[str, Any]) -> Iterator[tuple[str, int | None]]:
    if isinstance(holder, dict):
        yield from ((id, _count(value)) for id, value in holder.items())
        return
    for row in holder:
        if isinstance(row, dict):
            id = next((row[key] for key in _IDS if isinstance(row.get(key), str)), None)
            if id is not None:
                yield id, _count(row)


def _count(value: Any) -> int | None:
    if isinstance(value, dict):
        value = next((value[key] for key in _COUNTS if isinstance(value.get(key), int)), None)
    return value if isinstance(value, int) else None
