"""A journal's file: created atomically, private to its owner, open in one process at a time, never another file."""

# ruff: noqa: ASYNC240  the loop of a test may wait for its own files

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.errors import ChatError, InvalidInputError
from ethora_async.sync.store import file as journal_file
from ethora_async.sync.store.items import Entry
from ethora_async.sync.store.journal import Journal
from ethora_async.sync.store.schema import KNOWN
from ethora_async.testing.implementers import cancel_at_every_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import asyncio, sys
from ethora_async.sync.store.journal import Journal
async def main():
    async with await Journal.open(sys.argv[1]) as journal:
        await journal.set_meta(seen=1)
        print("open", flush=True)
        sys.stdin.read()
asyncio.run(main())
"""


def item(key: str, step: int = 1, **fields: Any) -> Entry:
    return Entry(0, step, "user", "create", key, **fields)


async def journal_with(path: Path, *keys: str) -> Journal:
    journal = await Journal.create(path)
    await journal.add([item(key) for key in keys])
    return journal


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the journal open, until its input ends."""
    asyncio.run(_made(tmp_path / "j"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "j")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


async def _made(path: Path) -> None:
    await (await journal_with(path, "u1")).aclose()


async def test_what_was_kept_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1", "u2", "u3") as journal:
        await journal.set_meta(recipe={"users": ["people.csv"]}, nothing=None)
        await journal.mark_sent([1, 2])
        await journal.mark_known([("created", None, 2, 1)])
    assert [file.name for file in tmp_path.iterdir()] == ["j"]
    async with await Journal.open(tmp_path / "j") as journal:
        assert await journal.meta("recipe") == {"users": ["people.csv"]}
        assert [await journal.meta(name, "else") for name in ("nothing", "never")] == [None, "else"]
        assert await journal.take_up() == 2
        assert [(one.key, one.status) for one in await journal.entries(limit=9)] == [
            ("u1", "created"), ("u2", None), ("u3", None),
        ]  # fmt: skip
        assert await journal.counts() == {("user", "create", "created"): 1, ("user", "create", None): 2}
    assert [file.name for file in tmp_path.iterdir()] == ["j"]


async def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with await journal_with(tmp_path / "j", "u1"):
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"j": 0o600, "j-wal": 0o600}


