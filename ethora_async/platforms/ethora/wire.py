"""Convert records to Ethora's request bodies, and replies to records.

See docs/platforms/ethora.md#users, #sessions, #chats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.codec import Codec
from ethora_async.records import Chat, NewChat, NewUser, User, record_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ethora_async.platforms.ethora.names import Names
    from ethora_async.request import Origin

    T = TypeVar("T")

_TYPE_OF_ACCESS = {"private": "group", "public": "public"}
_LIST_KEYS = ("items", "results")
"""Keys of lists, the most specific first; older and newer routes differ (docs/platforms/ethora.md#listing-users)."""

_TIMES = {"record_id": "_id", "created_at": "createdAt", "updated_at": "updatedAt"}

codec: Codec = Codec()
codec.add(
    User,
    {
        "first_name": "firstName",
        "last_name": "lastName",
        "profile_image": "profileImage",
        "xmpp_username": "xmppUsername",
        **_TIMES,
    },
)
codec.add(Chat, {"member_count": "usersCnt", **_TIMES})


def user_body(user: NewUser, id: str) -> dict[str, Any]:
    """Return one row of ``usersList``: the plain `id`, and only the fields that the platform supports.

    See docs/platforms/ethora.md#users-batch.
    """
    row: dict[str, Any] = {
        "uuid": id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
    }
    if user.password is not None:
        row["password"] = user.password
    if user.profile_image:
        row["profileImage"] = user.profile_image
    return row


def chat_body(chat: NewChat, names: Names) -> dict[str, Any]:
    """Return the body of a chat's creation: `access` as the wire's `type`, members prefixed.

    See docs/platforms/ethora.md#chats.
    """
    body: dict[str, Any] = {
        "uuid": names.own(chat.id),
        "title": chat.title,
        "type": _TYPE_OF_ACCESS[chat.access],
    }
    if chat.description is not None:
        body["description"] = chat.description
    if chat.members:
        body["members"] = names.members(chat.members)
    return body


def read_user(data: Any, names: Names, *, origin: Origin, path: str = "reply") -> User:
    """Read a user record.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return codec.read(_user_fields(data, names), User, origin=origin, path=path)


def read_chat(data: Any, names: Names, *, origin: Origin, path: str = "reply") -> Chat:
    """Read a chat record, with its members if it lists them.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    if isinstance(data, dict):
        name = data.get("name")
        local = name.partition("@")[0] if isinstance(name, str) else None
        plain = names.strip(local) if local else None
        data = data.copy()
        _mark_record_id(data)
        data["id"], data["name"] = plain, names.prefix + plain if plain else None
        members = data.get("members")
        if isinstance(members, list):
            data["members"] = [_user_fields(member, names) for member in members]
    return codec.read(data, Chat, origin=origin, path=path)


def read_chats(data: Any, names: Names, *, origin: Origin) -> tuple[tuple[Chat, ...], int | None]:
    """Read the chats of a listing, and its total."""
    return read_list(
        data,
        ("chats",),
        lambda row, path: read_chat(row, names, origin=origin, path=path),
        origin=origin,
    )


def read_users(data: Any, names: Names, *, origin: Origin) -> tuple[tuple[User, ...], int | None]:
    """Read the users of a listing, and its total."""
    return read_list(
        data,
        ("users",),
        lambda row, path: read_user(row, names, origin=origin, path=path),
        origin=origin,
    )


def read_list(
    data: Any, keys: tuple[str, ...], read: Callable[[Any, str], T], *, origin: Origin
) -> tuple[tuple[T, ...], int | None]:
    """Read the items of a listing and its total: under `items`, `results` or one of `keys`, or the reply itself.

    Raises:
        ReplyLostError: there is no list, or one of its items has an unexpected shape.
    """
    rows, path, total = list_in(data, keys, origin=origin)
    return tuple(read(row, f"{path}[{index}]") for index, row in enumerate(rows)), total


def list_in(data: Any, keys: tuple[str, ...], *, origin: Origin) -> tuple[list[Any], str, int | None]:
    """Return the list of a listing, its path in the reply and its total; see `read_list`.

    Raises:
        ReplyLostError: there is no list.
    """
    key, rows = "", data
    if isinstance(data, dict):
        key = _list_key(data, keys)
        rows = data.get(key)
    if not isinstance(rows, list):
        msg = f"the platform's reply has an unexpected shape: no list under any of {', '.join((*_LIST_KEYS, *keys))}"
        raise origin.lost(msg)
    return rows, f"reply.{key}" if key else "reply", _total(data)


def holds_list(data: Any, *keys: str) -> bool:
    """Return whether this is a listing: a list, or an object with one under `items`, `results` or one of `keys`."""
    return isinstance(data, list) or (isinstance(data, dict) and bool(_list_key(data, keys)))


def _list_key(data: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in _LIST_KEYS + keys:
        if key in data and isinstance(data[key], list):
            return key
    return ""


def result(data: Any) -> Any:
    """Return the value under ``result``, else the reply itself."""
    return data["result"] if isinstance(data, dict) and isinstance(data.get("result"), dict) else data


def _total(data: Any) -> int | None:
    if not isinstance(data, dict):
        return None
    pagination = data.get("pagination")
    for holder in (data, pagination if isinstance(pagination, dict) else {}):
        total = holder.get("total")
        if isinstance(total, int) and not isinstance(total, bool):
            return total
    return None


def _user_fields(data: Any, names: Names) -> Any:
    if not isinstance(data, dict):
        return data
    fields = data.copy()
    _mark_record_id(fields)
    uuid = fields.pop("uuid", None)
    name = fields.get("xmppUsername")
    plain = names.strip(name.partition("@")[0]) if isinstance(name, str) and name else None
    if plain is not None:
        fields["xmppUsername"] = names.prefix + plain
    # The name of a user created without a uuid is the record id (docs/platforms/ethora.md#names-and-ids).
    own = names.strip(uuid) if isinstance(uuid, str) and uuid else plain or data.get("_id")
    if own is not None:
        fields["id"] = own
    return fields


def _mark_record_id(fields: dict[str, Any]) -> None:
    stated = fields.get("_id")
    if isinstance(stated, str):
        fields["_id"] = record_id(stated)
