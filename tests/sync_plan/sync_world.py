"""What tests of the sync engine share: rows, sources, and a process that dies like a real one."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fake_platform import Crash
from fake_source import FakeSource

from ethora_async.records import NewChat, NewUser
from ethora_async.sync.store import journal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from ethora_async.sync.sources.source import BadRow


def person(id: str, **fields: Any) -> NewUser:
    return NewUser(**{"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee", **fields})


def people(*ids: str, **fields: Any) -> FakeSource[NewUser]:
    return FakeSource([person(id, **fields) for id in ids], "people.csv")


def users_of(rows: Iterable[NewUser | BadRow]) -> FakeSource[NewUser]:
    return FakeSource(rows, "people.csv")


def chats_of(*ids: str, **fields: Any) -> FakeSource[NewChat]:
    return FakeSource([NewChat(**{"id": id, "title": "Chat", **fields}) for id in ids], "chats.csv")


def members_of(*pairs: tuple[str, str]) -> FakeSource[tuple[str, str]]:
    return FakeSource(pairs, "members.csv")


def survivors(path: Path, into: Path) -> Path:
    """The files of a journal as ``kill -9`` leaves them now, elsewhere: nobody closes or tidies anything."""
    into.mkdir()
    for end in ("", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        if file.exists():
            shutil.copyfile(file, into / file.name)
    return into / path.name


class Process:
    """Dies at one of its journal's transactions: before it begins, or once it is committed.

    `then` is called at that moment, in the journal's own thread, so that nothing is being written meanwhile.
    """

    def __init__(self, at: int, *, after_commit: bool, then: Callable[[], None] = lambda: None) -> None:
        self._left = at
        self._after_commit = after_commit
        self._then = then
        self.dead = False

    def transaction(self, database: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Any:
        if self.dead:
            raise Crash
        self._left -= 1
        if self._left == 0 and not self._after_commit:
            self._die()
        result = _real(database, work)
        if self._left == 0:
            self._die()
        return result

    def _die(self) -> None:
        self.dead = True
        self._then()
        raise Crash


_real = journal._in_transaction


@contextmanager
def mortal(process: Process | None) -> Iterator[None]:
    """Inside, every journal's transactions are those of this process."""
    journal._in_transaction = process.transaction if process is not None else _real
    try:
        yield
    finally:
        journal._in_transaction = _real
