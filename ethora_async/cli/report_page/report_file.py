"""Write the file of a report: created exclusively, readable only by its owner; only a report is ever replaced."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ethora_async.errors import InvalidInputError

BEGINNING = b'<!DOCTYPE html>\n<html lang="en" data-ethora-report="1">\n'
"""The first line of every report, by which one is recognised."""


def check_target(place: Path) -> None:
    """Check that a report may be written, before the run begins.

    Raises:
        InvalidInputError: Another kind of file exists, or the file cannot be created.
    """
    if os.path.lexists(place):
        if not _is_report(place):
            msg = f"{place} exists and is not a report: only a report is ever replaced; name another file"
            raise InvalidInputError(msg, field="report", file=str(place))
    elif not place.parent.is_dir():
        msg = f"{place} cannot be written: there is no directory {place.parent}"
        raise InvalidInputError(msg, field="report", file=str(place))
    if not os.access(place.parent, os.W_OK):
        msg = f"{place} cannot be written: no files may be created in {place.parent}"
        raise InvalidInputError(msg, field="report", file=str(place))


def write_report(place: Path, text: str) -> None:
    """Write a report; it appears complete or not at all.

    Raises:
        InvalidInputError: Another file has appeared in the meantime.
        OSError: It cannot be written.
    """
    # A draft under an unguessable name, created exclusively with mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", suffix=".new", dir=place.parent)
    draft, claimed = Path(name), False
    try:
        with open(descriptor, "wb") as file:
            file.write(BEGINNING + text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        claimed = _claim(place)
        draft.replace(place)
    except BaseException:
        for left in (draft, place) if claimed else (draft,):
            with suppress(OSError):
                left.unlink()
        raise


def _claim(place: Path) -> bool:
    """Reserve the name, or check that a report has it; return whether it was free."""
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        check_target(place)
        return False
    return True


def _is_report(place: Path) -> bool:
    if place.is_symlink() or not place.is_file():
        return False
    try:
        with place.open("rb") as file:
            return file.read(len(BEGINNING)) == BEGINNING
    except OSError as error:
        msg = f"{place} cannot be read: {error.strerror}"
        raise InvalidInputError(msg, field="report", file=str(place)) from None
