"""The ways in which a source of secrets can fail to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BadProviderURLError",
    "SecretDeniedError",
    "SecretError",
    "SecretMalformedError",
    "SecretNotFoundError",
    "SecretUnavailableError",
]


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


class SecretUnavailableError(SecretError):
    """This source cannot answer now, or holds nothing; a chain tries the next one."""


class SecretDeniedError(SecretError):
    """The source answered "no": its permissions need mending; a chain stops here."""


class SecretMalformedError(SecretError):
    """The source answered something unreadable (the text says where); a chain stops here."""


class SecretNotFoundError(SecretError):
    """A bundle lacks the name asked for: `name` is that name, `names` what there is instead, sorted."""

    def __init__(self, message: str, source: str = "", name: str = "", names: tuple[str, ...] = ()) -> None:
        super().__init__(message, source)
        self.args: tuple[Any, ...] = (message, source, name, names)
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


class BadProviderURLError(SecretError, ValueError):
    """A provider URL cannot be used as written; the text repeats its scheme, if known, and nothing else of it."""
