"""Public keys in a file: PEM, a JWK, or a JWK set; read again when the file changes."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from ethora_async import codec
from ethora_async.errors import ConfigError
from ethora_async.protocols import Clock
from ethora_async_secrets.concurrency import run_blocking

log: logging.Logger = logging.getLogger("ethora_async.web")

LOOK_EVERY = 10.0
"""Seconds after which the file is looked at again."""

_LARGEST = 1024 * 1024
_KINDS = ("RSA", "EC")


class PublicKeys:
    """What JWTs are checked with, for RS256 and ES256.

    Args:
        path: the file.
        clock: where time comes from.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = float("-inf")
        self._stamp: object = None
        self._keys: list[Any] = []

    async def values(self) -> list[Any]:
        """The keys; a file that cannot be used any more leaves those that were read before.

        Raises:
            ConfigError: it cannot be read, or there is nothing in it that can be used, and never was.
        """
        if self._clock.monotonic() < self._looked_at + LOOK_EVERY:
            return self._keys
        try:
            stamp, keys = await run_blocking(_read, self._path, self._stamp)
        except ConfigError as error:
            if not self._keys:
                raise
            log.warning("the keys read before are used: %s", error)
        else:
            self._stamp, self._keys = stamp, self._keys if keys is None else keys
        self._looked_at = self._clock.monotonic()
        return self._keys

    async def aclose(self) -> None:
        """Nothing is open."""


def _read(path: Path, known: object) -> tuple[object, list[Any] | None]:
    """The file's stamp and keys; None for keys of the stamp that is `known`."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp == known:
                return stamp, None
            data = file.read(_LARGEST + 1)
    except OSError as error:
        msg = f"--jwt-keys {path} cannot be read: {error.strerror}"
        raise ConfigError(msg) from None
    if len(data) > _LARGEST:
        msg = f"--jwt-keys {path} is larger than {_LARGEST} bytes"
        raise ConfigError(msg)
    return stamp, _keys(path, data)


def _keys(path: Path, data: bytes) -> list[Any]:
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        found = _of_json(codec.loads(data)) if data.lstrip().startswith(b"{") else _of_pem(data)
        keys = list(found) if isinstance(found, KeySet) else [found]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        msg = f"--jwt-keys {path} holds no key: it must be a public key in PEM, or a JWK or JWK set in JSON"
        raise ConfigError(msg) from None
    for key in keys:
        if key.key_type not in _KINDS:
            msg = f"--jwt-keys {path} holds a key that is neither RSA nor EC: RS256 and ES256 need one of these"
            raise ConfigError(msg)
        if key.is_private:
            msg = f"--jwt-keys {path} holds a private key: give this process the public half alone"
            raise ConfigError(msg)
    return [found]


def _of_json(data: Any) -> Any:
    from joserfc.jwk import KeySet, import_key

    return KeySet.import_key_set(data) if "keys" in data else import_key(data)


def _of_pem(data: bytes) -> Any:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    try:
        return RSAKey.import_key(data)
    except (JoseError, ValueError, TypeError):
        return ECKey.import_key(data)
