"""Files to upload: read in pieces while they are sent, never loaded whole."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable
from inspect import isawaitable, iscoroutinefunction
from pathlib import Path
from typing import Any, Protocol

import attrs

from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.records import required_text
from ethora_async_secrets.concurrency import run_blocking

CHUNK = 256 * 1024
"""Bytes to read at once."""

_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)


class ReadsBytes(Protocol):
    """A file object opened in binary mode, or an upload of a web framework whose `read` is awaited."""

    def read(self, size: int, /) -> Any:
        """Return up to `size` bytes; none at the end."""
        ...


Source = str | os.PathLike[str] | bytes | ReadsBytes | AsyncIterable[bytes]
"""The content of a file: a path, bytes, a binary file object or an async iterable."""


@attrs.frozen(eq=False, kw_only=True)
class Attachment:
    """A file to send, for when its path alone does not say everything.

    Attributes:
        source: see `Source`. A file object is read from its current position and is not closed. A text is a path.
        name: the file's name; by default the one of the path or the file object.
        content_type: by default guessed from the name, else ``application/octet-stream``.
        size: in bytes; determined automatically, except for async iterables and files that cannot seek. If it is
            unknown, the request uses chunked transfer encoding, without Content-Length.

    Raises:
        InvalidInputError: an argument cannot be used; `field` names it.
    """

    source: Source = attrs.field(repr=False)
    name: str | None = None
    content_type: str | None = None
    size: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.content_type is not None and not _CONTENT_TYPE.fullmatch(self.content_type):
            msg = f"content_type {self.content_type!r} does not look like image/png"
            raise InvalidInputError(msg, field="content_type")
        if self.size is not None and self.size < 0:
            msg = f"size must not be negative, not {self.size}"
            raise InvalidInputError(msg, field="size")


@attrs.define(eq=False)
class Content:
    """One file, opened and measured: the result of `open_content`.

    Attributes:
        pieces: yields the content from the start, each time it is called.
        restartable: whether it can be read more than once.
        size: in bytes; None when it is known only at the end.
    """

    name: str
    content_type: str
    pieces: Callable[[], AsyncIterator[bytes]] = attrs.field(repr=False)
    restartable: bool
    size: int | None

    async def checked(self, largest: int | None) -> AsyncIterator[bytes]:
        """Yield the content, piece by piece.

        Raises:
            InvalidInputError: it cannot be read, its length differs from the stated one, or it is longer than
                `largest`.
        """
        sent = 0
        try:
            async for piece in self.pieces():
                if not isinstance(piece, (bytes, bytearray, memoryview)):
                    raise _unusable(self.name, f"gives {type(piece).__name__}, not bytes: open it in binary mode")
                sent += len(piece)
                if self.size is not None and sent > self.size:
                    raise _unusable(self.name, f"is longer than the {self.size} bytes that it was said to have")
                check_size(self.name, sent, largest)
                if piece:  # an empty chunk would end a chunked body
                    yield bytes(piece)
        except ChatError:
            raise
        except Exception as error:
            raise _unusable(self.name, f"could not be read ({type(error).__name__})") from error
        if self.size is not None and sent < self.size:
            raise _unusable(self.name, f"ended after {sent} of {self.size} bytes")


def check_size(name: str, size: int, largest: int | None) -> None:
    """Check that a file has at most `largest` bytes.

    Raises:
        InvalidInputError: it is larger.
    """
    if largest is not None and size > largest:
        raise _unusable(name, f"is larger than {largest // 2**20} MB, the most that the platform takes")


async def open_content(attachment: Attachment | Source) -> Content:
    """Open a file and measure it; nothing is read yet.

    Raises:
        InvalidInputError: there is no such file, it cannot be read, or it has no name.
    """
    if not isinstance(attachment, Attachment):
        attachment = Attachment(source=attachment)
    source = attachment.source
    name = required_text(attachment.name if attachment.name is not None else _own_name(source), "name")
    pieces, restartable, size = await _opened(source, name)
    if attachment.size is not None and size not in (None, attachment.size):
        raise _unusable(name, f"has {size} bytes, not the {attachment.size} that it was said to have")
    kind = attachment.content_type
    if kind is None:
        kind = await run_blocking(_guessed, name)
    return Content(name, kind, pieces, restartable, attachment.size if size is None else size)


def _own_name(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name
    # Web frameworks use `filename`; an unnamed file has a number as its `name`.
    for name in (getattr(source, "filename", None), getattr(source, "name", None)):
        if isinstance(name, (str, os.PathLike)) and Path(name).name:
            return Path(name).name
    msg = "the file has no name: pass Attachment(source=…, name=…)"
    raise InvalidInputError(msg, field="name")


def _guessed(name: str) -> str:
    import mimetypes  # only for a file whose type nobody told

    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def _opened(source: Any, name: str) -> tuple[Callable[[], AsyncIterator[bytes]], bool, int | None]:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        try:
            found = await run_blocking(os.stat, path)
        except (OSError, ValueError) as error:
            raise _unusable(name, f"could not be read ({type(error).__name__})") from error
        if not stat.S_ISREG(found.st_mode):
            raise _unusable(name, "is not a regular file")
        return (lambda: _of_path(path, found)), True, found.st_size
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
        return (lambda: _of_bytes(content)), True, len(content)
    if callable(getattr(source, "read", None)):
        start, size = await run_blocking(_measured, source)
        return (lambda: _of_file(source, start)), start is not None, size
    if isinstance(source, AsyncIterable):
        # An object that is its own iterator can be read only once.
        return (lambda: aiter(source)), not isinstance(source, AsyncIterator), None
    raise _unusable(name, f"is a {type(source).__name__}: pass a path, bytes, a binary file or an async iterable")


async def _of_path(path: Path, found: os.stat_result) -> AsyncIterator[bytes]:
    # The file is opened anew for each piece, so that a cancelled upload leaves no file open.
    for offset in range(0, found.st_size, CHUNK):
        yield await run_blocking(_piece, path, offset, found)


def _piece(path: Path, offset: int, found: os.stat_result) -> bytes:
    with path.open("rb") as file:
        now = os.fstat(file.fileno())
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (found.st_ino, found.st_size, found.st_mtime_ns):
            raise _unusable(path.name, "was changed while it was being sent")
        file.seek(offset)
        return file.read(CHUNK)


async def _of_bytes(content: bytes) -> AsyncIterator[bytes]:
    for offset in range(0, len(content), CHUNK):
        yield content[offset : offset + CHUNK]


async def _of_file(file: Any, start: int | None) -> AsyncIterator[bytes]:
    if start is not None:
        await run_blocking(file.seek, start)
    while True:
        piece = await run_blocking(file.read, CHUNK)
        if isawaitable(piece):
            piece = await piece
        if not piece:
            return
        yield piece


def _measured(file: Any) -> tuple[int | None, int | None]:
    """Return a file object's position and the bytes left in it; None when it does not say."""
    if iscoroutinefunction(file.read):
        return None, None
    try:
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (OSError, ValueError, AttributeError, TypeError):
        return None, None
    return start, size


def _unusable(name: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"file {name!r} {what}", field="files")
