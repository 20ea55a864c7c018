"""The file of a report: created exclusively, readable by its owner alone; only a report is ever replaced."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ethora_async.errors import InvalidInputError

BEGINNING = b'<!DOCTYPE html>\n<html lang="en" data-ethora-report="1">\n'
"""How every report begins, and so how one is recognised."""


def check_target(place: Path) -> None:
    """Check that a report may be written, before the run begins.

    Raises:
        InvalidInputError: There is another file, or none can be created there.
    """
    if os.path.lexists(place):
        if not _is_report(place):
            msg = f"{place} exists and is no report: only a report is ever replaced; name another file"
            raise InvalidInputError(msg, field="report", file=str(place))
    elif not place.parent.is_dir():
        msg = f"{place} cannot be written: there is no directory {place.parent}"
        raise InvalidInputError(msg, field="report", file=str(place))
    if not os.access(place.parent, os.W_OK):
        msg = f"{place} cannot be written: no files may be created in {place.parent}"
        raise InvalidInputError(msg, field="report", file=str(place))


def write_report(place: Path, text: str) -> None:
    """Write a report; it appears whole or not at all.

    Raises:
        InvalidInputError: There is another file by now.
        OSError: It cannot be written.
    """
    # A draft under a name that nobody can guess, created exclusively with mode 0600.
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
    """Take the name, or make sure that a report has it; return whether it was free."""
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
