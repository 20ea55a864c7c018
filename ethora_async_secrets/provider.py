"""What a source of secrets is (`SecretProvider`), and the ways it can fail to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async_secrets.bundle import SecretBundle


@runtime_checkable
class SecretProvider(Protocol):
    """A source of secrets: an environment, a file, a store, or several of them in order.

    Every method is safe to cancel and never blocks the event loop. `fetch` and `refresh` raise
    `SecretUnavailable`, `SecretDenied` or `SecretMalformed`. The suite in `ethora_async_secrets.testing`
    checks an implementation.
    """

    @property
    def source(self) -> str:
        """Where this provider looks, for messages and logs; holds no secret."""
        ...

    async def fetch(self) -> SecretBundle:
        """Return the present bundle; may answer from the provider's own cache."""
        ...

    async def refresh(self) -> SecretBundle:
        """Return the bundle the store holds now, past every cache."""
        ...

    def invalidate(self, version: str) -> None:
        """Forget the cached bundle if it still has `version`, so that the next `fetch` asks the store.

        Does nothing for another version, so any number of late rejections of an old one cost one refresh.
        Never blocks.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and tasks; may be called again."""
        ...


class SecretError(Exception):
    """Secrets could not be had; the root of this package's errors.

    Texts name sources, files and names, never a value. Errors pickle and copy; `source` says who failed.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message, source)
        self.message = message
        self.source = source

    def __str__(self) -> str:
        return self.message


class SecretUnavailable(SecretError):
    """This source cannot answer now, or holds nothing; a chain tries the next one."""


class SecretDenied(SecretError):
    """The source answered "no": its permissions need mending; a chain stops here."""


class SecretMalformed(SecretError):
    """The source answered something unreadable (the text says where); a chain stops here."""


class SecretNotFound(SecretError):
    """A bundle lacks the name asked for: `name` is that name, `names` what there is instead, sorted."""

    def __init__(self, message: str, source: str = "", name: str = "", names: tuple[str, ...] = ()) -> None:
        super().__init__(message, source)
        self.args = (message, source, name, names)
        self.name = name
        self.names = names

    @classmethod
    def missing(cls, name: str, source: str, names: Iterable[str]) -> Self:
        """Build the error for `name`, which the bundle of `source` with `names` lacks."""
        there = tuple(sorted(names))
        message = (
            f"No secret named {name!r} in {source or 'this bundle'}, "
            f"which has {', '.join(there) or 'nothing'}: "
            "add it there, or check the spelling."
        )
        return cls(message, source, name, there)


class BadProviderURL(SecretError, ValueError):
    """A provider URL cannot be used as written; the text repeats its scheme, if known, and nothing else of it."""