async def test_one_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1"):
        pass
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(InvalidInputError, match=r"j exists already: resume it, or name another journal"):
        await Journal.create(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["j"]


async def test_one_that_another_run_has_made_a_moment_ago_is_in_use(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1"):
        with pytest.raises(InvalidInputError, match=r"j is in use by another process: wait for its end"):
            await Journal.create(tmp_path / "j")
    assert [file.name for file in tmp_path.iterdir()] == ["j"]


async def test_nor_on_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(journal_file.os, "link", refused)
    async with await journal_with(tmp_path / "j", "u1"):
        pass
    with pytest.raises(InvalidInputError, match="exists already"):
        await Journal.create(tmp_path / "j")
    assert [file.name for file in tmp_path.iterdir()] == ["j"]
    async with await Journal.open(tmp_path / "j") as journal:
        assert len(await journal.entries(limit=9)) == 1


async def test_a_temporary_one_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with await Journal.create() as journal:
        await journal.add([item("u1")])
        assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", ["text", "empty", "directory", "nothing", "database", "odd", "number"])
async def test_what_is_no_journal_is_told_and_left_alone(tmp_path: Path, make: str) -> None:
    path = tmp_path / "file"
    if make == "directory":
        path.mkdir()
    elif make in ("database", "odd", "number"):
        value = {
            "database": "",
            "odd": "INSERT INTO meta VALUES ('format', 'x')",
            "number": "INSERT INTO meta VALUES ('format', 7)",
        }
        table = "other (a)" if make == "database" else "meta (name, value)"
        with sqlite3.connect(path) as database:
            database.executescript(f"CREATE TABLE {table}; {value[make]}")
        database.close()
    elif make != "nothing":
        path.write_bytes(b"" if make == "empty" else b"id,email\n" * 200)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InvalidInputError, match=r"does not exist|is not a journal|newer version"):
        await Journal.open(path)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert len(list(tmp_path.iterdir())) == (make != "nothing")


async def test_a_newer_one_is_refused(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1") as journal:
        await journal.set_meta(format=journal_file.FORMAT + 1)
    with pytest.raises(InvalidInputError, match="written by a newer version: update ethora-async"):
        await Journal.open(tmp_path / "j")


async def test_two_in_one_process_do_not_share_it(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1") as journal:
        with pytest.raises(InvalidInputError, match="in use by another process"):
            await Journal.open(tmp_path / "j")
        await journal.mark_sent([1])


def test_another_process_keeps_it_until_it_ends(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(InvalidInputError, match="in use by another process: wait for its end"):
        asyncio.run(_open(tmp_path / "j"))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    asyncio.run(_open(tmp_path / "j"))


def test_of_two_processes_that_open_it_at_once_one_gets_it(tmp_path: Path) -> None:
    asyncio.run(_made(tmp_path / "j"))
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "j")]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        # The loser ends by itself; the winner goes on until its input ends.
        lost = _first_to_end(both)
        won = next(process for process in both if process is not lost)
        assert lost.communicate()[1].strip().endswith("in use by another process: wait for its end")
        assert won.communicate()[0] == "open\n"
        assert won.returncode == 0
    finally:
        for process in both:
            process.kill()
            process.communicate()


def _first_to_end(processes: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    ended: list[subprocess.Popen[str]] = []
    any_ended = threading.Event()

    def watch(process: subprocess.Popen[str]) -> None:
        process.wait()
        ended.append(process)
        any_ended.set()

    for process in processes:
        threading.Thread(target=watch, args=(process,), daemon=True).start()
    assert any_ended.wait(60)
    return ended[0]


async def _open(path: Path) -> None:
    async with await Journal.open(path) as journal:
        assert len(await journal.entries(limit=9)) == 1


async def test_copied_mid_run_with_its_log_it_opens_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with await journal_with(tmp_path / "j", "u1", "u2") as journal:
        await journal.mark_sent([1])
        shutil.copytree(tmp_path, elsewhere)
        await journal.mark_sent([2])
    assert (elsewhere / "j-wal").exists()
    async with await Journal.open(elsewhere / "j") as journal:
        states = await journal._transaction(lambda db: db.execute("SELECT state FROM item ORDER BY number").fetchall())
    assert states == [(1,), (0,)]


async def test_a_half_written_log_loses_its_last_transaction_only(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with await journal_with(tmp_path / "j", "u1", "u2") as journal:
        await journal.mark_sent([1])
        await journal.mark_sent([2])
        shutil.copytree(tmp_path, elsewhere)
    log = elsewhere / "j-wal"
    log.write_bytes(log.read_bytes()[:-100])
    async with await Journal.open(elsewhere / "j") as journal:
        states = await journal._transaction(lambda db: db.execute("SELECT state FROM item ORDER BY number").fetchall())
        sound = await journal._transaction(lambda db: db.execute("PRAGMA integrity_check").fetchall())
    assert (states, sound) == ([(1,), (0,)], [("ok",)])


async def test_a_transaction_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    def work(database: sqlite3.Connection) -> None:
        database.execute("UPDATE item SET state = 1")
        raise ValueError("half way")

    async with await journal_with(tmp_path / "j", "u1") as journal:
        with pytest.raises(ValueError, match="half way"):
            await journal._transaction(work)
        assert await journal._transaction(
            lambda db: db.execute("SELECT state FROM item ORDER BY number").fetchall()
        ) == [(0,)]


async def test_a_closed_one_says_so(tmp_path: Path) -> None:
    journal = await journal_with(tmp_path / "j", "u1")
    await journal.aclose()
    await journal.aclose()
    with pytest.raises(InvalidInputError, match="is closed"):
        await asyncio.wait_for(journal.counts(), 30)


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none/j cannot be written: No such file or directory"):
        await Journal.create(tmp_path / "none" / "j")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_directory_that_must_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidInputError, match="cannot be written: Permission denied"):
        await Journal.create(tmp_path / "j")


FULL = """
import asyncio, resource, signal, sys
from ethora_async.sync.store import Entry, Journal
from ethora_async.errors import ChatError, InvalidInputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    if sys.argv[2] == "create":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            await Journal.create(sys.argv[1])
        except InvalidInputError as error:
            print(error)
        return
    async with await Journal.create(sys.argv[1]) as journal:
        await journal.add([Entry(0, 1, "user", "create", "u1")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            for number in range(1000):
                await journal.add([Entry(0, 1, "user", "create", f"{number:0>5000}")])
        except ChatError as error:
            print(error)
        print(sum((await journal.counts()).values()) == number + 1)
asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["create", "use"])
def test_a_full_disk_is_told_and_damages_nothing(tmp_path: Path, moment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "j"), moment], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    if moment == "create":
        assert "cannot be written" in done.stdout
        assert not list(tmp_path.iterdir())
        return
    assert done.stdout.splitlines()[0].startswith(f"the journal {tmp_path}/j cannot be used: ")
    assert done.stdout.splitlines()[1] == "True"
    asyncio.run(_sound(tmp_path / "j"))


async def _sound(path: Path) -> None:
    async with await Journal.open(path) as journal:
        assert await journal._transaction(lambda db: db.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
        assert (await journal.entries(limit=1))[0].key == "u1"


async def test_cancelled_anywhere_it_lets_go_and_keeps_whole_transactions(tmp_path: Path) -> None:
    rounds = iter(range(1000))
    path = tmp_path

    async def scenario() -> None:
        nonlocal path
        path = tmp_path / str(next(rounds))
        async with await Journal.create(path) as journal:
            await journal.add([item("u1"), item("u2")])
            await journal.mark_sent([1, 2])
            await journal.mark_known([("created", None, 1, 1), ("failed", "why", 1, 2)])
            await journal.take_up()

    async def check() -> None:
        if not path.exists():
            return
        # Its thread may still be at what was cancelled, and closes the file after that; opening waits a moment.
        async with await Journal.open(path) as journal:
            states = await journal._transaction(
                lambda db: db.execute("SELECT state FROM item ORDER BY number").fetchall()
            )
            assert states in ([], [(0,), (0,)], [(1,), (1,)], [(KNOWN,), (KNOWN,)], [(KNOWN,), (0,)])

    assert await cancel_at_every_step(scenario, check=check) >= 6
    for thread in threading.enumerate():
        if thread.name.startswith("ethora-journal"):
            thread.join(30)
            assert not thread.is_alive()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".ethora-")]


async def test_what_is_known_stays_known_when_it_is_told_twice(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1") as journal:
        await journal.mark_sent([1])
        await journal.mark_known([("created", None, 2, 1)])
        await journal.mark_known([("failed", "late", 5, 1)])
        rows = await journal._transaction(lambda db: db.execute("SELECT status, reason, attempts FROM item").fetchall())
    assert rows == [("created", None, 2)]


async def test_what_was_sent_and_lost_counts_as_ours_when_it_is_found_done(tmp_path: Path) -> None:
    async with await Journal.create(tmp_path / "j") as journal:
        actions = ["create", "create", "delete", "delete", "update"]
        await journal.add([Entry(0, 1, "user", action, str(number)) for number, action in enumerate(actions)])
        await journal.mark_sent([1, 3, 5])
        assert await journal.take_up() == 5
        done = ["existed", "existed", "absent", "absent", "unchanged"]
        await journal.mark_known([(status, None, 1, number) for number, status in enumerate(done, 1)])  # type: ignore[misc]
        found = [entry.status for entry in await journal.entries(limit=9)]
    assert found == ["created", "existed", "deleted", "absent", "unchanged"]


async def test_what_is_refused_is_never_taken_up(tmp_path: Path) -> None:
    async with await journal_with(tmp_path / "j", "u1", "u2", "u3") as journal:
        await journal.refuse([("failed", "outrun", 0, 1)])
        await journal.mark_known([("failed", "no", 1, 2), ("unknown", "?", 1, 3)])
        assert await journal.take_up() == 2
        found = {entry.key: (entry.status, entry.reason) for entry in await journal.entries(limit=9)}
    assert found == {"u1": ("failed", "outrun"), "u2": (None, None), "u3": (None, None)}


@pytest.mark.parametrize("text", ["'{'", "'[1]'", "5", "x'ff'"])
async def test_a_damaged_record_is_named_as_damage(text: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.journal"
    async with await Journal.create(path) as journal:
        await journal.add([Entry(1, 5, "user", "create", "u1", after={"id": "u1"})])
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE item SET after = {text}")
        database.commit()
    async with await Journal.open(path) as journal:
        with pytest.raises(ChatError, match="damaged"):
            await journal.entries()


async def test_a_damaged_setting_is_named_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "damaged.journal"
    async with await Journal.create(path, meta={"state": "planned"}):
        pass
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = '{' WHERE name = 'state'")
        database.commit()
    async with await Journal.open(path) as journal:
        with pytest.raises(ChatError, match="damaged"):
            await journal.meta("state")
