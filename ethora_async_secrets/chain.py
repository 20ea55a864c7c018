"""Several sources of secrets, tried in order."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal

import attrs

from ethora_async_secrets.errors import (
    NoSecretsError,
    SecretDeniedError,
    SecretError,
    SecretMalformedError,
    SecretUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ethora_async_secrets.bundle import SecretBundle
    from ethora_async_secrets.provider import SecretProvider

Outcome = Literal["answered", "unavailable", "denied", "malformed", "failed"]


@attrs.frozen
class Attempt:
    """The result of one source: its `outcome`, the error's message as `detail`, and its sorted `names`.

    `failed` means an error that is not a `SecretError`; `detail` is then only the name of its class, since its message
    may contain secrets. `version`, `created_at`, `has_previous` and `has_pending` are its bundle's.
    """

    source: str
    outcome: Outcome
    detail: str = ""
    names: tuple[str, ...] = ()
    version: str = ""
    created_at: float | None = None
    has_previous: bool = False
    has_pending: bool = False


class ChainProvider:
    """Ask `providers` in order until one answers; the bundle's `source` says which one did.

    After `SecretUnavailableError` the next one is asked. `SecretDeniedError` and `SecretMalformedError` end the search:
    such a store needs repair, and skipping it could bring up an old secret from another store. When none answers,
    raises `SecretUnavailableError` listing each attempt, or `NoSecretsError` if all are empty. Raises `ValueError` for
    no providers.

    A source that lacks one of the `required` names counts as unavailable: a single variable in the environment must not
    hide the file that holds the secret.
    """

    __slots__ = ("_providers", "_required")

    def __init__(self, providers: Iterable[SecretProvider], *, required: Iterable[str] = ()) -> None:
        self._providers = tuple(providers)
        self._required = frozenset(required)
        if not self._providers:
            raise ValueError("A chain of secret providers is empty: pass at least one.")

    def __repr__(self) -> str:
        return f"ChainProvider({list(self._providers)!r})"

    @property
    def source(self) -> str:
        """The sources in order, separated by commas."""
        return ", ".join(provider.source for provider in self._providers)

    @property
    def providers(self) -> tuple[SecretProvider, ...]:
        """The providers in the order in which they are asked."""
        return self._providers

    async def fetch(self) -> SecretBundle:
        """Return the first answer to `fetch`."""
        return await self._first(lambda provider: provider.fetch())

    async def refresh(self) -> SecretBundle:
        """Return the first answer to `refresh`."""
        return await self._first(lambda provider: provider.refresh())

    def invalidate(self, version: str) -> None:
        """Call `invalidate` of every provider; each compares the version itself."""
        for provider in self._providers:
            provider.invalidate(version)

    async def aclose(self) -> None:
        """Close every provider, even if one of them fails to close."""
        async with AsyncExitStack() as stack:
            for provider in self._providers:
                stack.push_async_callback(provider.aclose)

    async def diagnose(self) -> list[Attempt]:
        """Ask every store, past the first answer too, and report each result; raises nothing."""
        return [await self._attempt(provider) for provider in self._providers]

    async def _first(self, ask: Callable[[SecretProvider], Awaitable[SecretBundle]]) -> SecretBundle:
        attempts: list[str] = []
        kind: type[SecretUnavailableError] = NoSecretsError
        for provider in self._providers:
            try:
                return self._complete(await ask(provider))
            except SecretUnavailableError as error:
                attempts.append(f"{provider.source}: {error}")
                if not isinstance(error, NoSecretsError):
                    kind = SecretUnavailableError
        message = f"No source has the secrets. Asked {len(attempts)}: " + " | ".join(attempts)
        raise kind(message, self.source)

    def _complete(self, bundle: SecretBundle) -> SecretBundle:
        lacking = sorted(self._required - bundle.names())
        if spoilt := [name for name in lacking if name in bundle.unusable]:
            bundle.reveal(spoilt[0])  # an unusable value needs repair: no other source replaces it
        if lacking:
            raise NoSecretsError(f"It lacks {', '.join(lacking)}.", bundle.source)
        return bundle

    async def _attempt(self, provider: SecretProvider) -> Attempt:
        try:
            bundle = self._complete(await provider.refresh())
        except SecretError as error:
            return Attempt(provider.source, _outcome(error), str(error))
        except Exception as error:  # noqa: BLE001  a diagnosis reports every error
            return Attempt(provider.source, "failed", type(error).__name__)
        return Attempt(
            provider.source,
            "answered",
            names=tuple(sorted(bundle.names())),
            version=bundle.version,
            created_at=bundle.created_at,
            has_previous=bundle.previous is not None,
            has_pending=bundle.pending is not None,
        )


def _outcome(error: SecretError) -> Outcome:
    if isinstance(error, SecretDeniedError):
        return "denied"
    return "malformed" if isinstance(error, SecretMalformedError) else "unavailable"
