"""The app secret: read through a cache, and turned into the keys that sign (docs/platforms/ethora.md#signing-keys)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import warnings
from typing import TYPE_CHECKING, Literal, NoReturn

import attrs

from ethora_async.engine.events import Emitter, SecretRotated
from ethora_async.errors import ConfigError
from ethora_async.tokens.hs256 import HS256Key
from ethora_async_secrets import (
    CachedProvider,
    SecretBundle,
    SecretError,
    SecretNotFoundError,
    SecretProvider,
    StaticProvider,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.protocols import Clock

APP_SECRET = "ETHORA_CHAT_APP_SECRET"  # noqa: S105
_SECRET_TTL = 30.0
"""Seconds for which the store's answer is used before it is asked again; a rejected token asks at once."""
_SHORT = 14
"""Bytes: below 112 bits a key for HMAC can be guessed (NIST SP 800-131A)."""

_BETWEEN_READS = 0.1
"""Seconds between two readings of the store for the sake of one refused version: every call that is refused asks."""

_PROCESS_KEY = secrets.token_bytes(16)

Purpose = Literal["server", "client"]


class WeakSecretWarning(UserWarning):
    """The app secret is so short that it can be guessed."""


class SigningKeys:
    """One app secret, with the keys made from it."""

    __slots__ = ("_raw", "_scoped", "_secret", "_use_scoped", "version")

    def __init__(self, secret: str, *, scoped: bool) -> None:
        # Tells secrets apart in cache keys and events, and cannot be guessed back from them.
        self.version: str = hashlib.blake2b(secret.encode(), key=_PROCESS_KEY, digest_size=8).hexdigest()
        self._secret = secret
        self._use_scoped = scoped
        self._scoped: dict[Purpose, HS256Key] = {}
        self._raw: HS256Key | None = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "signing keys are not pickled or copied, since that writes out the secret"
        raise TypeError(msg)

    def scoped(self, purpose: Purpose) -> HS256Key:
        """The hex text of HMAC-SHA256(secret, "ethora:<purpose>:v1") as a key.

        See docs/platforms/ethora.md#signing-keys.
        """
        key = self._scoped.get(purpose)
        if key is None:
            digest = hmac.new(self._secret.encode(), f"ethora:{purpose}:v1".encode(), hashlib.sha256)
            key = self._scoped[purpose] = HS256Key(digest.hexdigest())
        return key

    def raw(self) -> HS256Key:
        """The secret itself as a key, as older callers sign."""
        if self._raw is None:
            self._raw = HS256Key(self._secret)
        return self._raw

    def signing(self, purpose: Purpose) -> HS256Key:
        """The key that this client signs with."""
        return self.scoped(purpose) if self._use_scoped else self.raw()

    def verifies(self, purpose: Purpose, token: str) -> bool:
        """Whether the token was signed with the scoped key or, failing that, the raw secret."""
        return self.scoped(purpose).verifies(token) or self.raw().verifies(token)


@attrs.frozen(eq=False)
class KeyRing:
    """The keys in one answer of the store: the current secret's, then those that may hold during a rotation.

    `former` was the current one before, as this process remembers it: not every store keeps the previous secret, and
    the platform may go on asking for it for a while. It only signs; what others present is not checked with it.
    """

    bundle: SecretBundle
    current: SigningKeys
    previous: SigningKeys | None = None
    pending: SigningKeys | None = None
    former: SigningKeys | None = None

    def candidates(self) -> Iterator[SigningKeys]:
        """All there are, in the order in which to try them."""
        yield self.current
        yield from (keys for keys in (self.previous, self.pending, self.former) if keys is not None)


