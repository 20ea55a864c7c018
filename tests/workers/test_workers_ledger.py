"""The ledger: claims, their fence, the order of steps, and what is recorded together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from workers_helpers import CREATE, chunks, users

from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.sync.store.items import Entry
from ethora_async.workers.database import Database, WorkersDatabaseError
from ethora_async.workers.ledger import Chunk, ChunkItems, Ledger, Result, Step
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
        assert chunk.outcomes == "." * len(results)
        if number == 1:
            results[1] = Result(2, "u2", "failed", "taken")
        await ledger.finish(chunk, results)
    assert (await ledger.status(run)).state == "failed"
    assert await ledger.failures(run) == [Result(2, "u2", "failed", "taken")]
    postgres.run("DELETE FROM procrastinate_jobs", "SELECT 1")
    assert await ledger.retry(run) == 1
    assert jobs(postgres) == [(1, 1)]
    again = await claimed(ledger, run, 1, 1)
    assert again.outcomes == "c.c"
    await ledger.finish(again, [Result(2, "u2", "created")])
    status = await ledger.status(run)
    assert (status.state, status.done, status.failed) == ("done", 5, 0)
    assert await ledger.failures(run) == []


async def test_users_of_the_planner_hold_the_step_up_until_they_are_given_up(ledger: Ledger) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(1), local=users(2, 2)))])
    chunk = await claimed(ledger, run, 1, 1)
    await ledger.finish(chunk, all_of(chunk))
    assert (await ledger.status(run)).state == "running"
    assert await ledger.local_chunks(run, 1) == [2]
    own = await claimed(ledger, run, 1, 2)
    assert await ledger.give_up_local(run) == 2
    assert not await ledger.finish(own, all_of(own))
    status = await ledger.status(run)
    assert (status.state, status.failed, status.done) == ("failed", 2, 3)
    named = await ledger.failures(run)
    assert [one.name for one in named] == ["u2", "u3"]
    assert all("password" in (one.reason or "") and "ethora apply" in (one.reason or "") for one in named)
    # The others cannot do them either; their planning process can.
    assert await ledger.retry(run) == 0
    assert await ledger.retry(run, local=True) == 2
    own = await claimed(ledger, run, 1, 2)
    assert await ledger.finish(own, all_of(own))
    assert (await ledger.status(run)).state == "done"


async def test_an_empty_plan_is_done_at_once(ledger: Ledger) -> None:
    run = await ledger.push("p", [])
    assert (await ledger.status(run)).state == "done"
    assert [one.run for one in await ledger.runs()] == [run]


async def test_a_push_that_fails_leaves_nothing(ledger: Ledger) -> None:
    async def broken() -> object:
        yield ChunkItems(users(1))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await ledger.push("p", [(CREATE, broken())])  # type: ignore[list-item]
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


async def test_a_chunk_is_not_done_while_an_item_is_not_known(ledger: Ledger) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(3)))])
    chunk = await claimed(ledger, run, 1, 1)
    with pytest.raises(ValueError, match="unknown outcomes"):
        await ledger.finish(chunk, all_of(chunk)[:2])
    assert await ledger.keep(chunk, all_of(chunk)[:2])
    assert (await ledger.progress(run)).done == 2
    assert await ledger.keep(chunk, all_of(chunk)[:2])  # a commit whose reply was lost
    assert await ledger.finish(chunk, [*all_of(chunk)[:2], Result(3, "u3", "failed", "taken")])
    status = await ledger.progress(run)
    assert (status.done, status.failed, status.state) == (3, 1, "failed")


async def test_what_a_dead_worker_may_have_sent_is_known_to_the_next_one(ledger: Ledger) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(4)))])
    dead = await claimed(ledger, run, 1, 1)
    await ledger.keep(dead, all_of(dead)[:1])
    next_one = await claimed(ledger, run, 1, 1)
    assert next_one.outcomes == "c???"
    assert not await ledger.keep(dead, all_of(dead))
    # Trouble of the platform: this time it is known what was sent.
    assert await ledger.release(next_one, all_of(next_one)[1:2], frozenset({3}))
    third = await claimed(ledger, run, 1, 1)
    assert (third.outcomes, third.troubles) == ("cc??", 1)


async def test_memberships_of_users_that_were_not_created_fail_with_the_reason(ledger: Ledger) -> None:
    rooms = [Entry(8, 2, "chat", "create", "room", after={"id": "room", "title": "Room"})]
    members = [Entry(9 + place, 3, "member", "grant", "room", user) for place, user in enumerate(("u1", "u2"))]
    steps = [
        (CREATE, chunks(users(2))),
        (Step(2, "chat", "create"), chunks(rooms)),
        (Step(3, "member", "grant"), chunks(members)),
    ]
    run = await ledger.push("p", steps)
    people = await claimed(ledger, run, 1, 1)
    await ledger.finish(people, [Result(1, "u1", "failed", "taken"), Result(2, "u2", "created")])
    room = await claimed(ledger, run, 2, 1)
    await ledger.finish(room, all_of(room))
    assert (await claimed(ledger, run, 3, 1)).uncreated == {9: "the user u1 was not created"}


async def test_a_run_is_read_back_with_what_became_of_it(ledger: Ledger) -> None:
    run = await ledger.push("p", [(CREATE, chunks(users(2), users(2, 3), local=users(1, 5)))])
    chunk = await claimed(ledger, run, 1, 2)
    await ledger.finish(chunk, [Result(3, "u3", "failed", "taken"), Result(4, "u4", "existed")])
    pages = [page async for page in ledger.entries(run)]
    found = [(one.key, one.status, one.reason, one.needs_source) for page in pages for one in page]
    assert found == [
        ("u1", None, None, False), ("u2", None, None, False),
        ("u3", "failed", "taken", False), ("u4", "existed", None, False),
        ("u5", None, None, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["UPDATE ethora_workers SET version = 99"], "schema version 99.*upgrade"),
        (["UPDATE ethora_workers SET version = 0"], "schema version 0.*drop"),
        (["DELETE FROM ethora_workers"], "not of this package"),
        (["DROP TABLE ethora_failure"], "ethora_failure missing"),
        (["ALTER TABLE ethora_workers RENAME version TO other"], "not of this package"),
        (["ALTER TYPE procrastinate_job_to_defer_v1 RENAME TO older"], "procrastinate.*migrations"),
    ],
)
async def test_foreign_and_other_tables_are_named(
    postgres: Postgres, url: str, statements: list[str], says: str
) -> None:
    name = f"foreign{abs(hash((says, *statements)))}"
    postgres.run(f"CREATE DATABASE {name}")
    database = Database(url.rsplit("/", 1)[0] + f"/{name}")
    other = Ledger(database)
    await other.init(engine_schema())
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(statement.encode())
    try:
        for call in (other.check(), other.init(engine_schema())):
            with pytest.raises(ConfigError, match=says):
                await call
    finally:
        await database.aclose()


async def test_jobs_of_a_long_step_are_made_a_window_at_a_time(
    ledger: Ledger, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ethora_async.workers.schema.WINDOW", 4)
    local = users(1, 100)
    run = await ledger.push("p", [(CREATE, chunks(*[users(1, number) for number in range(1, 12)], local=local))])
    assert [number for _, number in jobs(postgres)] == [1, 2, 3, 4]
    made = []
    for number in range(1, 12):
        chunk = await claimed(ledger, run, 1, number)
        await ledger.finish(chunk, all_of(chunk))
        made.append(max(number for _, number in jobs(postgres)))
    assert made == [4, 6, 6, 8, 8, 10, 10, 11, 11, 11, 11]
    assert len(jobs(postgres)) == 11  # each once
    own = await claimed(ledger, run, 1, 12)
    await ledger.finish(own, all_of(own))
    assert (await ledger.progress(run)).state == "done"
    # What failed is deferred again from the first one on.
    for number in (3, 9):
        postgres.run(f"UPDATE ethora_chunk SET outcomes = 'f' WHERE number = {number}", "SELECT 1")
    postgres.run("DELETE FROM procrastinate_jobs", "SELECT 1")
    assert await ledger.retry(run) == 2
    assert [number for _, number in jobs(postgres)] == [3, 9]
