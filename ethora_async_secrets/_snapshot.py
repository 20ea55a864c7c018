"""Blocking, consistent reads of a secrets file or directory.

Nothing here raises: a failure is returned as data, so that no traceback holds a frame with values in it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Final

import attrs

from ethora_async_secrets._formats import FormatError, Parsed, parser_for
from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import SecretDeniedError, SecretError, SecretMalformedError, SecretUnavailableError
from ethora_async_secrets.text import is_text, without_newline

READ_TRIES: Final = 5
SIZE_LIMIT: Final = 1 << 20
SETTLED_AFTER: Final = 2.0

_Stamp = tuple[str, int, int, int, int, int]


@attrs.frozen
class Signature:
    """The `stat` results of every file read: equal signatures mean equal contents, once `settled`."""

    files: tuple[_Stamp, ...]
    is_directory: bool
    changed_ns: int

    @property
    def settled(self) -> bool:
        """Whether the last change is over 2 s ago.

        Before that, a second change can have the same time stamp, and a writer may still be writing.
        """
        return abs(time.time_ns() - self.changed_ns) > SETTLED_AFTER * 1e9


@attrs.frozen
class Snapshot:
    """One read of the path: a bundle with its signature, or the error to raise with its message."""

    signature: Signature | None
    bundle: SecretBundle | None = None
    error: type[SecretError] | None = None
    detail: str = ""


class _UnfitError(Exception):
    """A file that must be rejected; the message quotes none of its content."""


def sign(path: str) -> Signature:
    """Return the signature of the file or directory at `path`; raises `OSError`."""
    info = os.stat(path)
    if not stat.S_ISDIR(info.st_mode):
        return Signature((_stamp("", info),), is_directory=False, changed_ns=info.st_mtime_ns)
    stamps: list[_Stamp] = []
    changed = info.st_mtime_ns
    for name in sorted(os.listdir(path)):
        # Kubernetes keeps its bookkeeping (`..data`, `..2024_…`) beside the secrets; no secret's file is hidden.
        if name.startswith("."):
            continue
        try:
            member = os.stat(os.path.join(path, name))
        except FileNotFoundError:
            continue  # the link of a key that was just removed from a Kubernetes secret
        if stat.S_ISREG(member.st_mode):
            stamps.append(_stamp(name, member))
            changed = max(changed, member.st_mtime_ns)
    return Signature(tuple(stamps), is_directory=True, changed_ns=changed)


def unchanged(path: str, known: Signature) -> bool:
    """Return whether `path` has certainly not changed since `known` was taken."""
    try:
        return known.settled and sign(path) == known
    except OSError:
        return False


def take(path: str, source: str) -> Snapshot:
    """Read `path` so that `stat` is the same before and after; try 5 times."""
    try:
        for _ in range(READ_TRIES):
            before = sign(path)
            try:
                contents = _read(path, before)
            except FileNotFoundError:
                continue  # replaced between listing and reading
            except _UnfitError as unfit:
                return Snapshot(before, error=SecretMalformedError, detail=str(unfit))
            if sign(path) == before:
                return _parse(path, contents, before, source)
    except PermissionError as error:
        return Snapshot(
            None,
            error=SecretDeniedError,
            detail=f"no permission to read {error.filename}: check its owner and mode",
        )
    except FileNotFoundError:
        return Snapshot(None, error=SecretUnavailableError, detail="it does not exist: mount or create it")
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        return Snapshot(None, error=SecretUnavailableError, detail=f"it cannot be read now ({reason})")
    return Snapshot(
        None, error=SecretMalformedError, detail="it kept changing while it was read: replace it by a rename"
    )


def _stamp(name: str, info: os.stat_result) -> _Stamp:
    return (name, info.st_dev, info.st_ino, info.st_mtime_ns, info.st_ctime_ns, info.st_size)


def _read(path: str, signature: Signature) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for name, *_ in signature.files:
        place = os.path.join(path, name) if signature.is_directory else path
        if not stat.S_ISREG(os.stat(place).st_mode):
            raise _UnfitError("it is neither a directory nor a regular file")
        with open(place, "rb") as file:
            contents[name] = file.read(SIZE_LIMIT + 1)
    return contents


def _parse(path: str, contents: dict[str, bytes], signature: Signature, source: str) -> Snapshot:
    try:
        parsed = _members(contents) if signature.is_directory else _whole(path, contents[""])
    except (_UnfitError, FormatError) as problem:
        return Snapshot(signature, error=SecretMalformedError, detail=str(problem))
    bundle = SecretBundle.from_names(
        parsed.values, source=source, created_at=signature.changed_ns / 1e9, unusable=parsed.unusable
    )
    return Snapshot(signature, bundle=bundle)


def _members(contents: dict[str, bytes]) -> Parsed:
    """Return the values of a directory's files; a file that is not a secret does not reject the others."""
    parsed = Parsed({}, {})
    for name, raw in contents.items():
        if not is_text(name):
            raise _UnfitError(f"the name of file {name!r} is not UTF-8")
        try:
            text = _decode(raw, f"file {name}")
        except _UnfitError as problem:
            parsed.unusable[name] = str(problem)
            continue
        if text.strip():
            parsed.values[name] = without_newline(text)
        else:
            parsed.unusable[name] = f"file {name} is empty, so it may be half-written (remove it if the secret is gone)"
    return parsed


def _whole(path: str, raw: bytes) -> Parsed:
    parse = parser_for(os.path.basename(path))
    if parse is None:
        raise _UnfitError("its name ends neither in .json nor in .env: rename it, or name the directory it is in")
    text = _decode(raw, "it")
    if not text.strip():
        raise _UnfitError("it is empty, so it may be half-written")
    return parse(text)


def _decode(raw: bytes, what: str) -> str:
    if len(raw) > SIZE_LIMIT:
        raise _UnfitError(f"{what} is larger than {SIZE_LIMIT} bytes, too large for secrets")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnfitError(f"{what} is not UTF-8 (byte {error.start})") from None
