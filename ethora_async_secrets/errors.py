"""The errors of sources of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BadProviderURLError",
    "NoSecretsError",
    "SecretDeniedError",
    "SecretError",
    "SecretMalformedError",
    "SecretNotFoundError",
    "SecretUnavailableError",
]


class SecretError(Exception):
    """Secrets could not be read; the base of this package's errors.

    Messages name sources, files and names, never a value. Errors can be pickled and copied; `source` is the source that
    failed.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message, source)
        self.message = message
        self.source = source

    def __str__(self) -> str:
        return self.message


class SecretUnavailableError(SecretError):
    """This source cannot answer now, or holds nothing; a chain asks the next one."""


class NoSecretsError(SecretUnavailableError):
    """This source answers, and holds none of the secrets: waiting does not help."""


class SecretDeniedError(SecretError):
    """The source denied access: its permissions need repair; a chain stops here."""


class SecretMalformedError(SecretError):
    """The source's answer is invalid (the message says where); a chain stops here."""


class SecretNotFoundError(SecretError):
    """A bundle lacks the requested name: `name` is that name, `names` are the available ones, sorted."""

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
    """A provider URL is invalid; the message quotes its scheme, if known, and nothing else."""
