"""Read listed users for a comparison: of most, only the compared fields are needed, and no `User` is made."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ethora_async.capabilities import ListedUser
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.names import is_simple
from ethora_async.platforms.ethora.platform_records import OwnUsers
from ethora_async.platforms.ethora.sync_support import comparable_user
from ethora_async.records import record_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.platforms.ethora.names import Names
    from ethora_async.records import User
    from ethora_async.request import Origin

_TEXTS = ("email", "firstName", "lastName", "profileImage", "_id")
_TIMES = ("createdAt", "updatedAt")


def read_compared(
    data: Any, names: Names, reserved: Callable[[User], bool], *, origin: Origin
) -> tuple[tuple[ListedUser, ...], int | None]:
    """Read the users of a listing, and its total.

    Raises:
        ReplyLostError: as `wire.read_users`.
    """

    def read(row: Any, path: str) -> ListedUser:
        usual = _read_usual(row, names, reserved) if isinstance(reserved, OwnUsers) else None
        return usual or _of(wire.read_user(row, names, origin=origin, path=path), names, reserved)

    return wire.read_list(data, ("users",), read, origin=origin)


def _of(user: User, names: Names, reserved: Callable[[User], bool]) -> ListedUser:
    plain = str(names.shown(user.id))
    return ListedUser(user.xmpp_username or user.id, plain, names.key(plain), comparable_user(user), reserved(user))


def _read_usual(row: Any, names: Names, reserved: OwnUsers) -> ListedUser | None:
    """Return a user whose record is as most are; None for any other. `_of` gives the same."""
    if type(row) is not dict:
        return None
    get = row.get
    id, name, tags = get("uuid"), get("xmppUsername"), get("tags")
    if type(id) is not str or name != names.prefix + id or not is_simple(id) or id.startswith(names.prefix):
        return None
    email, first_name, last_name, image, record = texts = tuple(map(get, _TEXTS))
    if any(type(text) is not str and text is not None for text in texts):
        return None
    if tags is not None and (type(tags) is not list or not all(type(tag) is str for tag in tags)):
        return None
    try:
        for time in map(get, _TIMES):
            if time is not None:
                datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return None
    state = {
        "email": None if email is None else email.strip().lower(),
        "first_name": first_name,
        "last_name": last_name,
        "profile_image": image,
    }
    own = reserved.holds(id, None if record is None else record_id(record), row)
    return ListedUser(names.prefix + id, id, id.lower(), state, own)
