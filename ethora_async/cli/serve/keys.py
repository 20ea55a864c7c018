"""Public keys for verifying JWTs, from a file or the URL of a JWK set. Both are read again when they change."""

from __future__ import annotations

import codecs
import logging
import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ethora_async import codec
from ethora_async.errors import ConfigError, TransportError
from ethora_async.protocols import Clock, Transport
from ethora_async.request import Request
from ethora_async_secrets.concurrency import FlightCancelledError, FlightUnfinishedError, SingleFlight, run_blocking

log: logging.Logger = logging.getLogger("ethora_async.web")

LOOK_EVERY = 10.0
"""Seconds between two checks of a file."""
FETCH_EVERY = 600.0
"""Seconds between two regular fetches of a URL."""
FETCH_AT_MOST_EVERY = 30.0
"""Seconds between two fetches when JWTs name unknown keys, or when fetching fails."""

MAX_AGE = 86_400.0
"""Seconds for which keys are used while their URL fails: it could not say that one was revoked."""

_FETCH_TIMEOUT = 10.0
_FAILED_FOR = 1.0
"""Seconds for which a failed first fetch is not repeated: every request would start another one."""
_LARGEST = 1024 * 1024
_KINDS = ("RSA", "EC")
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40}+)-----[^-]++-----END [A-Z0-9 ]{1,40}+-----")


class Keys(Protocol):
    """A source of keys for verifying JWTs."""

    async def values(self) -> list[Any]:
        """Return the keys; a text is a shared secret.

        Raises:
            ConfigError: there are none.
        """
        ...

    async def newer(self) -> bool:
        """Look for new keys; return whether `values` may return others now."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class PublicKeys:
    """Keys for RS256 and ES256 from a file: PEM, a JWK, or a JWK set.

    Args:
        path: The file. It is read again when it changes.
        clock: Where time comes from.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = float("-inf")
        self._stamp: object = None
        self._keys: list[Any] = []

    async def values(self) -> list[Any]:
        """Return the keys; if the file has become unusable, those that were read before.

        Raises:
            ConfigError: it cannot be read, or has never had a usable key.
        """
        if self._clock.monotonic() < self._looked_at + LOOK_EVERY:
            return self._keys
        try:
            stamp, keys = await run_blocking(_read, self._path, self._stamp)
        except ConfigError as error:
            if not self._keys:
                raise
            log.warning("the keys read before stay in use: %s", error)
        else:
            self._stamp, self._keys = stamp, self._keys if keys is None else keys
        self._looked_at = self._clock.monotonic()
        return self._keys

    async def newer(self) -> bool:
        """Return False: `values` checks often enough."""
        return False

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


class RemoteKeys:
    """Keys for RS256 and ES256 from the URL of a JWK set, as identity providers publish them.

    The set is fetched again every ten minutes, and sooner when a JWT names a key that it lacks. While the server does
    not answer, the last set is used, up to `max_age`.

    Args:
        url: An https URL; http is allowed only for this machine.
        clock: The source of time.
        max_age: Seconds after which a set that could not be fetched again is not used any more.
        transport: Sends the requests; an `AiohttpTransport` by default. Closed with this object.

    Raises:
        ConfigError: `url` cannot be used.
    """

    def __init__(self, url: str, *, clock: Clock, max_age: float = MAX_AGE, transport: Transport | None = None) -> None:
        self._url = _checked_url(url)
        self._clock = clock
        self._max_age = max_age
        self._too_old_at = float("inf")
        self._transport = transport
        self._keys: list[Any] = []
        self._fetch_at = self._next_allowed = float("-inf")
        self._failed_at = float("-inf")
        self._failure = ""
        self._fetching = SingleFlight(self._fetch)

    async def values(self) -> list[Any]:
        """Return the keys of the last set that was fetched.

        Raises:
            ConfigError: none could be fetched yet, or none for so long that the last set is too old.
        """
        if self._keys and self._clock.monotonic() >= self._too_old_at:
            log.error("the keys of %s are too old to be used: fetching it has failed for too long", self._url)
            self._keys = []
        if not self._keys:
            if self._clock.monotonic() < self._failed_at + _FAILED_FOR:
                raise ConfigError(self._failure)
            await self._fetched()
        elif self._clock.monotonic() >= self._fetch_at:
            self._fetching.start()
        return self._keys

    async def newer(self) -> bool:
        """Fetch the set again, unless that was done in the last half minute; return whether it was.

        Requests that come during a fetch wait for it: they may name the same new key.
        """
        if self._clock.monotonic() < self._next_allowed and not self._fetching.running:
            return False
        try:
            await self._fetched()
        except ConfigError:
            return False
        return True

    async def aclose(self) -> None:
        """Cancel a pending fetch and close the connection."""
        await self._fetching.aclose()
        if self._transport is not None:
            await self._transport.aclose()

    async def _fetched(self) -> None:
        try:
            await self._fetching.join(_FETCH_TIMEOUT)
        except (FlightCancelledError, FlightUnfinishedError):
            raise self._failed("it gave no answer in time") from None

    async def _fetch(self) -> None:
        now = self._clock.monotonic()
        self._next_allowed = self._fetch_at = now + FETCH_AT_MOST_EVERY
        if self._transport is None:
            from ethora_async.transport import AiohttpTransport

            self._transport = AiohttpTransport(trust_env=True)
        request = Request(
            "GET", self._url, {"Accept": "application/json"}, timeout=_FETCH_TIMEOUT, reply_limit=_LARGEST
        )
        try:
            response = await self._transport.send(request)
        except TransportError as error:
            raise self._failed(error.message) from None
        if response.status != 200:
            raise self._failed(f"it answers with status {response.status}")
        try:
            self._keys = _of_bytes(f"--jwt-keys {self._url}", response.body)
        except ConfigError as error:
            raise self._failed(str(error)) from None
        fetched_at = self._clock.monotonic()
        self._fetch_at, self._too_old_at = fetched_at + FETCH_EVERY, fetched_at + self._max_age

    def _failed(self, reason: str) -> ConfigError:
        self._failed_at = self._clock.monotonic()
        self._failure = f"--jwt-keys {self._url} cannot be fetched: {reason}"
        if self._keys:
            log.warning("the keys fetched before stay in use: %s", self._failure)
        return ConfigError(self._failure)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or "@" in parts.netloc or parts.fragment:
        msg = "--jwt-keys is not the URL of a JWK set: an example is https://login.example.com/.well-known/jwks.json"
        raise ConfigError(msg)
    if parts.scheme != "https" and not _is_loopback(host):
        msg = f"--jwt-keys {url} is not https: anybody on the network path could replace the keys"
        raise ConfigError(msg)
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path, known: object) -> tuple[object, list[Any] | None]:
    """Return the file's stamp and keys; None for keys of the stamp that is `known`."""
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
    return stamp, _of_bytes(f"--jwt-keys {path}", data)


