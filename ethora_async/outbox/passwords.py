"""Passwords in intents, encrypted at rest (JWE, A256GCM) with a key from the secrets provider."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from typing import TYPE_CHECKING, NoReturn, Self

from ethora_async import codec
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

    from ethora_async_secrets import SecretBundle, SecretProvider

OUTBOX_KEY = "ETHORA_OUTBOX_KEY"
"""The name of the key in the environment or in a secret store; its previous value decrypts older passwords."""

log: logging.Logger = logging.getLogger("ethora_async.outbox")

FOLLOWED_EVERY = 60.0
"""Seconds after which a key from a secret store is read again before a password is encrypted."""

_SHORTEST = 32
_LONGEST_PASSWORD = 1024
_LONGEST_TOKEN = 16_384


class UnopenedPasswordError(InvalidInputError):
    """A password cannot be decrypted: its key is unknown, it belongs to another user, or it was changed."""


class PasswordSeal:
    """Encrypts passwords for the outbox, and decrypts them in the worker.

    An encrypted password belongs to one user id: copied into another row it cannot be decrypted. Generate a key with
    ``openssl rand -base64 32``. To rotate it, set the new one and keep the old one as the previous value until no
    intent encrypted with it is waiting. A seal of `from_secrets` follows the store: once a minute, before an intent
    with a password is written, it reads the key again.

    Args:
        key: at least 32 characters.
        previous: earlier keys; they only decrypt.

    Raises:
        ConfigError: a key is too short.
    """

    __slots__ = ("_keys", "_newest", "_read_at", "_reading", "_source")

    def __init__(self, key: str | Secret, *previous: str | Secret) -> None:
        self._source: SecretProvider | str | None = None
        self._read_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._take(key, *previous)

    def _take(self, key: str | Secret, *previous: str | Secret) -> None:
        keys = [_derived(one) for one in (key, *previous)]
        self._newest = keys[0][0]
        self._keys = dict(reversed(keys))

    @classmethod
    def from_env(cls) -> Self:
        """Return the seal with the key in ``ETHORA_OUTBOX_KEY`` and, if set, ``ETHORA_OUTBOX_KEY_PREVIOUS``.

        Raises:
            ConfigError: the variable is not set, or the key is too short.
        """
        key = os.environ.get(OUTBOX_KEY, "").strip()
        if not key:
            msg = f"{OUTBOX_KEY} is not set or empty: make a key with `openssl rand -base64 32`"
            raise ConfigError(msg)
        previous = os.environ.get(f"{OUTBOX_KEY}_PREVIOUS", "").strip()
        return cls(key, *([previous] if previous else []))

    @classmethod
    async def from_secrets(cls, source: SecretProvider | str) -> Self:
        """Return the seal with the key under ``ETHORA_OUTBOX_KEY`` in a secret store.

        Args:
            source: a provider, which stays open, or a provider URL.

        Raises:
            ConfigError: the store cannot be read, or holds no such key.
        """
        made = cls(*await _keys(source))
        made._source, made._read_at = source, time.monotonic()
        return made

    @property
    def stale(self) -> bool:
        """Whether the store may have another key by now, so that `refresh` should be called."""
        return self._source is not None and time.monotonic() - self._read_at >= FOLLOWED_EVERY

    async def refresh(self) -> None:
        """Read the keys again from the store that they came from. If that fails, the known ones stay in use."""
        if self._source is None:
            return
        self._read_at = time.monotonic()  # at once: other callers do not read as well
        try:
            self._take(*await _keys(self._source))
        except ConfigError as error:
            log.warning("%s; the key that was read before stays in use", error)

    def refresh_blocking(self) -> None:
        """Do the same in code that blocks. In a thread with a running event loop, it only starts the reading."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self.refresh())
        else:
            self._reading = loop.create_task(self.refresh())

    def seal(self, id: str, password: Secret) -> str:
        """Return the password encrypted for this user.

        Raises:
            InvalidInputError: the password is not well-formed text, or longer than any platform accepts.
        """
        text = password.reveal()
        # The encoder's error would contain the password.
        if any("\ud800" <= one <= "\udfff" or one == "\x00" for one in text):
            msg = f"the password of user {id!r} holds a NUL character or half of a surrogate pair"
            raise InvalidInputError(msg, field="password")
        if len(text) > _LONGEST_PASSWORD:
            msg = f"the password of user {id!r} is longer than {_LONGEST_PASSWORD} characters"
            raise InvalidInputError(msg, field="password")
        from joserfc import jwe  # loads `cryptography`, which takes a quarter of the command line's start

        claim = codec.dumps({"id": id, "password": text})
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._newest}
        return jwe.encrypt_compact(header, claim, self._keys[self._newest])

    def open(self, id: str, sealed: object) -> Secret:
        """Decrypt a password of this user.

        Raises:
            UnopenedPasswordError: it cannot be decrypted.
        """
        opened = self._opened(id, sealed)
        if opened is None:
            msg = f"the password of user {id!r} was not sealed with the {OUTBOX_KEY} that this worker has"
            raise UnopenedPasswordError(msg, field="password")
        return opened

    def _opened(self, id: str, sealed: object) -> Secret | None:
        if not isinstance(sealed, str) or len(sealed) > _LONGEST_TOKEN:
            return None
        from joserfc import jwe
        from joserfc.errors import JoseError

        for key in self._keys.values():
            try:
                claim = codec.loads(jwe.decrypt_compact(sealed, key, algorithms=["dir", "A256GCM"]).plaintext or b"")
            except (JoseError, ValueError):
                continue
            if isinstance(claim, dict) and claim.get("id") == id and isinstance(claim.get("password"), str):
                return Secret(claim["password"])
        return None

    def __repr__(self) -> str:
        return f"PasswordSeal(keys={[*self._keys]})"

    def __reduce__(self) -> NoReturn:
        msg = "a PasswordSeal cannot be pickled: its key would leave the process in clear"
        raise TypeError(msg)


