"""Tokens that are opaque to clients: app tokens and API keys (docs/platforms/ethora.md#token-kinds).

Values are returned once; only their SHA-256 is stored.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import attrs

from ethora_async.sandbox.ethora.sessions import Session

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import AppToken, User


@attrs.define(eq=False)
class ApiKey:
    """An API key: it has the rights of its user's token, through a separate session."""

    id: str
    session: Session
    name: str
    created_at: float
    expires_at: float
    revoked: bool = False


class Credentials:
    """All opaque tokens, found by value."""

    def __init__(self) -> None:
        self._holders: dict[bytes, AppToken | ApiKey] = {}

    def hand_out(self, holder: AppToken | ApiKey) -> str:
        """Return the value of a new credential; no later call returns it."""
        value = secrets.token_urlsafe(32)
        self._holders[_digest(value)] = holder
        return value

    def holder_of(self, value: str) -> AppToken | ApiKey | None:
        """Return the credential of a value, revoked or not; None for any other value."""
        return self._holders.get(_digest(value))

    def keys_of(self, user: User) -> list[ApiKey]:
        """Return the API keys of a user that are not revoked, oldest first."""
        keys = (holder for holder in self._holders.values() if isinstance(holder, ApiKey))
        return [key for key in keys if key.session.user is user and not key.revoked]


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
