"""The protocol that every source of secrets implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ethora_async_secrets.bundle import SecretBundle


@runtime_checkable
class SecretProvider(Protocol):
    """A source of secrets: an environment, a file, a store, or several of them in order.

    Every method is safe to cancel and never blocks the event loop. `fetch` and `refresh` raise
    `SecretUnavailableError`, `SecretDeniedError` or `SecretMalformedError`. The suite in `ethora_async_secrets.testing`
    checks an implementation.
    """

    @property
    def source(self) -> str:
        """The place that this provider reads, for messages and logs; contains no secret."""
        ...

    async def fetch(self) -> SecretBundle:
        """Return the current bundle; may answer from the provider's own cache."""
        ...

    async def refresh(self) -> SecretBundle:
        """Return the bundle that the store holds now, bypassing every cache."""
        ...

    def invalidate(self, version: str) -> None:
        """Forget the cached bundle if it still has `version`, so that the next `fetch` reads the store.

        Does nothing for another version, so any number of late rejections of an old one cost one read. Never blocks.
        """
        ...

    async def aclose(self) -> None:
        """Close connections and tasks. Safe to call more than once."""
        ...