class AppSecret:
    """The app secret of one client: read through a cache, turned into keys once per version.

    Args:
        secret: the secret itself, or where it comes from. A `CachedProvider` is used as it is, any other is asked every
            30 s, and its last answer used for up to an hour while it does not answer.
        scoped: False signs with the raw secret, as older back ends do.

    Raises:
        ConfigError: the secret is empty, blank or cannot be read.
    """

    def __init__(self, secret: str | SecretProvider, *, scoped: bool, clock: Clock, emitter: Emitter) -> None:
        self.rotates: bool = not isinstance(secret, str)
        if isinstance(secret, str):
            given = SecretBundle({APP_SECRET: secret}, source="static")
            _check_usable(given)
            provider: SecretProvider = StaticProvider(given)
        else:
            provider = secret
        self._scoped = scoped
        self._clock = clock
        self._emitter = emitter
        self._ring: KeyRing | None = None
        self._asked_again: tuple[str, float] | None = None
        # Whoever passes a cache has chosen its times.
        self._provider = (
            provider if isinstance(provider, CachedProvider) else CachedProvider(provider, ttl=_SECRET_TTL, clock=clock)
        )

    def peek(self) -> KeyRing | None:
        """The keys at hand, or None when the store must be asked first."""
        bundle = self._provider.peek()
        if bundle is None:
            return None
        ring = self._ring
        return ring if ring is not None and ring.bundle is bundle else self._made(bundle)

    async def load(self) -> KeyRing:
        """The keys, from the store when need be.

        Raises:
            ConfigError: the store cannot be read, or holds no usable secret.
        """
        return self.peek() or self._made(await self.bundle())

    async def bundle(self) -> SecretBundle:
        """Everything that the store holds under this source.

        Raises:
            ConfigError: the store cannot be read.
        """
        try:
            return await self._provider.fetch()
        except SecretError as error:
            msg = f"the app secret could not be read: {error}"
            raise ConfigError(msg) from None

    async def newer(self, version: str) -> KeyRing:
        """The keys after this version of the store's answer was refused: the store is asked again if it is the newest.

        However many calls are refused, the store is asked once for all of them, and then ten times a second at most.

        Raises:
            ConfigError: the store cannot be read.
        """
        ring = await self.load()
        if ring.bundle.version != version:
            return ring
        now = self._clock.monotonic()
        if self._asked_again is not None:
            asked_for, asked_at = self._asked_again
            if asked_for == version and now < asked_at + _BETWEEN_READS:
                return ring
        self._asked_again = (version, now)
        self._provider.invalidate(version)
        return await self.load()

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()

    def _made(self, bundle: SecretBundle) -> KeyRing:
        old = self._ring
        # By the first of many who waited for this answer, or while the store is down.
        if old is not None and old.bundle is bundle:
            return old
        # One that was passed in has been checked, and warned of, where it was.
        if self.rotates:
            _check_usable(bundle)
        keys = SigningKeys(bundle.reveal(APP_SECRET), scoped=self._scoped)
        ring = self._ring = KeyRing(
            bundle, keys, self._other(bundle.previous), self._other(bundle.pending), _former(old, keys)
        )
        # A store's answer holds other settings too, which may change by themselves.
        if old is not None and old.current.version != keys.version:
            self._emitter.emit(SecretRotated(old.bundle.version, bundle.version))
        return ring

    def _other(self, bundle: SecretBundle | None) -> SigningKeys | None:
        value = bundle.get(APP_SECRET) if bundle is not None else None
        return SigningKeys(value, scoped=self._scoped) if value and value.strip() and _encodes(value) else None


def _former(ring: KeyRing | None, current: SigningKeys) -> SigningKeys | None:
    if ring is None:
        return None
    return ring.former if ring.current.version == current.version else ring.current


def _check_usable(bundle: SecretBundle) -> None:
    """Refuse a bundle without a usable app secret, and warn of a weak one: in frames that do not hold the value."""
    if APP_SECRET not in bundle:
        missing = SecretNotFoundError.missing(APP_SECRET, bundle.source, bundle.names())
        msg = f"the app secret could not be read: {missing}"
        raise ConfigError(msg)
    flaw = _flaw(bundle)
    if flaw == "short":
        warnings.warn(
            f"the app secret ({APP_SECRET}) is shorter than {_SHORT} bytes and can be guessed: rotate it",
            WeakSecretWarning,
            stacklevel=4,
        )
    elif flaw is not None:
        msg = f"the app secret ({APP_SECRET}) is {flaw}"
        raise ConfigError(msg)


def _flaw(bundle: SecretBundle) -> str | None:
    secret = bundle.reveal(APP_SECRET)
    if not secret.strip():
        return "empty"
    if not _encodes(secret):
        return "not valid UTF-8: check the encoding of the place it is kept in"
    return "short" if len(secret.encode()) < _SHORT else None


def _encodes(secret: str) -> bool:
    # Bytes that are no UTF-8 come from the environment as lone surrogates; encoding one raises an error that holds it.
    try:
        secret.encode()
    except UnicodeEncodeError:
        return False
    return True
