"""Every version of a message is delivered exactly once, for any repetition and order of events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import InvalidInputError, UnauthorizedError
from ethora_async.event_queue import EventQueue
from ethora_async.platforms.rocketchat.message_records import Message
from ethora_async.platforms.rocketchat.realtime.feed import REMEMBERED, Feed
from ethora_async.testing.implementers import cancel_at_every_step

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)


def message(id: str, second: float | None) -> Message:
    moment = None if second is None else BEGUN + timedelta(seconds=second)
    return Message(id=id, room_id="r", updated_at=moment)


def deliver(feed: Feed, *messages: Message, missed: bool = False) -> list[Message]:
    fresh = []
    for one in messages:
        if feed.is_missed(one) if missed else feed.is_new(one):
            feed.delivered(one)
            fresh.append(one)
    return fresh


def test_a_new_version_is_delivered_and_an_old_one_is_not() -> None:
    feed = Feed(begun=BEGUN)
    first, edited = message("a", 1), message("a", 2)
    assert deliver(feed, first, first, edited, first, edited) == [first, edited]
    assert deliver(feed, message("b", None), message("b", None)) == [message("b", None)]


def test_nothing_older_than_the_subscription_is_fetched() -> None:
    feed = Feed(begun=BEGUN)
    assert feed.since() == BEGUN
    assert deliver(feed, message("old", -1), message("new", 0), missed=True) == [message("new", 0)]
    deliver(feed, message("a", 2))
    assert feed.since() == BEGUN
    deliver(feed, message("b", 60))
    assert feed.since() == BEGUN + timedelta(seconds=55)


def test_memory_is_bounded() -> None:
    feed = Feed(begun=BEGUN)
    deliver(feed, *(message(f"m{number}", number) for number in range(3 * REMEMBERED)))
    assert len(feed._versions) == REMEMBERED


VERSIONS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 30)).map(lambda pair: message(pair[0], pair[1])), max_size=20
)


@given(VERSIONS, st.data())
def test_no_version_comes_twice_and_the_newest_always_comes(versions: list[Message], data: st.DataObject) -> None:
    feed = Feed(begun=BEGUN)
    shuffled = data.draw(st.permutations(versions + versions))
    got = deliver(feed, *shuffled)
    assert len({(one.id, one.updated_at) for one in got}) == len(got)
    for id in {one.id for one in versions}:
        newest = max(one.updated_at for one in versions if one.id == id and one.updated_at is not None)
        assert [one.updated_at for one in got if one.id == id][-1] == newest


async def test_a_queue_waits_when_it_is_full_and_ends_after_what_is_in_it() -> None:
    queue: EventQueue[int] = EventQueue(2)
    await queue.put(1)
    await queue.put(2)
    third = asyncio.create_task(queue.put(3))
    await asyncio.sleep(0)
    assert not third.done()
    assert await queue.take() == 1
    await third
    queue.end(UnauthorizedError("over"))
    await queue.put(4)  # too late, and no waiting for ever
    assert [await queue.take(), await queue.take()] == [2, 3]
    for _ in range(2):
        with pytest.raises(UnauthorizedError, match="over"):
            await queue.take()
    with pytest.raises(InvalidInputError):
        EventQueue(0)


async def test_cancelling_at_a_queue_loses_nothing() -> None:
    queue: EventQueue[int] = EventQueue(1)
    taken: list[int] = []

    async def both_ways() -> None:
        async def put() -> None:
            await queue.put(1)
            await queue.put(2)

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            taken.append(await queue.take())
            taken.append(await queue.take())

    async def check() -> None:
        while queue._events:
            await queue.take()
        await asyncio.wait_for(queue.put(9), 30)
        assert await asyncio.wait_for(queue.take(), 30) == 9
        assert not queue._waiters

    await cancel_at_every_step(both_ways, check=check)
    assert taken[-2:] == [1, 2]
