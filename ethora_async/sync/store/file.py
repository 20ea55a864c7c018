"""The file of a journal: created atomically, opened by one process at a time, never confused with another file."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.sync.store.schema import SIDES

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 2
"""The version of the file format; newer files are rejected."""

_PAGES = -8_000
"""Cache size for SQLite, in KiB when negative: memory use does not grow with the file."""


def create_file(path: str | Path | None, tables: str, meta: Mapping[str, Any]) -> tuple[Path, sqlite3.Connection]:
    """Create a file with these tables and settings; None creates a temporary one.

    Returns:
        The path of the file, and its connection.

    Raises:
        InvalidInputError: `path` exists, or cannot be written.
    """
    place = None if path is None else Path(path)
    draft = Path(_temporary(None if place is None else place.parent, place))
    try:
        return _filled(draft, place, tables, meta)
    except (OSError, sqlite3.Error) as error:
        msg = f"{place or draft} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise InvalidInputError(msg, field="journal", file=str(place or draft)) from None


def _filled(draft: Path, place: Path | None, tables: str, meta: Mapping[str, Any]) -> tuple[Path, sqlite3.Connection]:
    try:
        database = _connected(draft)
    except BaseException:
        _unlink(draft)
        raise
    try:
        database.executescript(f"BEGIN; {tables}")
        rows = [
            {"name": name, "value": codec.dumps(value).decode()} for name, value in {"format": FORMAT, **meta}.items()
        ]
        database.executemany("INSERT INTO meta VALUES (:name, :value)", rows)
        database.execute("COMMIT")
        if place is None:
            return draft, database
        database.close()
        _publish(draft, place)
    except BaseException:
        database.close()
        _unlink(draft)
        raise
    return place, _connected(place)


def _temporary(directory: Path | None, wanted: Path | None) -> str:
    try:
        number, name = tempfile.mkstemp(prefix=".ethora-", suffix=".journal", dir=directory)
    except OSError as error:
        msg = f"{wanted or 'a temporary journal'} cannot be written: {error.strerror}"
        raise InvalidInputError(msg, field="journal", file=str(wanted) if wanted else None) from None
    os.close(number)
    return name


def _publish(draft: Path, place: Path) -> None:
    try:
        os.link(draft, place)
    except FileExistsError:
        _refuse_existing(place)
    except OSError:  # a file system without links
        if place.exists():
            _refuse_existing(place)
        draft.rename(place)
    else:
        draft.unlink()


def _refuse_existing(place: Path) -> NoReturn:
    # Another process may have published it a moment ago, and be at work on it.
    _, database = open_file(place)
    database.close()
    msg = f"{place} exists already: resume it, or name another journal"
    raise InvalidInputError(msg, field="journal", file=str(place))


def open_file(path: Path) -> tuple[Path, sqlite3.Connection]:
    """Open the file of an existing journal.

    Returns:
        The path of the file, and its connection.

    Raises:
        InvalidInputError: it does not exist, is not a journal, was written by another version, or another process has
            it open.
    """
    if not path.is_file():
        msg = f"{path} does not exist or is not a file: name the journal that ethora apply wrote"
        raise InvalidInputError(msg, field="journal", file=str(path))
    _check_format(path)
    try:
        return path, _connected(path)
    except sqlite3.OperationalError as error:
        raise _unreadable(path, error) from None


def _check_format(path: Path) -> None:
    # Read-only until it is known to be a journal: the user may have named another database.
    text = "0"
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{_unless_logged(path)}", uri=True, timeout=0.5)
        try:
            (text,) = database.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() or ("0",)
        finally:
            database.close()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise _unreadable(path, error) from None
    except sqlite3.DatabaseError:
        pass
    if text != str(FORMAT):
        msg = f"{path} is not a journal"
        if str(text).isdigit() and int(text) > 0:
            msg = (
                f"{path} was written by a newer version: update ethora-async"
                if int(text) > FORMAT
                else f"{path} was written by an older version: apply it with that, or make a new plan"
            )
        raise InvalidInputError(msg, field="journal", file=str(path))


def _unless_logged(path: Path) -> str:
    """Return the URI parameter for reading only the main file, if its write-ahead log is empty.

    A connection that reads the log too creates an index of it, and may be unable to remove that at its end.
    """
    log = Path(f"{path}-wal")
    return "" if log.exists() and log.stat().st_size else "&immutable=1"


def _unreadable(path: Path, error: sqlite3.OperationalError) -> InvalidInputError:
    in_use = "locked" in str(error)
    msg = (
        f"{path} is in use by another process: wait for its end" if in_use else f"{path} cannot be used: {told(error)}"
    )
    return InvalidInputError(msg, field="journal", file=str(path))


def told(error: sqlite3.Error) -> str:
    """Return SQLite's words for an error; a full disk often shows only as "disk I/O error"."""
    text = str(error)
    return f"{text}: is the disk full?" if text == "disk I/O error" else text


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
    try:
        # Exclusive: the lock holds from the first transaction until the connection, or its process, ends.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(f"PRAGMA cache_size={_PAGES}")
        database.execute("PRAGMA temp_store=FILE")
        database.executescript(SIDES)
        database.execute("BEGIN IMMEDIATE")
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def close_file(path: Path, database: sqlite3.Connection, *, temporary: bool) -> None:
    """Close the connection, and remove a temporary file."""
    # A full disk, for example: committed data stays in the write-ahead log beside the file.
    with suppress(sqlite3.Error):
        database.close()
    if temporary:
        _unlink(path)


def _unlink(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
