"""The bearer tokens of identity providers for ``/scim/v2``."""

from __future__ import annotations

import hmac

from ethora_async.errors import ConfigError
from ethora_async_secrets import CachedProvider, SecretError, SecretNotFoundError, SecretProvider, provider_from_url

SCIM_TOKEN = "ETHORA_SCIM_TOKEN"  # noqa: S105  the name of the setting
"""The token's name in the environment or in a secret store."""

SHORTEST = 16
"""In bytes: a shorter token can be guessed."""

_LONGEST = 4096


class ScimTokens:
    """The accepted tokens: the current one, and during a rotation the previous and the pending one.

    They are read again when they change, and compared in constant time.

    Args:
        source: a provider, which the caller closes, or a provider URL; the environment by default. It contains
            ``ETHORA_SCIM_TOKEN``.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(self, source: SecretProvider | str | None = None) -> None:
        reason: str | None = None
        try:
            if source is None or isinstance(source, str):
                names = ",".join(SCIM_TOKEN + suffix for suffix in ("", "_PREVIOUS", "_PENDING"))
                source = provider_from_url(source or f"env:?names={names}", required=(SCIM_TOKEN,))
        except SecretError as error:
            reason = str(error)
        if reason is not None or source is None or isinstance(source, str):
            msg = f"the source of {SCIM_TOKEN} cannot be used: {reason}"
            raise ConfigError(msg)
        self._cache = CachedProvider(source)

    def __repr__(self) -> str:
        return "ScimTokens()"

    async def check(self) -> None:
        """Check that the tokens are available.

        Raises:
            ConfigError: the store cannot be read, has no token, or one that is too short.
        """
        await self._values()

    async def accepts(self, presented: str) -> bool:
        """Return whether a token is accepted.

        Raises:
            ConfigError: as for `check`.
        """
        given = presented.encode("utf-8", "surrogateescape")[:_LONGEST]
        right = False
        for value in await self._values():
            right |= hmac.compare_digest(given, value)
        return right

    async def aclose(self) -> None:
        """Close the store."""
        await self._cache.aclose()

    async def _values(self) -> list[bytes]:
        reason: str
        try:
            bundle = await self._cache.fetch()
            current = bundle.reveal(SCIM_TOKEN).strip().encode()
        except SecretNotFoundError:
            reason = f"{SCIM_TOKEN} is not set: make a token with `openssl rand -base64 32`"
        except SecretError as error:
            reason = f"{SCIM_TOKEN} cannot be read: {error}"
        else:
            if len(current) >= SHORTEST:
                others = [side.get(SCIM_TOKEN, "") for side in (bundle.previous, bundle.pending) if side is not None]
                encoded = (text.strip().encode() for text in others)
                return [current, *(text for text in encoded if len(text) >= SHORTEST)]
            reason = f"{SCIM_TOKEN} is shorter than {SHORTEST} bytes and can be guessed: set a longer one"
        raise ConfigError(reason)


__all__ = ["SCIM_TOKEN", "ScimTokens"]
