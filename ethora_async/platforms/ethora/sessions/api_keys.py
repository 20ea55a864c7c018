"""``user.api_keys``: long-lived tokens of a user for programs (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.outcome import Outcome
from ethora_async.config import Seconds, seconds
from ethora_async.errors import InvalidInputError, NotFoundError
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.unpaged_lists import whole_list
from ethora_async.records import id_text, required_text
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.request import Origin

_DAY = 86_400.0
_MOST_DAYS = 365
_HOLDERS = ("result", "apiKey", "key", "item")
_VALUES = ("token", "apiKey", "key", "value", "secret", "api_key")
"""Possible places of the record and of the key itself in a reply: neither is public."""
_IDS = ("_id", "id", "keyId", "tokenId")


@attrs.frozen(kw_only=True)
class ApiKey:
    """An API key.

    Attributes:
        id: identifies it for `ApiKeys.delete`.
        value: the key itself, masked; only the reply that creates it contains it. `EthoraClient.as_user` takes it.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    name: str | None = None
    value: Secret | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


wire.codec.add(ApiKey, {"created_at": "createdAt", "expires_at": "expiresAt"})


class ApiKeys:
    """The API keys of one user."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def create(self, name: str | None = None, *, ttl: Seconds | None = None) -> ApiKey:
        """Create a key. The request is never retried: a second one would create a second key.

        Args:
            name: its display name.
            ttl: its lifetime, in whole days up to 365; by default the platform's 90.

        Returns:
            The key; its `value` is returned only this once.

        Raises:
            InvalidInputError: the ttl is not a number of whole days from 1 to 365.
        """
        data: dict[str, str | int] = {}
        if name is not None:
            data["name"] = required_text(name, "name")
        if ttl is not None:
            data["ttlDays"] = _days(ttl)
        operation = operations.CREATE_API_KEY
        app = await self._context.open()
        reply = await app.call(operation, data=data)
        key = _read(reply.data, "reply", reply.origin)
        if key.value is None:
            msg = f"the platform made API key {key.id!r}, but its reply does not show it: delete it and make another"
            raise reply.origin.lost(msg)
        return key

    def list(self) -> Pages[ApiKey]:
        """Return the user's keys, without their values."""
        operation = operations.LIST_API_KEYS

        async def read(query: dict[str, str | int]) -> tuple[tuple[ApiKey, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operation, query=query)
            return wire.read_list(
                reply.data,
                ("apiKeys", "keys", "tokens"),
                lambda row, path: _read(row, path, reply.origin),
                origin=reply.origin,
            )

        return whole_list(read, lambda key: key.id)

    async def delete(self, id: str) -> Outcome[str]:
        """Revoke a key, by its id.

        Returns:
            An outcome ``deleted``, or ``absent`` when there was no such key.
        """
        key = id_text(id)
        app = await self._context.open()
        try:
            reply = await app.call(operations.DELETE_API_KEY, path={"key": key})
        except NotFoundError as error:
            return Outcome(key, key, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(key, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)


def _days(ttl: Seconds) -> int:
    days = seconds(ttl, "ttl") / _DAY
    if days != int(days) or days > _MOST_DAYS:
        msg = f"ttl must be a number of whole days from 1 to {_MOST_DAYS}, such as timedelta(days=90)"
        raise InvalidInputError(msg, field="ttl")
    return int(days)


def _read(data: Any, path: str, origin: Origin) -> ApiKey:
    if isinstance(data, dict):
        holder = next((name for name in _HOLDERS if isinstance(data.get(name), dict)), None)
        fields: dict[str, Any] = {name: value for name, value in data.items() if name != holder}
        fields |= data[holder] if holder else {}
        id = next((fields.pop(name) for name in _IDS if fields.get(name)), None)
        values = [fields.pop(name) for name in _VALUES if isinstance(fields.get(name), str)]
        data = {**fields, "id": id, "value": values[0] if values else None}
    return wire.codec.read(data, ApiKey, origin=origin, path=path)
