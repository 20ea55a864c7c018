"""No password of a database or a user shows in errors, logs, reprs, frames or rows; neither does the sealing key."""

from __future__ import annotations

import copy
import logging
import pickle
import sqlite3
import traceback
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from managed_platforms import platform_of
from test_outbox_worker import applied, user, want

from ethora_async import ConfigError, InvalidInputError, outbox
from ethora_async.outbox import OutboxDatabaseError, PasswordSeal, Worker, open_store
from ethora_async.outbox.passwords import UnopenedPasswordError
from ethora_async.redaction import Secret
from ethora_async.testing.implementers import Canary
from ethora_async_secrets import SecretBundle, StaticProvider

if TYPE_CHECKING:
    from ethora_async.outbox.lanes import Store

DATABASE = "canary-database-password"
PASSWORD = "canary-user-password"
KEY = "canary-key-" + "k" * 32
SHORT = "canary-short"


def frames(error: BaseException) -> str:
    """Return the traceback with every local variable, as error reporters show it."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


async def test_a_database_that_does_not_answer_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = open_store(f"postgresql://app:{DATABASE}@127.0.0.1:1/x")
    with Canary(DATABASE) as canary:
        with pytest.raises(OutboxDatabaseError) as caught:
            await store.check()
        canary.check(caught.value, store, frames(caught.value))
        async with Worker(None, store) as worker:
            canary.check(worker)
        await store.aclose()


@pytest.mark.parametrize("url", [f"postgresql://app:{DATABASE}@[bad", f"mysql://app:{DATABASE}@x/y", DATABASE])
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with Canary(DATABASE) as canary:
        with pytest.raises(InvalidInputError) as caught:
            open_store(url)
        canary.check(caught.value)


async def test_a_users_password_shows_nowhere(store: Any) -> None:
    seal = PasswordSeal(KEY)
    events: list[object] = []
    with Canary(PASSWORD, KEY) as canary:
        with pytest.raises(InvalidInputError) as caught:
            outbox.want_user(None, user("ann", password=PASSWORD))  # type: ignore[unused-awaitable]
        canary.check(caught.value, seal)
        async with platform_of("ethora") as platform:
            await want(
                store, (lambda connection: outbox.want_user(connection, user("ann", password=PASSWORD), seal=seal),)
            )
            turn = await store.take(1, 0.01)
            canary.check(turn, turn.lanes, [lane.wanted for lane in turn.lanes])
            await applied(platform, store, seal=seal, on_event=events.append)
        canary.check(events, await store.status())


def test_a_seal_is_neither_pickled_nor_copied() -> None:
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leave(PasswordSeal(KEY))  # type: ignore[operator]


def test_a_sealed_password_opens_for_its_user_and_with_its_key_alone() -> None:
    sealed = PasswordSeal(KEY).seal("ann", Secret(PASSWORD))
    assert PasswordSeal("n" * 32, KEY).open("ann", sealed) == Secret(PASSWORD)
    for seal, id, text in (
        (PasswordSeal("n" * 32), "ann", sealed),
        (PasswordSeal(KEY), "bob", sealed),
        (PasswordSeal(KEY), "ann", sealed[:-2]),
        (PasswordSeal(KEY), "ann", "nonsense"),
        (PasswordSeal(KEY), "ann", 7),
        (PasswordSeal(KEY), "ann", "." * 100_000),
    ):
        with Canary(PASSWORD, KEY) as canary:
            with pytest.raises(UnopenedPasswordError) as caught:
                seal.open(id, text)
            canary.check(caught.value)


def test_a_key_that_is_too_short_is_refused_unrepeated() -> None:
    with Canary(SHORT) as canary:
        with pytest.raises(ConfigError, match="openssl rand") as caught:
            PasswordSeal(SHORT)
        canary.check(caught.value)


async def test_the_key_comes_from_a_secret_store(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = PasswordSeal(KEY).seal("ann", Secret(PASSWORD))
    provider = StaticProvider(
        SecretBundle.from_names({"ETHORA_OUTBOX_KEY": "n" * 40, "ETHORA_OUTBOX_KEY_PREVIOUS": KEY})
    )
    assert (await PasswordSeal.from_secrets(provider)).open("ann", sealed) == Secret(PASSWORD)
    with pytest.raises(ConfigError, match="ETHORA_OUTBOX_KEY"):
        await PasswordSeal.from_secrets(StaticProvider({"OTHER": "x"}))
    with pytest.raises(ConfigError, match="ETHORA_OUTBOX_KEY"):
        await PasswordSeal.from_secrets("file:///nowhere/secrets.json")
    with pytest.raises(ConfigError, match="ETHORA_OUTBOX_KEY"):
        PasswordSeal.from_env()
    monkeypatch.setenv("ETHORA_OUTBOX_KEY", KEY)
    assert PasswordSeal.from_env().open("ann", sealed) == Secret(PASSWORD)


async def test_a_password_of_an_unknown_key_is_a_dead_letter(store: Store) -> None:
    async with platform_of("ethora") as platform:
        await want(
            store,
            (lambda connection: outbox.want_user(connection, user("ann", password=PASSWORD), seal=PasswordSeal(KEY)),),
        )
        await applied(platform, store, seal=StaticProvider({"ETHORA_OUTBOX_KEY": "n" * 40}))
        (dead,) = await store.dead()
        assert "not sealed with the ETHORA_OUTBOX_KEY" in dead.reason


def test_nothing_is_written_in_clear(tmp_path: Any) -> None:
    from ethora_async.outbox.sqlite import schema

    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in schema.CREATE:
            connection.execute(statement)
        outbox.want_user(connection, user("ann", password=PASSWORD), seal=PasswordSeal(KEY))  # type: ignore[unused-awaitable]
        connection.commit()
    assert PASSWORD.encode() not in path.read_bytes()
