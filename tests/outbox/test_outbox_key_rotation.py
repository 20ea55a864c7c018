"""A `PasswordSeal` from a secret store encrypts with the key that the store holds when an intent is written."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from ethora_async import NewUser, outbox
from ethora_async.outbox import PasswordSeal, open_store, passwords
from ethora_async.outbox.passwords import UnopenedPasswordError
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "old-" + "k" * 40, "new-" + "k" * 40
ANN = NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="Lee", password="a-password")
BOB = NewUser(id="bob", email="bob@example.com", first_name="Bob", last_name="Lee")


class Outbox:
    """An outbox in SQLite, and a file with its key."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "app.db"
        self._store = folder / "store.json"

    def hold(self, key: str) -> None:
        self._store.write_text(json.dumps({"ETHORA_OUTBOX_KEY": key}))

    def lose(self) -> None:
        self._store.unlink()

    async def seal(self) -> PasswordSeal:
        return await PasswordSeal.from_secrets(self._store.as_uri())

    def sealed(self) -> list[str | None]:
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute("SELECT json_extract(wanted, '$.sealed_password') FROM ethora_wish ORDER BY id")
            return [text for (text,) in rows]


@pytest.fixture
async def made(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path)
    store = open_store(f"sqlite:///{outbox.database}")
    await store.init()
    await store.aclose()
    outbox.hold(OLD)
    return outbox


def opened_by(key: str, sealed: str | None) -> bool:
    try:
        return PasswordSeal(key).open("ann", sealed) == Secret("a-password")
    except UnopenedPasswordError:
        return False


@pytest.mark.parametrize("every", [0.0, 60.0])
async def test_a_new_key_is_used_on_an_awaited_connection(
    made: Outbox, monkeypatch: pytest.MonkeyPatch, every: float
) -> None:
    seal = await made.seal()
    monkeypatch.setattr(passwords, "FOLLOWED_EVERY", every)
    made.hold(NEW)
    async with aiosqlite.connect(made.database) as connection:
        await outbox.want_users(connection, [ANN, BOB], seal=seal)
        await connection.commit()
    sealed, none = made.sealed()
    assert opened_by(NEW if every == 0 else OLD, sealed)
    assert not opened_by(OLD if every == 0 else NEW, sealed)
    assert none is None


def test_a_new_key_is_used_on_a_blocking_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def start() -> tuple[Outbox, PasswordSeal]:
        made = Outbox(tmp_path)
        store = open_store(f"sqlite:///{made.database}")
        await store.init()
        await store.aclose()
        made.hold(OLD)
        return made, await made.seal()

    made, seal = asyncio.run(start())
    monkeypatch.setattr(passwords, "FOLLOWED_EVERY", 0.0)
    made.hold(NEW)
    with closing(sqlite3.connect(made.database)) as connection, connection:
        outbox.want_user(connection, ANN, seal=seal)  # type: ignore[unused-awaitable]
    assert [opened_by(NEW, one) for one in made.sealed()] == [True]


@pytest.mark.parametrize("then", ["gone", "short", "without"])
async def test_a_store_that_has_no_key_now_leaves_the_known_one(
    made: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, then: str
) -> None:
    seal = await made.seal()
    monkeypatch.setattr(passwords, "FOLLOWED_EVERY", 0.0)
    made.lose() if then == "gone" else made.hold("short" if then == "short" else "")
    async with aiosqlite.connect(made.database) as connection:
        await outbox.want_user(connection, ANN, seal=seal)
        await connection.commit()
    assert [opened_by(OLD, one) for one in made.sealed()] == [True]
    assert "the key that was read before stays in use" in caplog.text


async def test_a_seal_with_a_key_of_its_own_follows_nothing(made: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "FOLLOWED_EVERY", 0.0)
    seal = PasswordSeal(OLD)
    assert not seal.stale
    await seal.refresh()
    seal.refresh_blocking()
    assert opened_by(OLD, seal.seal("ann", Secret("a-password")))
