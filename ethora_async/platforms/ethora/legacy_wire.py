"""The JSON of the guide's older API, both ways (docs/platforms/ethora.md#older-guide)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.access import Access
from ethora_async.errors import ApiError, ConflictError, InvalidInputError, NotFoundError, ValidationFailedError
from ethora_async.platforms.ethora import wire
from ethora_async.records import Id, MongoId, id_text
from ethora_async.redaction import scrub, sealed

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.names import Names
    from ethora_async.records import Chat, NewChat
    from ethora_async.request import Operation, Origin, Reply

_JID_KEYS = ("jid", "chatJid", "JID", "roomJid", "name")
_EXACT_IN_JSON = 15
"""Maximum number of digits that a JSON number keeps in every language."""
_MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds: as seconds they would mean the year 5138."""


@attrs.frozen(kw_only=True)
class AccessSetting:
    """The older API's reply to an access change.

    Attributes:
        access: the current rights.
        expires_at: when they end, if they do.
        chat_jid, user_jid: the chat and the user, if the reply names them.
        extra: every other field of the reply.
    """

    access: Access
    expires_at: datetime | None = None
    chat_jid: str | None = None
    user_jid: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


def chat_body(chat: NewChat, names: Names, *, named: bool = True) -> dict[str, Any]:
    """Return the body of a chat's creation: ``access``, ``UUID`` and, although the guide has none, ``title``.

    Raises:
        InvalidInputError: the chat has members or a description, which this API does not support.
    """
    for field in ("members", "description"):
        if getattr(chat, field):
            msg = f"the older API does not accept {field} for a new chat: leave it out" + (
                ", and grant access once the chat exists" if field == "members" else ""
            )
            raise InvalidInputError(msg, field=field)
    body: dict[str, Any] = {"access": chat.access, "title": chat.title}
    return {**body, "UUID": _number_if_one(names.own(chat.id))} if named else body


def chat_reference(id: Id, names: Names, uuid_key: str) -> dict[str, Any]:
    """Return the reference to a chat: its JID, or your own id under `uuid_key`.

    Raises:
        InvalidInputError: it is empty, of the wrong type, or a `MongoId`.
    """
    plain, jid = _plain_and_jid(id, names, "chat")
    return {"chatJid": jid} if jid else {uuid_key: _number_if_one(plain)}


def user_reference(id: Id, names: Names) -> dict[str, Any]:
    """Return the reference to a user: the JID, or your own id.

    Raises:
        InvalidInputError: it is empty, of the wrong type, or a `MongoId`.
    """
    plain, jid = _plain_and_jid(id, names, "user")
    return {"userJid": jid} if jid else {"userUuid": plain}


def access_body(pair: tuple[Id, Id], rights: Access, timer: int | None, names: Names) -> dict[str, Any]:
    """Return the body that sets one user's access to one chat.

    Raises:
        InvalidInputError: the chat or the user cannot be named.
    """
    body = {
        **chat_reference(pair[0], names, "chatUuid"),
        **user_reference(pair[1], names),
        "accessCode": rights.code,
    }
    return body if timer is None else {**body, "accessTimer": timer}


def check(reply: Reply, operation: Operation) -> None:
    """Check that a reply with a 2xx status reports success: the guide defines another status inside the reply.

    Raises:
        NotFoundError, ConflictError, ValidationFailedError: it reports a failure.
    """
    data = reply.data
    if not isinstance(data, dict):
        return
    word = data.get("status")
    refused = data.get("ok") is False or data.get("success") is False
    if not refused and not (isinstance(word, str) and word.lower() in ("error", "fail", "failed", "ko")):
        return
    reason = next((data[key] for key in ("error", "message", "msg", "reason") if isinstance(data.get(key), str)), "")
    code = data.get("code") if isinstance(data.get("code"), str) else None
    raise _kind(f"{code or ''} {reason}".lower().replace("_", " "))(
        scrub(reason) or "the platform refused without saying why",
        operation=operation.name,
        status=reply.status,
        code=scrub(code) if code else None,
        attempts=reply.attempts,
        request_id=reply.request_id,
    )


def read_chat(chat: NewChat, data: Any, names: Names, *, origin: Origin) -> Chat:
    """Return the chat that was made. A JID outside the app's prefix stays whole, as the chat's id: nothing else names
    it.

    Raises:
        ReplyLostError: the reply contains no JID.
    """
    jid = _jid(data)
    fields = wire.result(data) if isinstance(data, dict) else {}
    made = wire.read_chat(
        {"title": chat.title, **fields, "type": "public" if chat.access == "public" else "group", "name": jid},
        names,
        origin=origin,
    )
    return made if jid is None or jid.startswith(names.prefix) else attrs.evolve(made, id=jid, name=jid)


def read_setting(data: Any, asked: Access, *, origin: Origin) -> AccessSetting:
    """Read the new setting; fields that the reply lacks keep the requested values."""
    fields = wire.result(data)
    fields = dict(fields) if isinstance(fields, dict) else {}
    code = fields.pop("accessCode", None)
    rights = asked
    with suppress(InvalidInputError):  # a number has lost its leading zeros
        rights = Access.parse(f"{code:04d}" if type(code) is int else code)
    return AccessSetting(
        access=rights,
        expires_at=_moment(fields.pop("expiresAt", None)),
        chat_jid=_popped_text(fields, "chatJid"),
        user_jid=_popped_text(fields, "userJid"),
        extra=sealed(fields),
        request_id=origin.request_id,
    )


def _plain_and_jid(id: Id, names: Names, field: str) -> tuple[str, str | None]:
    text = id_text(id, field)
    if isinstance(text, MongoId):
        msg = f"{field} is a MongoId, which the older API does not know: pass your own id or a JID"
        raise InvalidInputError(msg, field=field)
    local, at, host = text.partition("@")
    plain = names.lookup(local, field)
    if not at:
        return plain, None
    # Any address is passed on, even one without the app's prefix; a doubled prefix is never sent.
    return plain, f"{names.prefix if local.startswith(names.prefix) else ''}{plain}@{host}"


def _number_if_one(id: str) -> int | str:
    # The guide's UUID is an integer; other ids are sent as text.
    number = id.isascii() and id.isdigit() and len(id) <= _EXACT_IN_JSON and (id == "0" or id[0] != "0")
    return int(id) if number else id


def _kind(words: str) -> type[ApiError]:
    if "not found" in words:
        return NotFoundError
    return ConflictError if "already exist" in words else ValidationFailedError


def _jid(data: Any) -> str | None:
    holders = [data, data.get("result"), data.get("chat")] if isinstance(data, dict) else [data]
    for holder in holders:
        found = [holder.get(key) for key in _JID_KEYS] if isinstance(holder, dict) else [holder]
        for one in found:
            if isinstance(one, str) and one.strip():
                return one.strip()
    return None


def _moment(value: Any) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if type(value) in (int, float):
            return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
    return None


def _popped_text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.pop(key, None)
    return value if isinstance(value, str) and value else None
