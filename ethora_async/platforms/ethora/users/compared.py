"""Read listed users for a comparison: of most, only the compared fields are needed, and no `User` is made."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypedDict

from ethora_async.capabilities import ListedUsers
from ethora_async.codec import PartialObject, PartialReader
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.platform_records import OwnUsers
from ethora_async.platforms.ethora.sync_support import comparable_user
from ethora_async.records import record_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ethora_async.platforms.ethora.names import Names
    from ethora_async.records import User
    from ethora_async.request import Origin

_TEXTS = ("email", "firstName", "lastName", "profileImage", "_id")
_TIMES = ("createdAt", "updatedAt")
_TEXT_OR_NONE = {str, type(None)}


class _User(TypedDict, total=False):
    _id: str | None
    uuid: str | None
    xmppUsername: str | None
    email: str | None
    firstName: str | None
    lastName: str | None
    profileImage: str | None
    tags: list[str] | None
    createdAt: str | None
    updatedAt: str | None
    isBot: bool | None
    type: str | None


class _Pagination(TypedDict, total=False):
    total: int | None


class _Listing(_Pagination, total=False):
    items: list[_User] | None
    results: list[_User] | None
    users: list[_User] | None
    pagination: _Pagination | None


read_listing: PartialReader = PartialReader(_Listing)
"""Decodes a listing of users, of each user what `read_compared` looks at."""


def read_compared(
    data: Any, names: Names, reserved: Callable[[User], bool], *, origin: Origin
) -> tuple[ListedUsers, int | None]:
    """Read the users of a listing, and its total.

    Args:
        data: the reply, decoded by `read_listing` or in full.
        names: of the app.
        reserved: tells the platform's own users.
        origin: of the reply.

    Raises:
        ReplyLostError: as `wire.read_users`.
    """
    rows, path, total = wire.list_in(data, ("users",), origin=origin)
    if isinstance(reserved, OwnUsers) and (usual := _read_usual(rows, names, reserved)) is not None:
        return usual, total
    if isinstance(data, PartialObject):
        rows, path, total = wire.list_in(data.whole(), ("users",), origin=origin)

    def read(row: Any, place: str) -> ListedUsers:
        usual = _read_usual([row], names, reserved) if isinstance(reserved, OwnUsers) else None
        return usual or _of(wire.read_user(row, names, origin=origin, path=place), names, reserved)

    return _joined([read(row, f"{path}[{number}]") for number, row in enumerate(rows)]), total


def _joined(parts: Sequence[ListedUsers]) -> ListedUsers:
    ids, keys, states, own = (
        [value for part in parts for value in column(part)]
        for column in map(attrgetter, ("ids", "keys", "states", "own"))
    )
    return ListedUsers(ids, keys, states, own)


def _of(user: User, names: Names, reserved: Callable[[User], bool]) -> ListedUsers:
    plain = str(names.shown(user.id))
    return ListedUsers([plain], [names.key(plain)], [comparable_user(user)], [reserved(user)])


def _read_usual(rows: Sequence[Any], names: Names, reserved: OwnUsers) -> ListedUsers | None:
    """Return the users if the records of all are as most are, else None. `_of` gives the same, one by one.

    Checked by column, a record costs less than half of what it costs by itself.
    """
    if not {*map(type, rows)} <= {dict}:
        return None
    ids = [row.get("uuid") for row in rows]
    if not {*map(type, ids)} <= {str}:
        return None
    keys = names.own_keys(ids)
    prefix = names.prefix
    if keys is None or [row.get("xmppUsername") for row in rows] != [prefix + id for id in ids]:
        return None
    emails, first_names, last_names, images, records = texts = [[row.get(name) for row in rows] for name in _TEXTS]
    if any(not {*map(type, column)} <= _TEXT_OR_NONE for column in texts):
        return None
    tags = [row.get("tags") for row in rows]
    if not {*map(type, tags)} <= {list, type(None)}:
        return None
    if any(tags) and not {type(tag) for some in tags for tag in some or ()} <= {str}:
        return None
    try:
        for name in _TIMES:
            deque(map(datetime.fromisoformat, [time for row in rows if (time := row.get(name)) is not None]), maxlen=0)
    except (TypeError, ValueError):
        return None
    states = [
        {
            "email": None if email is None else email.strip().lower(),
            "first_name": first_name,
            "last_name": last_name,
            "profile_image": image,
        }
        for email, first_name, last_name, image in zip(emails, first_names, last_names, images, strict=True)
    ]
    if reserved.may_hold(ids, records, rows):
        own = [
            reserved.holds(id, None if record is None else record_id(record), row)
            for id, record, row in zip(ids, records, rows, strict=True)
        ]
    else:
        own = [False] * len(rows)
    return ListedUsers(ids, keys, states, own)
