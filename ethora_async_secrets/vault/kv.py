"""Read one secret of a KV engine, version 1 or 2, as a bundle."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from ethora_async_secrets._formats import FormatError, Parsed, string_values
from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import SecretMalformedError, SecretUnavailableError
from ethora_async_secrets.vault.wire import NOT_FOUND, VaultCallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async_secrets.vault.session import VaultSession

# There is no secret, or it is deleted or destroyed, or we have no access.
_ABSENT: Final = frozenset({400, 401, 403, NOT_FOUND})


@attrs.frozen
class Place:
    """The place of a secret: the engine's `mount`, the `path` in it, the engine's version `kv`; `source` for errors."""

    mount: str
    path: str
    kv: int
    source: str

    @property
    def api_path(self) -> str:
        """The path as policies spell it."""
        return f"{self.mount}/data/{self.path}" if self.kv == 2 else f"{self.mount}/{self.path}"


def read(session: VaultSession, place: Place) -> SecretBundle:
    """Read the current values, and in KV v2 those of the version before; raise `VaultCallError`."""
    if place.kv == 1:
        parsed = _values(_found(session, place, _v1(place)).get("data"), place)
        return SecretBundle(parsed.values, unusable=parsed.unusable, source=place.source)
    data = _found(session, place, _v2(place)).get("data")
    parsed, number, created = _version(data, place)
    return SecretBundle(
        parsed.values,
        unusable=parsed.unusable,
        version=_label(number, created),
        source=place.source,
        created_at=_epoch(created),
        previous=_previous(session, place, number - 1),
    )


def _previous(session: VaultSession, place: Place, number: int) -> SecretBundle | None:
    """Return an older version, or None: it may be deleted, inaccessible or unusable, none of which is an error."""
    if number < 1:
        return None
    try:
        data = session.call_once(_v2(place, number)).get("data")
        parsed, number, created = _version(data, place)
    except VaultCallError as fault:
        if fault.status in _ABSENT or fault.kind is SecretMalformedError:
            return None
        raise
    return SecretBundle(
        parsed.values,
        unusable=parsed.unusable,
        version=_label(number, created),
        source=place.source,
        created_at=_epoch(created),
    )


def _v1(place: Place) -> Callable[[Any], object]:
    return lambda client: client.secrets.kv.v1.read_secret(place.path, mount_point=place.mount)


def _v2(place: Place, number: int | None = None) -> Callable[[Any], object]:
    return lambda client: client.secrets.kv.v2.read_secret_version(
        place.path, version=number, mount_point=place.mount, raise_on_deleted_version=True
    )


def _found(session: VaultSession, place: Place, ask: Callable[[Any], object]) -> dict[str, Any]:
    try:
        return session.call(ask)
    except VaultCallError as fault:
        if fault.status != NOT_FOUND or fault.kind is not SecretUnavailableError:
            raise
        quoted = f', saying "{fault.phrase}"' if fault.phrase else ""
    other = 1 if place.kv == 2 else 2
    hint = " (the path is written without data/)" if place.path.startswith("data/") else ""
    reason = (
        f"has nothing at this path (404{quoted}), or its current version is deleted. Check mount, path{hint} and "
        f"namespace, and whether the engine is KV version {other}"
    )
    raise VaultCallError(SecretUnavailableError, reason, status=NOT_FOUND)


def _version(data: object, place: Place) -> tuple[Parsed, int, str]:
    """Return the values, number and creation time of a KV v2 answer."""
    metadata = data.get("metadata") if isinstance(data, dict) else None
    number = metadata.get("version") if isinstance(metadata, dict) else None
    created = metadata.get("created_time") if isinstance(metadata, dict) else None
    if not isinstance(data, dict) or not isinstance(number, int) or not isinstance(created, str):
        raise VaultCallError(SecretMalformedError, "answered without version and time: the engine may be KV version 1")
    return _values(data.get("data"), place), number, created


def _values(data: object, place: Place) -> Parsed:
    if not isinstance(data, dict):
        raise VaultCallError(SecretMalformedError, "answered without an object of values: is this a KV engine?")
    hint = ". It looks like KV version 2" if place.kv == 1 and data.keys() >= {"data", "metadata"} else ""
    try:
        parsed = string_values(data)
    except FormatError as problem:
        reason = str(problem)
    else:
        if parsed.values:
            return parsed
        if not parsed.unusable:
            raise VaultCallError(
                SecretUnavailableError, "holds no values at this path: add at least one", status=NOT_FOUND
            )
        reason = next(iter(parsed.unusable.values()))
    raise VaultCallError(SecretMalformedError, f"holds something there that is not a bundle of secrets: {reason}{hint}")


def _label(number: int, created: str) -> str:
    """Return the label of a version; its time tells it from the same number of a deleted secret."""
    return f"{number}@{created}"


def _epoch(created: str) -> float | None:
    try:
        return datetime.fromisoformat(created).timestamp()
    except ValueError:
        return None
