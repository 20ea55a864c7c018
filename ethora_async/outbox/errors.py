"""Errors of the outbox, beside those of `ethora_async.errors`."""

from __future__ import annotations

from ethora_async.errors import TransportError


class OutboxDatabaseError(TransportError):
    """The outbox's database cannot be reached, or closed the connection. Workers reconnect by themselves."""


__all__ = ["OutboxDatabaseError"]
