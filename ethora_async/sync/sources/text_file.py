"""Check files before their rows are read: whether they can be read, what they contain, and how to open them.

Everything here blocks.
"""

from __future__ import annotations

import gzip
import re
import stat
import zlib
from pathlib import Path
from typing import IO, cast

from ethora_async.errors import InvalidInputError

GZIP = b"\x1f\x8b"
UNREADABLE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
"""The errors of reading a file; the latter two come from damaged gzip data."""

LONGEST_LINE = 1 << 20
"""In characters, or in bytes of JSON Lines. Nothing of a longer line or CSV row is kept in memory."""

_ZIP = b"PK\x03\x04"
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)", re.IGNORECASE)
_LOOK = 512


def check_regular(path: Path) -> None:
    """Check that a file can be read from its beginning more than once.

    Raises:
        InvalidInputError: There is no such file, it is a directory, a pipe or a device, or it cannot be read.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            msg = (
                f"{path} is not a regular file, which can be read more than once: save its content, or pipe it in as -"
            )
            raise InvalidInputError(msg, file=str(path))
        with path.open("rb"):
            pass
    except InvalidInputError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(path, 0, error) from None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading; a gzip file is decompressed.

    Raises:
        OSError: It cannot be read.
    """
    file = path.open("rb")
    start = file.read(2)
    file.seek(0)
    if start == GZIP:
        return cast("IO[bytes]", _Gzip(file))
    return file


class _Gzip(gzip.GzipFile):
    """Closes the underlying file too."""

    def __init__(self, below: IO[bytes]) -> None:
        super().__init__(fileobj=below, mode="rb")
        self._below = below

    def close(self) -> None:
        super().close()
        self._below.close()


def check_text(path: Path, name: str, wanted: str) -> bytes:
    """Return the first bytes of a text file.

    Args:
        path: The file.
        name: Its name in messages.
        wanted: The expected content, for the message.

    Raises:
        InvalidInputError: It is something else, which the message names: a spreadsheet, a web page, …; or as
            `check_regular`.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with open_bytes(path) as file:
            start = file.read(_LOOK)
    except UNREADABLE as error:
        raise unreadable(path, 0, error) from None
    suffixes = [one.lower() for one in Path(name).suffixes]
    if packed and suffixes and suffixes[-1] != ".gz":
        msg = f"{name} is compressed with gzip: name it {name}.gz"
        raise InvalidInputError(msg, file=name, row=1)
    if found := what_it_is(start):
        msg = f"{name} is {found}, not {wanted}"
        raise InvalidInputError(msg, file=name, row=1)
    return start


def what_it_is(start: bytes) -> str | None:
    """Return what a file with this beginning is, if it is something that people mistake for a text file."""
    if start.startswith(_ZIP):
        return "an Excel workbook or another zip file (name a workbook .xlsx, or save it as CSV)"
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel workbook, or one with a password (save it as .xlsx or CSV, without a password)"
    if start.startswith(GZIP):
        return "compressed with gzip twice (unpack it once)"
    if start.startswith((b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!")):
        return "compressed in a format other than gzip (unpack it)"
    if start.startswith(b"PAR1"):
        return "a Parquet file (name it .parquet)"
    if start.startswith(b"%PDF"):
        return "a PDF document"
    if start.startswith(b"SQLite format 3\0"):
        return "an SQLite database (name it as sqlite:///FILE, with a query)"
    if _PAGE.match(start):
        return "a web page or XML (was a log-in page downloaded instead of the file?)"
    return None


def unreadable(path: Path | str, after: int, error: Exception) -> InvalidInputError:
    """Return the error for a file that cannot be read, or not beyond a line.

    Args:
        path: The file, or its name in messages.
        after: The last line that could be read; 0 for none.
        error: The operating system's error, or the ValueError for a path with a NUL character.
    """
    reason = getattr(error, "strerror", None) or error
    if isinstance(error, (EOFError, zlib.error)) or (isinstance(error, OSError) and not error.strerror):
        reason = "the gzip data is damaged or incomplete"
    msg = f"{path} cannot be read: {reason}" if not after else f"{path} cannot be read after line {after}: {reason}"
    return InvalidInputError(msg, file=str(path), row=after or None)
