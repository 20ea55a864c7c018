"""Where a client's settings come from: arguments, the environment, a secret store."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING

import attrs

from ethora_async.engine.events import Emitter, SecretRotated
from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret
from ethora_async_secrets import CachedProvider, SecretBundle, SecretError, StaticProvider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ethora_async.protocols import Clock
    from ethora_async_secrets import SecretProvider

URL = "ROCKETCHAT_URL"
USER = "ROCKETCHAT_USER"
PASSWORD = "ROCKETCHAT_PASSWORD"  # noqa: S105  the names of settings
USER_ID = "ROCKETCHAT_USER_ID"
TOKEN = "ROCKETCHAT_TOKEN"  # noqa: S105
TOTP_SECRET = "ROCKETCHAT_TOTP_SECRET"  # noqa: S105
CREATE_TOKENS_SECRET = "ROCKETCHAT_CREATE_TOKENS_SECRET"  # noqa: S105
NAMES = (URL, USER, PASSWORD, USER_ID, TOKEN, TOTP_SECRET, CREATE_TOKENS_SECRET)

_SECRET_TTL = 30.0
"""Seconds for which the store's answer is used before it is asked again; a rejected token asks at once."""
_BETWEEN_READS = 0.1
"""Seconds between two readings of the store for the sake of one refused version."""
_PROCESS_KEY = secrets.token_bytes(16)


@attrs.frozen
class Admin:
    """One set of the admin's credentials: a personal access token, or a user name and password.

    `key` tells it from others, and cannot be guessed back.
    """

    user: str
    secret: Secret
    by_token: bool
    key: str


@attrs.frozen(eq=False)
class Ring:
    """One answer of the store: the admin's current credentials, then those that may hold during a rotation."""

    bundle: SecretBundle
    admins: tuple[Admin, ...]

    @property
    def version(self) -> str:
        """The version of the store's answer; safe to log."""
        return self.bundle.version


class Settings:
    """The settings of one client, read through a cache where a store is behind them.

    Args:
        given: what was passed in or stands in the environment; it comes before the store.
        provider: the store, if there is one.
    """

    def __init__(
        self, given: Mapping[str, str], provider: SecretProvider | None, *, clock: Clock, emitter: Emitter
    ) -> None:
        self.rotates: bool = provider is not None
        self._given = SecretBundle(given)
        self._emitter = emitter
        self._clock = clock
        self._ring: Ring | None = None
        self._asked_again: tuple[str, float] | None = None
        self._provider: CachedProvider | None = None
        if provider is not None:
            self._provider = CachedProvider(provider, ttl=_SECRET_TTL, clock=clock, on_rotated=self._on_rotated)
        else:
            self._made(self._given)  # says at once what is missing

    def peek(self) -> Ring | None:
        """The credentials at hand, or None when the store must be asked first."""
        ring = self._ring
        if self._provider is None:
            return ring
        bundle = self._provider.peek()
        if bundle is None:
            return None
        return ring if ring is not None and ring.bundle is bundle else self._made(bundle)

    async def load(self) -> Ring:
        """The credentials, from the store when need be.

        Raises:
            ConfigError: the store cannot be read, or holds no usable credentials.
        """
        ring = self.peek()
        if ring is not None:
            return ring
        provider = self._provider or StaticProvider(self._given)
        try:
            bundle = await provider.fetch()
        except SecretError as error:
            msg = f"the admin's credentials could not be read: {error}"
            raise ConfigError(msg) from None
        return self._made(bundle)

    async def newer(self, version: str) -> Ring:
        """The credentials after this version was refused: the store is asked again if it is the newest.

        However many calls are refused, the store is asked once for all of them, and then ten times a second at most.

        Raises:
            ConfigError: the store cannot be read.
        """
        ring = await self.load()
        if ring.version != version or self._provider is None:
            return ring
        now = self._clock.monotonic()
        if self._asked_again is not None:
            asked_for, asked_at = self._asked_again
            if asked_for == version and now < asked_at + _BETWEEN_READS:
                return ring
        self._asked_again = (version, now)
        self._provider.invalidate(version)
        return await self.load()

    def value(self, name: str, bundle: SecretBundle | None = None) -> str | None:
        """A setting, from what was given or from the store's answer; None when it is in neither."""
        stated = self._given.get(name) or (bundle.get(name) if bundle is not None else None)
        return (stated or "").strip() or None

    def secret(self, name: str, bundle: SecretBundle | None = None) -> Secret | None:
        """The same, masked."""
        value = self.value(name, bundle)
        return None if value is None else Secret(value)

    async def candidates(self, name: str, *, refused: bool) -> list[Secret]:
        """A secret's value, then those that may hold in its place during a rotation.

        Args:
            refused: whether those at hand were refused; then the store is asked again.

        Raises:
            ConfigError: the store cannot be read.
        """
        ring = await self.load()
        if refused:
            ring = await self.newer(ring.version)
        sides = (ring.bundle, ring.bundle.previous, ring.bundle.pending)
        found = [self.secret(name, side) for side in sides if side is not None]
        return list(dict.fromkeys(value for value in found if value is not None))

    async def aclose(self) -> None:
        """Close the provider."""
        if self._provider is not None:
            await self._provider.aclose()

    def _made(self, bundle: SecretBundle) -> Ring:
        self._ring = Ring(bundle, self._admins(bundle))
        return self._ring

    def _admins(self, bundle: SecretBundle) -> tuple[Admin, ...]:
        found = [self._admin(side, bundle) for side in (bundle, bundle.previous, bundle.pending) if side is not None]
        admins = {admin.key: admin for admin in found if admin is not None}
        if found[0] is None:
            where = "the arguments and the environment" if bundle is self._given else bundle.source
            msg = (
                f"no admin is named: set {USER} and {PASSWORD}, or {USER_ID} and {TOKEN} for a personal access token"
                f" (looked in {where})"
            )
            raise ConfigError(msg)
        return tuple(admins.values())

    def _admin(self, side: SecretBundle, bundle: SecretBundle) -> Admin | None:
        # A rotation changes the secret; who it is need only stand there once.
        for name, secret, by_token in ((USER_ID, TOKEN, True), (USER, PASSWORD, False)):
            # What was given for the one way must not be mixed with the other that a store holds.
            user, word = self.value(name, side) or self.value(name, bundle), self.value(secret, side)
            if user and word:
                digest = hashlib.blake2b(f"{user}\0{word}".encode("utf-8", "replace"), key=_PROCESS_KEY, digest_size=8)
                return Admin(user, Secret(word), by_token, digest.hexdigest())
        return None

    def _on_rotated(self, old: str | None, new: str) -> None:
        self._emitter.emit(SecretRotated(old, new))


def given_settings(stated: Mapping[str, str | Secret | None], environment: Iterable[str]) -> dict[str, str]:
    """The settings that were passed in, completed by these names from the environment.

    A way to log in that is passed in keeps the other one in the environment out.

    Raises:
        ConfigError: one that was passed in is empty.
    """
    given: dict[str, str] = {}
    for name, value in stated.items():
        if value is None:
            continue
        given[name] = value.reveal() if isinstance(value, Secret) else value
        if not given[name].strip():
            msg = f"{name} was passed in empty"
            raise ConfigError(msg)
    by_password, by_token = {USER, PASSWORD}, {USER_ID, TOKEN}
    closed = (by_token if given.keys() & by_password else set()) | (by_password if given.keys() & by_token else set())
    for name in environment:
        value = os.environ.get(name, "").strip()
        if value and name not in given and name not in closed:
            given[name] = value
    return given
