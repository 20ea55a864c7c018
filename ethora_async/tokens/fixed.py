"""Credentials that never change: a token that was passed in, or none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.protocols import Credential

if TYPE_CHECKING:
    from collections.abc import Mapping


class FixedCredentials:
    """Sign every request with the same headers.

    Args:
        headers: sent with each request; empty for routes that need no login.
    """

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._credential = Credential(headers or {}, "fixed")

    def peek(self) -> Credential:
        """Return the credential."""
        return self._credential

    async def acquire(self) -> Credential:
        """Return the credential."""
        return self._credential

    def accepted(self, credential: Credential) -> None:
        """Do nothing: there is no choice to remember."""

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:  # noqa: ARG002
        """Return None: there is no other credential."""
        return None

    def may_change(self) -> bool:
        """Return False: waiting brings no other credential."""
        return False
