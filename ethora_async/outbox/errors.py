"""Errors of the outbox, beside those of `ethora_async.errors`."""

from __future__ import annotations

from ethora_async.errors import TransportError


class OutboxDatabaseError(TransportError):
    """The outbox's database cannot be reached, or ended the connection. Workers connect again by themselves."""


__all__ = ["OutboxDatabaseError"]