def _derived(key: str | Secret) -> tuple[str, OctKey]:
    from joserfc.jwk import OctKey

    text = key.reveal() if isinstance(key, Secret) else key
    if len(text) < _SHORTEST:
        msg = f"{OUTBOX_KEY} is shorter than {_SHORTEST} characters: make a key with `openssl rand -base64 32`"
        raise ConfigError(msg)
    digest = hashlib.sha256(b"ethora-async outbox password\0" + text.encode()).digest()
    # The id of a key reveals nothing about it: it is the digest of a digest.
    return hashlib.sha256(b"id\0" + digest).hexdigest()[:12], OctKey.import_key(digest)


async def _bundle(source: SecretProvider | str) -> SecretBundle | None:
    from ethora_async.tokens.settings import unread
    from ethora_async_secrets import SecretError, provider_from_url

    try:
        provider = provider_from_url(source) if isinstance(source, str) else source
        try:
            return await provider.fetch()
        finally:
            if isinstance(source, str):
                await provider.aclose()
    except SecretError as error:
        failure = unread(error, f"{OUTBOX_KEY} cannot be read: {error}")
    raise failure


async def _keys(source: SecretProvider | str) -> list[str]:
    """Return the keys in a store, the newest first.

    Raises:
        SettingsUnavailableError: the store does not answer now.
        ConfigError: the store cannot be read, or holds no such key.
    """
    bundle = await _bundle(source)
    if bundle is None or not (key := bundle.get(OUTBOX_KEY)):
        msg = f"the secret store holds no {OUTBOX_KEY}: make a key with `openssl rand -base64 32` and put it there"
        raise ConfigError(msg)
    return [key, *_others(bundle)]


def _others(bundle: SecretBundle) -> list[str]:
    sides = [side.get(OUTBOX_KEY) for side in (bundle.previous, bundle.pending) if side is not None]
    return [key for key in sides if key]


__all__ = ["OUTBOX_KEY", "PasswordSeal", "UnopenedPasswordError"]