def _of_bytes(source: str, data: bytes) -> list[Any]:
    """Return the usable keys; the others are named in the log.

    Raises:
        ConfigError: none can be used, or one is private.
    """
    entries = _entries(data)
    keys, unusable = [], "holds no key: it must have public keys in PEM, or a JWK or JWK set in JSON"
    for number, entry in enumerate(entries, 1):
        try:
            keys.append(_usable(entry))
        except _UnusableKeyError as error:
            unusable = str(error)
            if len(entries) > 1:
                log.warning("%s: key %d is left out: it %s", source, number, error)
    if not keys:
        msg = f"{source} {unusable}"
        raise ConfigError(msg)
    if any(key.is_private for key in keys):
        msg = f"{source} holds a private key: give this process only the public key"
        raise ConfigError(msg)
    return keys


def _entries(data: bytes) -> list[Any]:
    """Return every key of a file unparsed: a JWK, or a PEM block."""
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.lstrip().startswith(b"{"):
        return [found.group() for found in _PEM_BLOCK.finditer(data)]
    try:
        value = codec.loads(data)
    except ValueError:
        return []
    if "keys" in value:
        return value["keys"] if isinstance(value["keys"], list) else []
    return [value] if value else []


class _UnusableKeyError(Exception):
    """Describes a key that RS256 and ES256 cannot use."""


def _usable(entry: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    # joserfc warns about short keys, which would raise if warnings are errors.
    unfit = (
        JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError, RecursionError, Warning,
    )  # fmt: skip
    if isinstance(entry, bytes):
        for form in (RSAKey, ECKey):
            try:
                return _of_a_known_curve(form.import_key(_public_pem(entry)))
            except unfit:
                continue
        reason = "holds no key: it must have public keys in PEM, or a JWK or JWK set in JSON"
        raise _UnusableKeyError(reason)
    kind = entry.get("kty") if isinstance(entry, dict) else None
    if kind not in _KINDS:
        reason = "holds a key that is neither RSA nor EC: RS256 and ES256 need one of these" if kind else "holds no key"
        raise _UnusableKeyError(reason)
    if entry.get("use") not in (None, "sig"):
        reason = "holds a key that is not for signatures"
        raise _UnusableKeyError(reason)
    try:
        return _of_a_known_curve((RSAKey if kind == "RSA" else ECKey).import_key(entry))
    except unfit:
        reason = "holds no key: a JWK in it is malformed"
        raise _UnusableKeyError(reason) from None


def _of_a_known_curve(key: Any) -> Any:
    if key.key_type == "EC" and key.curve_name != "P-256":
        reason = f"holds an EC key on {key.curve_name}: ES256 needs P-256"
        raise _UnusableKeyError(reason)
    return key


def _public_pem(block: bytes) -> bytes:
    """Return a PEM block as it is, or the public key of a certificate."""
    if b"BEGIN CERTIFICATE" not in block:
        return block
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = x509.load_pem_x509_certificate(block).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
