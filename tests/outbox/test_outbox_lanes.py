"""One contract for both databases: how intents become lanes, and who may touch those when."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ethora_async import ConfigError, InvalidInputError, ValidationFailedError
from ethora_async.outbox.delivery import _fields
from ethora_async.outbox.lanes import LaneKey, Verdict
from ethora_async.outbox.postgres.store import PostgresStore
from ethora_async.outbox.settling import settled
from ethora_async.outbox.sqlite.store import SqliteStore
from ethora_async.outbox.writing import Intent, write
from ethora_async.records import literal_id

if TYPE_CHECKING:
    from ethora_async.outbox.lanes import Lane, Store, Turn

ANN, BOB = LaneKey("user", "ann"), LaneKey("user", "bob")
ROOM = LaneKey("chat", "c")
ANN_IN_ROOM = LaneKey("member", "c", "ann")
LONG = 60.0


async def put(store: Any, *intents: tuple[LaneKey, dict[str, Any] | None]) -> None:
    """Write intents in a transaction of their own."""
    rows: list[Intent] = []
    for id, wanted in intents:
        rows.append({**id._asdict()} if wanted is None else {**id._asdict(), "wanted": wanted})
    if isinstance(store, PostgresStore):
        async with store._transaction() as connection:
            await write(connection, rows)
    else:
        with closing(sqlite3.connect(store._path, timeout=10)) as file, file:
            await write(file, rows)


async def taken(store: Store, lease: float = LONG) -> tuple[Turn, list[Lane]]:
    turn = await store.take(500, lease)
    return turn, sorted(turn.lanes, key=lambda lane: lane.id)


async def carried_out(store: Store) -> list[LaneKey]:
    """Claim everything that can be claimed now, and record it as done."""
    turn, lanes = await taken(store)
    assert await store.finish(turn.claim, [Verdict(lane, "done") for lane in lanes]) == len(lanes)
    return [lane.id for lane in lanes]


async def test_the_newest_intent_wins(store: Store) -> None:
    await put(store, (ANN, {"email": "1"}), (ANN, {"email": "2"}))
    await put(store, (ANN, {"email": "3"}), (BOB, None))
    turn, (ann, bob) = await taken(store)
    assert turn.folded == 4
    assert (ann.id, ann.wanted, ann.gone, ann.returns) == (ANN, {"email": "3"}, 0, False)
    assert (bob.id, bob.wanted, bob.returns) == (BOB, None, False)
    assert bob.gone == bob.version


async def test_who_was_wanted_gone_in_between_returns(store: Store) -> None:
    await put(store, (ANN, {"email": "1"}))
    await carried_out(store)
    await put(store, (ANN, None), (ANN, {"email": "2"}))
    turn, (ann,) = await taken(store)
    assert ann.returns
    assert await store.note_deleted(turn.claim, [ann]) == {ANN}
    # Somebody else goes on from there, after this worker's death: nobody is deleted twice.
    assert await store.finish(turn.claim, [Verdict(ann, "again")]) == 1
    _, (again,) = await taken(store)
    assert not again.returns
    assert again.wanted == {"email": "2"}


async def test_what_is_claimed_is_nobody_elses_until_its_lease_ends(store: Store) -> None:
    await put(store, (ANN, {}))
    first, lanes = await taken(store)
    assert (await taken(store))[1] == []
    assert await store.hold(first.claim, 0.01) == {ANN}
    await asyncio.sleep(0.05)
    second, again = await taken(store)
    assert [lane.id for lane in again] == [ANN]
    # Fencing: the first has lost it, whatever it thinks.
    assert await store.hold(first.claim, LONG) == frozenset()
    assert await store.note_deleted(first.claim, lanes) == frozenset()
    assert await store.finish(first.claim, [Verdict(lanes[0], "done")]) == 0
    assert await store.hold(second.claim, LONG) == {ANN}


async def test_a_newer_intent_waits_for_the_claim_and_is_then_carried_out(store: Store) -> None:
    await put(store, (ANN, {"email": "1"}))
    turn, lanes = await taken(store)
    await put(store, (ANN, {"email": "2"}))
    assert (await taken(store))[1] == []
    await store.finish(turn.claim, [Verdict(lanes[0], "done")])
    _, (newer,) = await taken(store)
    assert (newer.wanted, newer.done) == ({"email": "2"}, lanes[0].version)


@pytest.mark.parametrize("state", ["dead", "again"])
async def test_a_newer_intent_starts_afresh(store: Store, state: Any) -> None:
    await put(store, (ANN, {"email": "1"}))
    turn, lanes = await taken(store)
    await store.finish(turn.claim, [Verdict(lanes[0], state, "no", LONG, 7)])
    assert (await taken(store))[1] == []
    await put(store, (ANN, {"email": "2"}))
    _, (newer,) = await taken(store)
    assert (newer.wanted, newer.attempts) == ({"email": "2"}, 0)
    assert await store.dead() == []


async def test_what_may_still_arrive_is_waited_for(store: Store) -> None:
    """A request on its way must not meet what a newer intent asks for."""
    await put(store, (ANN, {"email": "1"}), (BOB, {"email": "2"}))
    turn, (ann, bob) = await taken(store)
    await store.finish(turn.claim, [Verdict(ann, "held", "lost", LONG), Verdict(bob, "held", "lost", 0.01)])
    await put(store, (ANN, None), (BOB, None))
    await asyncio.sleep(0.05)
    _, (newer,) = await taken(store)
    assert (newer.id, newer.wanted) == (BOB, None)


async def test_memberships_wait_for_their_user_and_their_chat(store: Store) -> None:
    await put(store, (ANN_IN_ROOM, {}), (ROOM, {"title": "T"}), (ANN, {}))
    assert await carried_out(store) == [ROOM, ANN]
    assert await carried_out(store) == [ANN_IN_ROOM]
    assert await carried_out(store) == []


@pytest.mark.parametrize("part", [ANN, ROOM])
async def test_a_user_or_a_chat_waits_for_memberships_in_hand(store: Store, part: LaneKey) -> None:
    """A pending grant must not apply to a user who was deleted and created again."""
    await put(store, (ANN_IN_ROOM, {}))
    turn, lanes = await taken(store)
    await put(store, (part, None), (part, {}))
    assert (await taken(store))[1] == []
    await store.finish(turn.claim, [Verdict(lanes[0], "done")])
    assert await carried_out(store) == [part]


@pytest.mark.parametrize("part", [ANN, ROOM])
async def test_memberships_end_with_their_user_or_chat(store: Store, part: LaneKey) -> None:
    others = [LaneKey("member", "d", "bob"), LaneKey("member", "ann", "c")]
    await put(store, (ANN_IN_ROOM, {}), *((other, {}) for other in others))
    await put(store, (part, None), (part, {}))
    assert await carried_out(store) == sorted([part, *others])
    assert await carried_out(store) == []
    await put(store, (ANN_IN_ROOM, {}))
    assert await carried_out(store) == [ANN_IN_ROOM]


async def test_a_membership_wanted_after_the_return_is_kept(store: Store) -> None:
    await put(store, (ANN, None), (ANN, {}), (ANN_IN_ROOM, {}))
    assert await carried_out(store) == [ANN]
    _, (member,) = await taken(store)
    assert (member.id, member.wanted) == (ANN_IN_ROOM, {})


async def test_an_intent_that_commits_late_does_not_undo_a_newer_one(postgres_url: str) -> None:
    """Numbers are given out at INSERT, and become visible at COMMIT."""
    store = PostgresStore(postgres_url)
    await store.init()
    async with await psycopg.AsyncConnection.connect(postgres_url) as late:
        await write(late, [{**ANN._asdict(), "wanted": {"email": "old"}}])
        await put(store, (ANN, {"email": "new"}))
        assert await carried_out(store) == [ANN]
        await late.commit()
    assert await carried_out(store) == []
    assert (await store._rows("SELECT wanted ->> 'email' FROM ethora_lane", {})) == [("new",)]
    await store.aclose()


async def test_dead_letters_are_told_retried_and_skipped(store: Store) -> None:
    await put(store, (ANN, {}), (BOB, {}), (ANN_IN_ROOM, {}))
    turn, lanes = await taken(store)
    await store.finish(turn.claim, [Verdict(lane, "dead", f"no {lane.id.name}", attempts=3) for lane in lanes])
    assert [(one.id, one.reason, one.attempts) for one in await store.dead()] == [
        (ANN, "no ann", 3),
        (BOB, "no bob", 3),
    ]
    status = await store.status()
    assert (status.dead, status.waiting, status.inbox) == ({"user": 2}, {"member": 1}, 0)
    assert await store.retry(LaneKey("user", "nobody")) == 0
    assert await store.retry(ANN) == 1
    assert await store.skip(BOB) == 1
    assert await store.dead() == []
    assert await carried_out(store) == [ANN]
    assert await store.retry() == await store.skip() == 0


async def test_the_status_counts(store: Store) -> None:
    assert (await store.status()).oldest == 0
    await put(store, (ANN, {}), (ROOM, {}))
    status = await store.status()
    assert (status.inbox, status.waiting, status.claimed) == (2, {}, 0)
    await taken(store)
    await put(store, (BOB, {}))
    status = await store.status()
    assert (status.inbox, status.waiting, status.claimed) == (1, {"user": 1, "chat": 1}, 2)
    assert 0 < status.oldest < LONG


async def test_what_was_carried_out_is_purged_later(store: Store) -> None:
    await put(store, (ANN, {"sealed_password": "x", "email": "e"}), (BOB, {}))
    turn, (ann, bob) = await taken(store)
    await store.finish(turn.claim, [Verdict(ann, "done"), Verdict(bob, "dead", "no")])
    assert await store.purge(LONG) == 0
    await asyncio.sleep(0.01)
    assert await store.purge(0.001) == 1
    assert [one.id for one in await store.dead()] == [BOB]


async def test_a_password_is_forgotten_once_it_was_used(store: Any) -> None:
    await put(store, (ANN, {"sealed_password": "canary", "email": "e"}))
    turn, lanes = await taken(store)
    await store.finish(turn.claim, [Verdict(lanes[0], "done")])
    rows = await store._rows("SELECT * FROM ethora_lane", *([{}] if isinstance(store, PostgresStore) else []))
    assert "canary" not in str(rows)


async def test_drift_gives_way_to_every_intent(store: Store) -> None:
    start = await store.now()
    await put(store, (ANN, {"email": "1"}))
    assert await store.unsettled([ANN, BOB], start) == {ANN}
    await carried_out(store)
    assert await store.unsettled([ANN, BOB], start) == {ANN}  # carried out since
    await asyncio.sleep(0.01)
    later = await store.now()
    assert await store.unsettled([ANN, BOB], later) == frozenset()
    # A transaction of the application is under way: its number is taken, and it commits after the reconcile has read.
    await put(store, (BOB, None))
    assert await store.reopen([(ANN, {"email": "drift"}), (BOB, {"email": "drift"})], later) == 1
    await put(store, (ANN, None))
    _, (ann, bob) = await taken(store)
    assert (ann.wanted, bob.wanted) == (None, None)


async def test_drift_is_carried_out(store: Store) -> None:
    assert await store.reopen([(ANN, {"email": "1"}), (BOB, None)], await store.now()) == 2
    assert await store.reopen([(ANN, {"email": "2"})], await store.now()) == 0
    _, (ann, bob) = await taken(store)
    assert (ann.wanted, ann.returns, bob.wanted) == ({"email": "1"}, False, None)


async def test_workers_share_without_overlap(store: Store) -> None:
    await put(store, *((LaneKey("user", f"u{number}"), {}) for number in range(60)))
    turns = await asyncio.gather(*(store.take(7, LONG) for _ in range(12)))
    found = [lane.id for turn in turns for lane in turn.lanes]
    assert len(found) == len(set(found)) == 60


async def test_waiting_ends_with_news(store: Store) -> None:
    await store.wait(0.01)
    waiting = asyncio.create_task(store.wait(20))
    await asyncio.sleep(0.3)  # it listens by now; on a machine too busy for that the news is found in the table
    await put(store, (ANN, {}))
    async with asyncio.timeout(15):
        await waiting


async def test_notes_are_kept(store: Store) -> None:
    assert await store.noted("x") is None
    await store.note("x", {"a": [1]})
    await store.note("x", {"a": [2]})
    assert await store.noted("x") == {"a": [2]}


async def test_the_tables_are_made_once(store: Store) -> None:
    assert await store.init() is False
    await store.check()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE ethora_outbox SET value = '99' WHERE name = 'schema'", "version 99, made by a newer ethora-async"),
        (
            "UPDATE ethora_outbox SET value = '0' WHERE name = 'schema'",
            "version 0, and this ethora-async needs version",
        ),
        ("DELETE FROM ethora_outbox", "without a schema version"),
        ("DROP TABLE ethora_outbox", "ethora_lane without ethora_outbox"),
        ("ALTER TABLE ethora_outbox RENAME COLUMN value TO other", "ethora_outbox with other columns"),
    ],
)
async def test_tables_of_another_kind_are_named(store: Any, change: str, told: str) -> None:
    await store._count(change, *([{}] if isinstance(store, PostgresStore) else []))
    for call in (store.check, store.init):
        with pytest.raises(ConfigError, match=told):
            await call()


async def test_no_tables_are_told_with_the_command_that_makes_them(postgres_url: str) -> None:
    store = PostgresStore(postgres_url)
    with pytest.raises(ConfigError, match="no outbox tables: run `ethora outbox init`"):
        await store.check()
    await store.aclose()


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("".join(hashlib.sha512(bytes([number])).hexdigest() for number in range(50)), "{}"),
        ("\U0001f600" * 3000, "{}"),
        ("ann", '{"email": ' + "9" * 400 + "}"),
        ("ann", '{"email": 18446744073709551616, "first_name": "A", "last_name": "B"}'),
        ("ann", '{"email": ' + "[" * 1100 + "]" * 1100 + "}"),
        ("ann", '{"last_name": "' + "x" * 100_000 + '"}'),
    ],
)
async def test_no_intent_of_a_trigger_stops_the_others(store: Any, key: str, wanted: str) -> None:
    """A trigger of the application's own may write anything."""
    for other in ("", key):
        kind = "member" if other else "user"
        if isinstance(store, PostgresStore):
            values = {"kind": kind, "key": key, "other": other, "wanted": wanted}
            insert = "INSERT INTO ethora_wish (kind, key, other, wanted) VALUES (%(kind)s, %(key)s, %(other)s, "
            await store._count(insert + "CAST(%(wanted)s AS jsonb))", values)
        else:
            insert = "INSERT INTO ethora_wish (kind, key, other, wanted) VALUES (:kind, :key, :other, :wanted)"
            await store._count(insert, kind=kind, key=key, other=other, wanted=wanted)
    await put(store, (BOB, {"email": "1"}))
    turn, lanes = await taken(store)
    assert {lane.id.kind for lane in lanes} == {"user"}, "the membership waits for its user"
    assert BOB in [lane.id for lane in lanes]
    odd = next(lane for lane in lanes if lane.id != BOB)
    if len(key) > 3:
        with pytest.raises(InvalidInputError, match="longer than 998 bytes"):
            literal_id(odd.id.key)
    else:
        with pytest.raises(InvalidInputError):
            _fields(odd, ("email", "first_name", "last_name"))
    assert await store.finish(turn.claim, [Verdict(lane, "dead", "a reason") for lane in lanes]) == 2
    (member,) = (await taken(store))[1]
    assert member.id.kind == "member"


async def test_a_text_that_is_not_utf_8_stops_nobody(sqlite_url: str) -> None:
    store = SqliteStore(sqlite_url.removeprefix("sqlite:///"))
    await store.init()
    odd = "CAST(x'ff41' AS TEXT)"
    await store._count(
        f"INSERT INTO ethora_wish (kind, key, wanted) VALUES ('user', {odd}, json_object('email', {odd})),"
        f" ('user', 'bob', '{{}}')"
    )
    turn, lanes = await taken(store)
    assert [lane.id.key for lane in lanes] == ["\\xffA", "bob"]
    assert await store.finish(turn.claim, [Verdict(lane, "done") for lane in lanes]) == 2
    await store.aclose()


async def test_a_reason_may_contain_anything_that_a_platform_says(store: Any) -> None:
    await put(store, (ANN, {"email": "1"}))
    turn, (ann,) = await taken(store)
    verdict = settled(ann, ValidationFailedError("no \0 and no \ud800, but \U0001f600"), 5.0)
    assert await store.finish(turn.claim, [verdict]) == 1
    (letter,) = await store.dead()
    assert letter.reason == "ValidationFailedError: no \ufffd and no \ufffd, but \U0001f600"
