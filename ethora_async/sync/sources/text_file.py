"""What is checked of any file before its rows are read. Everything here blocks."""

from __future__ import annotations

import codecs
import stat
from typing import TYPE_CHECKING

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def check_regular(path: Path) -> None:
    """Refuse what cannot be read from its beginning more than once, or not at all.

    Raises:
        InvalidInputError: there is no such file, it is a directory, a pipe or a device, or cannot be read.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            msg = f"{path} is not a regular file: save what it gives to one, which can be read more than once"
            raise InvalidInputError(msg, file=str(path))
        with path.open("rb"):
            pass
    except InvalidInputError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(path, 0, error) from None


def start_of(path: Path, wanted: str) -> bytes:
    """The first four bytes of a text file.

    Raises:
        InvalidInputError: as `check_regular`; or it is UTF-16, and should be saved as `wanted`.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise unreadable(path, 0, error) from None
    if start.startswith(_WIDE_BOMS) or b"\0" in start:
        msg = f"{path} is UTF-16, not UTF-8: save it as {wanted}"
        raise InvalidInputError(msg, file=str(path), row=1)
    return start


def unreadable(path: Path, after: int, error: Exception) -> InvalidInputError:
    """What to raise for an error of the operating system's; `after` is the last line that could be read.

    A ValueError comes from a path with a NUL in it.
    """
    reason = getattr(error, "strerror", None) or error
    msg = f"{path} cannot be read: {reason}" if not after else f"{path} cannot be read after line {after}: {reason}"
    return InvalidInputError(msg, file=str(path), row=after or None)
