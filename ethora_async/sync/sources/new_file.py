"""Files that appear complete, readable only by their owner, and never replace another."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Self

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.table import guarded
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from types import TracebackType

_AT_ONCE = 1 << 16


class NewFile:
    """A text file that appears at its path when the block ends without an error, and only then.

    ::

        async with await NewFile.open("people.csv") as file:
            await file.write("id,email\r\n")

    Until then its content has no name on disk. Its mode is 0600.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content: IO[str] | None = None
        self._waiting: list[str] = []
        self._size = 0
        self._lock = Lock()

    @classmethod
    async def open(cls, path: str | Path) -> NewFile:
        """Check that the file can be created.

        Raises:
            InvalidInputError: It exists, or its folder is missing or not writable.
        """
        await run_blocking(check_place, Path(path))
        return cls(Path(path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await run_blocking(self._discard if kind is not None else self._publish)

    async def write(self, text: str) -> None:
        """Append text.

        Raises:
            InvalidInputError: The disk cannot be written.
        """
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= _AT_ONCE:
            waiting, self._waiting, self._size = self._waiting, [], 0
            await run_blocking(self._flush, waiting)

    def _flush(self, waiting: list[str]) -> None:
        with self._lock:
            guarded(partial(self._append, waiting), OSError, partial(unwritable, self.path))

    def _append(self, waiting: list[str]) -> None:
        if self._content is None:
            self._content = temporary_text(self.path.parent)
        self._content.writelines(waiting)

    def _publish(self) -> None:
        try:
            self._flush(self._waiting)
        except InvalidInputError:
            self._discard()
            raise
        with self._lock:
            content = self._content
            assert content is not None  # noqa: S101  for the type checkers: `_flush` has made it
            with content:
                guarded(partial(put, content, self.path), OSError, partial(unwritable, self.path))

    def _discard(self) -> None:
        # A cancelled `write` may still be running in its thread.
        with self._lock:
            if self._content is not None:
                discard(self._content)


def check_place(path: Path) -> None:
    """Check that a file can be created at `path`.

    Raises:
        InvalidInputError: It exists, or its folder is missing or not writable.
    """
    try:
        if os.path.lexists(path):
            msg = f"{path} exists already: move it away or name another file; nothing is ever overwritten"
            raise InvalidInputError(msg, file=str(path))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except InvalidInputError:
        raise
    except (OSError, ValueError) as problem:
        raise unwritable(path, problem) from None


def temporary_text(folder: Path) -> IO[str]:
    """Open an unnamed temporary file in `folder`. Bytes that were not UTF-8 are written unchanged."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape", newline="", dir=folder)


def discard(content: IO[str]) -> None:
    """Close an unnamed temporary file. What a full disk did not take is dropped."""
    with suppress(OSError):
        content.close()


def unwritable(path: Path, problem: Exception) -> InvalidInputError:
    """Return the error for a file that cannot be written."""
    msg = f"{path} cannot be written: {getattr(problem, 'strerror', None) or problem}"
    return InvalidInputError(msg, file=str(path))


def put(content: IO[str], path: Path) -> None:
    """Copy an open file to a new one at `path`.

    Raises:
        OSError: The disk cannot be written, or the path exists now.
    """
    content.flush()
    # First a temporary name, then a link to the final one: nobody sees half a file, and nothing is replaced.
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file, os.fdopen(os.dup(content.fileno()), "rb") as written:
            written.seek(0)
            shutil.copyfileobj(written, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links: existing files are still not replaced, apart from a short race.
            if os.path.lexists(path):
                raise
            os.rename(name, path)
    finally:
        if os.path.lexists(name):
            os.unlink(name)
