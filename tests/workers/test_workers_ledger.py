"""The ledger: claims, their fence, the order of steps, and what is recorded together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from workers_helpers import CREATE, chunks, users

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.store.items import Entry
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.ledger import Chunk, Ledger, Result, Step
from ethora_async.workers.worker import engine_schema

if TYPE_CHECKING:
    from postgres_server import Postgres

GRANT = Step(2, "member", "grant")


def all_of(chunk: Chunk, status: str = "created", reason: str | None = None) -> list[Result]:
    return [Result(entry.number, entry.name, status, reason) for entry in chunk.entries]  # type: ignore[arg-type]


async def claimed(ledger: Ledger, run: str, step: int, number: int) -> Chunk:
    chunk = await ledger.claim(run, step, number)
    assert chunk is not None
    return chunk


def jobs(postgres: Postgres) -> list[tuple[int, int]]:
    query = "SELECT args->>'step', args->>'number' FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
    return [(int(step), int(number)) for step, number in postgres.run(query)]


async def test_a_step_begins_when_the_one_before_has_ended(ledger: Ledger, postgres: Postgres) -> None:
    await ledger.init(engine_schema())  # once more does no harm
    member = [Entry(9, 2, "member", "grant", "room", "u1")]
    run = await ledger.push("p", [(CREATE, chunks(users(2), users(1, 3))), (GRANT, chunks(member))])
    assert jobs(postgres) == [(1, 1), (1, 2)]
    assert await ledger.claim(run, 2, 1) is None
    first, second = await claimed(ledger, run, 1, 1), await claimed(ledger, run, 1, 2)
    assert [entry.after for entry in first.entries] == [entry.after for entry in users(2)]
    # Both end at the same moment: one of them begins the next step, and only one.
    assert await asyncio.gather(ledger.finish(first, all_of(first)), ledger.finish(second, all_of(second)))
    assert jobs(postgres)[2:] == [(2, 1)]
    third = await claimed(ledger, run, 2, 1)
    assert third.entries[0].name == "room/u1"
    assert (await ledger.status(run)).state == "running"
    assert await ledger.finish(third, all_of(third))
    status = await ledger.status(run)
    assert (status.state, status.total, status.done, status.failed) == ("done", 4, 4, 0)
    assert status.counts == {("user", "create", "created"): 3, ("member", "grant", "created"): 1}


async def test_a_claim_that_was_taken_over_ends_nothing(ledger: Ledger) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(2)))])
    slow = await claimed(ledger, run, 1, 1)
    quick = await claimed(ledger, run, 1, 1)
    assert quick.attempts == 2
    assert not await ledger.finish(slow, all_of(slow, "failed", "too late"))
    assert await ledger.failures(run) == []
    assert await ledger.finish(quick, all_of(quick))
    assert not await ledger.finish(quick, all_of(quick, "failed"))
    assert await ledger.claim(run, 1, 1) is None
    assert (await ledger.status(run)).counts == {("user", "create", "created"): 2}


async def test_failures_are_kept_with_their_reasons_and_retried_alone(ledger: Ledger, postgres: Postgres) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(3), users(2, 4)))])
    for number in (1, 2):
        chunk = await claimed(ledger, run, 1, number)
        results = all_of(chunk)
        if number == 1:
            results[1] = Result(2, "u2", "failed", "taken")
        await ledger.finish(chunk, results)
    assert (await ledger.status(run)).state == "failed"
    assert await ledger.failures(run) == [Result(2, "u2", "failed", "taken")]
    postgres.run("DELETE FROM procrastinate_jobs", "SELECT 1")
    assert await ledger.retry(run) == 3
    assert jobs(postgres) == [(1, 1)]
    again = await claimed(ledger, run, 1, 1)
    assert again.outcomes == "c.c"
    await ledger.finish(again, [Result(2, "u2", "created")])
    status = await ledger.status(run)
    assert (status.state, status.done, status.failed) == ("done", 5, 0)
    assert await ledger.failures(run) == []


async def test_users_of_the_planner_hold_the_step_up_until_they_are_given_up(ledger: Ledger) -> None:
    step = Step(1, "user", "create", local=2)
    run = await ledger.push("p", [(step, chunks(users(1)))])
    chunk = await claimed(ledger, run, 1, 1)
    await ledger.finish(chunk, all_of(chunk))
    assert (await ledger.status(run)).state == "running"
    own = await claimed(ledger, run, 1, 0)
    assert await ledger.give_up_local(run, "the planner is gone") == 2
    assert not await ledger.finish(own, [Result(2, "u2", "created"), Result(3, "u3", "created")])
    status = await ledger.status(run)
    assert (status.state, status.failed) == ("failed", 2)
    assert [one.reason for one in await ledger.failures(run)] == ["the planner is gone"]


async def test_an_empty_plan_is_done_at_once(ledger: Ledger) -> None:
    run = await ledger.push("p", [])
    assert (await ledger.status(run)).state == "done"
    assert [one.run for one in await ledger.runs()] == [run]


async def test_a_push_that_fails_leaves_nothing(ledger: Ledger) -> None:
    async def broken() -> object:
        yield users(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await ledger.push("p", [(CREATE, broken())])  # type: ignore[arg-type, list-item]
    assert await ledger.runs() == []


@pytest.mark.parametrize("call", ["status", "retry"])
async def test_a_run_that_is_not_there_is_named(ledger: Ledger, call: str) -> None:
    with pytest.raises(InvalidInputError, match=r"no run nine.*ethora runs"):
        await getattr(ledger, call)("nine")


@pytest.mark.parametrize("url", ["", "mysql://x/y", "postgresql://[", "host=x", "file.db"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="postgresql://"):
        Database(url)


async def test_a_database_that_is_away_is_told_without_its_password(unused_tcp_port: int) -> None:
    database = Database(f"postgresql://me:canary-password@127.0.0.1:{unused_tcp_port}/db")
    with pytest.raises(WorkersDatabaseError) as caught:
        await Ledger(database).runs()
    assert "canary-password" not in f"{caught.value!r}{caught.value.__cause__!r}{database!r}"
    assert str(unused_tcp_port) in str(caught.value)


async def test_a_database_without_tables_says_what_to_do(postgres: Postgres, url: str) -> None:
    database = Database(url.rsplit("/", 1)[0] + "/template1")
    with pytest.raises(ConfigError, match="ethora apply --workers"):
        await Ledger(database).check()
    await database.aclose()
