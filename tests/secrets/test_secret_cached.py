from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from ethora_async_secrets import CachedProvider, SecretDeniedError, SecretUnavailableError
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from conftest import FakeClock

CANARY = "canary-1f2e3d"
NAME = "ETHORA_CHAT_APP_SECRET"
DOWN = SecretUnavailableError("The store is down.", "memory")


@pytest.fixture
def store() -> MemoryProvider:
    return MemoryProvider({NAME: CANARY})


@pytest.fixture
def cached(store: MemoryProvider, clock: FakeClock) -> CachedProvider:
    return CachedProvider(store, jitter=0, clock=clock)


async def spin(turns: int = 10) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_peek_answers_while_fresh_without_asking(store, cached, clock):
    assert cached.peek() is None
    bundle = await cached.fetch()
    clock.now += 47.9
    assert cached.peek() is bundle
    assert await cached.fetch() is bundle
    assert store.calls == 1
    clock.now += 12.2
    assert cached.peek() is None


async def test_late_in_its_ttl_a_use_refreshes_in_the_background(store, cached, clock):
    old = await cached.fetch()
    new = store.put({NAME: "two"})
    clock.now += 48
    assert [cached.peek() for _ in range(5)] == [old] * 5
    await spin()
    assert cached.peek() is new
    assert store.calls == 2


def test_peek_outside_a_loop_starts_nothing(store, cached, clock):
    bundle = asyncio.run(cached.fetch())
    clock.now += 50
    assert cached.peek() is bundle
    assert store.calls == 1


async def test_a_thousand_waiters_with_half_cancelled_cost_one_call(store, cached):
    store.hold()
    tasks = [asyncio.create_task(cached.fetch()) for _ in range(1000)]
    await store.entered()
    for task in tasks[::2]:
        task.cancel()
    await spin()
    store.release()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 500
    assert {id(result) for result in results[1::2]} == {id(store.bundle)}
    assert store.calls == 1


async def test_a_cancelled_leader_costs_no_further_call(store, cached):
    store.hold()
    leader = asyncio.create_task(cached.fetch())
    await store.entered()
    followers = [asyncio.create_task(cached.fetch()) for _ in range(20)]
    await spin()
    leader.cancel()
    await spin()
    store.release()
    assert await asyncio.gather(*followers) == [store.bundle] * 20
    assert store.calls == 1


async def test_when_every_waiter_is_cancelled_the_answer_is_kept(store, cached):
    store.hold()
    task = asyncio.create_task(cached.fetch())
    await store.entered()
    task.cancel()
    await spin()
    store.release()
    await spin()
    assert cached.peek() is store.bundle
    assert store.calls == 1


async def test_a_failure_nobody_waits_for_any_more_is_not_complained_about(store, clock):
    # nothing that outlives the test, fixture or error, may keep the task from being collected
    cached = CachedProvider(store, clock=clock)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    store.fail(SecretUnavailableError("The store is down.", "memory"), times=1)
    store.hold()
    task = asyncio.create_task(cached.refresh())
    await store.entered()
    task.cancel()
    await spin()
    store.release()
    await spin()
    del task, cached
    gc.collect()
    await spin()
    assert complaints == []


async def test_every_waiter_gets_its_own_copy_of_the_error(store, cached):
    store.fail(DOWN)
    errors = await asyncio.gather(*(cached.fetch() for _ in range(3)), return_exceptions=True)
    assert len({id(error) for error in errors} | {id(DOWN)}) == 4
    assert {(type(error), str(error), error.source) for error in errors} == {
        (SecretUnavailableError, "The store is down.", "memory")
    }
    assert store.calls == 1


async def test_an_error_that_does_not_copy_still_arrives(store, cached):
    class UncopyableError(Exception):
        def __init__(self, *, code: int) -> None:
            super().__init__(f"code {code}")
            self.code = code

        def __reduce__(self):
            raise TypeError("no")

    store.fail(UncopyableError(code=7))
    with pytest.raises(UncopyableError, match="code 7"):
        await cached.fetch()


async def test_concurrent_refreshes_share_one_call(store, cached):
    store.hold()
    tasks = [asyncio.create_task(cached.refresh()) for _ in range(50)]
    await store.entered()
    late = asyncio.create_task(cached.fetch())
    await spin()
    store.release()
    await asyncio.gather(*tasks, late)
    assert (store.refreshes, store.fetches) == (1, 0)


async def test_refresh_asks_even_when_fresh_and_during_a_fetch(store, cached):
    store.hold()
    fetching = asyncio.create_task(cached.fetch())
    await store.entered()
    refreshing = asyncio.create_task(cached.refresh())
    await spin()
    store.release()
    await asyncio.gather(fetching, refreshing)
    assert (store.refreshes, store.fetches) == (1, 1)
    await cached.refresh()
    assert store.refreshes == 2


async def test_a_slow_fetch_does_not_undo_a_refresh(clock):
    answers: dict[str, asyncio.Future] = {}

    class Slow(MemoryProvider):
        async def fetch(self):
            return await answers.setdefault("fetch", asyncio.get_running_loop().create_future())

    store = Slow({NAME: "new"})
    cached = CachedProvider(store, clock=clock)
    slow = asyncio.create_task(cached.fetch())
    await spin()
    new = await cached.refresh()
    answers["fetch"].set_result(MemoryProvider({NAME: "old"}).bundle)
    assert await slow is new
    assert cached.peek() is new


async def test_ten_late_rejections_of_an_old_version_cost_one_call(store, cached):
    old = await cached.fetch()
    new = store.put({NAME: "two"})
    for _ in range(10):
        cached.invalidate(old.version)
        assert await cached.fetch() is new
    assert store.calls == 2
    assert store.invalidated == [old.version] * 10


async def test_an_answer_already_on_its_way_does_not_revive_what_was_invalidated(store, cached, clock):
    old = await cached.fetch()
    clock.now += 50
    store.hold()
    assert cached.peek() is old
    await store.entered()
    cached.invalidate(old.version)
    store.release()
    await spin()
    assert cached.peek() is None
    new = store.put({NAME: "two"})
    assert await cached.fetch() is new
    assert cached.peek() is new


async def test_a_fetch_after_an_invalidation_is_not_content_with_an_answer_already_on_its_way(clock):
    """The store is changed and the old value refused while a refresh in the background still reads the old one."""
    answers: list[asyncio.Future] = []

    class Slow(MemoryProvider):
        async def fetch(self):
            answers.append(asyncio.get_running_loop().create_future())
            return await answers[-1]

    store = Slow({NAME: "old"})
    cached = CachedProvider(store, jitter=0, clock=clock)
    old = await cached.refresh()
    clock.now += 50
    assert cached.peek() is old
    await spin()
    cached.invalidate(old.version)
    waiting = [asyncio.create_task(cached.fetch()) for _ in range(20)]
    await spin()
    answers[0].set_result(old)
    await spin()
    new = store.put({NAME: "new"})
    answers[1].set_result(new)
    assert await asyncio.gather(*waiting) == [new] * 20
    assert len(answers) == 2


async def test_a_slow_failure_says_nothing_after_a_later_answer(clock):
    answers: dict[str, asyncio.Future] = {}

    class Slow(MemoryProvider):
        async def fetch(self):
            if "fetch" in answers:
                return await super().fetch()
            return await answers.setdefault("fetch", asyncio.get_running_loop().create_future())

    store = Slow({NAME: "old"})
    cached = CachedProvider(store, clock=clock)
    slow = asyncio.create_task(cached.fetch())
    await spin()
    old = await cached.refresh()
    answers["fetch"].set_exception(DOWN)
    assert await slow is old
    new = store.put({NAME: "new"})
    cached.invalidate(old.version)
    assert await cached.fetch() is new, "it is left alone as if it had failed just now"


async def test_the_old_value_is_served_while_the_store_is_down_up_to_max_stale(store, clock, caplog):
    cached = CachedProvider(store, ttl=60, max_stale=100, clock=clock)
    old = await cached.fetch()
    store.fail(DOWN)
    clock.now += 61
    assert await cached.fetch() is old
    assert "SecretUnavailableError" in caplog.text
    assert old.version in caplog.text
    clock.now += 98
    assert await cached.fetch() is old
    clock.now += 1
    with pytest.raises(SecretUnavailableError):
        await cached.fetch()
    with pytest.raises(SecretUnavailableError):
        await cached.refresh()


async def test_nobody_waits_for_a_store_that_hangs_after_it_failed(store, cached, clock):
    """A store behind a dead network takes long to fail, again and again."""
    old = await cached.fetch()
    store.fail(DOWN, times=1)
    clock.now += 61
    assert await cached.fetch() is old
    clock.now += 2
    store.hold()
    assert await cached.fetch() is old
    await store.entered()
    assert await cached.fetch() is old
    new = store.put({NAME: "two"})
    store.release()
    await spin()
    assert cached.peek() is new


async def test_a_store_that_hangs_is_waited_for_no_longer_than_its_old_value_is_worth(
    store, cached, clock, monkeypatch
):
    old = await cached.fetch()
    monkeypatch.setattr("ethora_async_secrets.cached._PATIENCE", 0.01)
    clock.now += 61
    store.hold()
    assert await cached.fetch() is old
    assert store.waiting == 1, "the call goes on"
    clock.now += 3600
    waiting = asyncio.create_task(cached.fetch())
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done(), "there is nothing to serve any more"
    store.release()
    assert await waiting is store.bundle
    assert store.calls == 2


async def test_an_invalidated_value_is_the_last_resort_of_fetch_and_never_of_refresh(store, cached):
    old = await cached.fetch()
    store.fail(SecretDeniedError("No.", "memory"))
    cached.invalidate(old.version)
    assert cached.peek() is None
    assert await cached.fetch() is old
    with pytest.raises(SecretDeniedError):
        await cached.refresh()


async def test_failures_are_remembered_for_growing_moments_only(store, clock):
    cached = CachedProvider(store, failure_ttl=1, failure_ttl_max=30, clock=clock)
    store.fail(DOWN)
    waits: list[float] = []
    for _ in range(7):
        calls = store.calls
        with pytest.raises(SecretUnavailableError):
            await cached.fetch()
        assert store.calls == calls + 1
        waited = 0.0
        while store.calls == calls + 1:
            waited += 0.5
            clock.now += 0.5
            store.hold()
            probe = asyncio.create_task(cached.fetch())
            await spin()
            probing = store.waiting
            store.release()
            await asyncio.gather(probe, return_exceptions=True)
            if probing:
                break
        waits.append(waited)
        clock.now += 60
    assert waits[0] == 1.0
    assert waits == sorted(waits)
    assert waits[-1] == 30.0
    store.mend()
    assert await cached.fetch() is store.bundle


async def test_a_remembered_failure_costs_no_call_and_shares_no_traceback(store, cached, clock):
    store.fail(DOWN, times=1)
    for _ in range(5):
        with pytest.raises(SecretUnavailableError):
            await cached.fetch()
    assert store.calls == 1
    clock.now += 1
    assert await cached.fetch() is store.bundle


async def test_a_failing_store_is_not_hammered_while_the_old_value_works(store, cached, clock):
    old = await cached.fetch()
    store.fail(DOWN)
    clock.now += 50
    for _ in range(20):
        assert await cached.fetch() is old
        await spin()
    assert store.calls == 2
    clock.now += 1
    assert await cached.fetch() is old
    await spin()
    assert store.calls == 3


async def test_a_rotation_is_told_once_and_a_failing_listener_is_only_logged(store, clock, caplog):
    told: list[tuple[str, str]] = []

    def listener(old: str, new: str) -> None:
        told.append((old, new))
        raise RuntimeError("listener broke")

    cached = CachedProvider(store, clock=clock, on_rotated=listener)
    old = await cached.refresh()
    await cached.refresh()
    new = store.put({NAME: "two"})
    assert await cached.refresh() is new
    assert told == [(old.version, new.version)]
    assert "on_rotated failed for memory" in caplog.text


async def test_closing_cancels_the_call_and_tells_its_waiters(store, cached):
    store.hold()
    waiter = asyncio.create_task(cached.fetch())
    await store.entered()
    await cached.aclose()
    await cached.aclose()
    with pytest.raises(SecretUnavailableError, match="being closed"):
        await waiter
    assert store.waiting == 0
    assert store.closes == 2
    assert cached.peek() is None
    for call in (cached.fetch, cached.refresh):
        with pytest.raises(SecretUnavailableError, match="is closed"):
            await call()


async def test_a_waiter_cancelled_itself_stays_cancelled(store, cached):
    store.hold()
    waiter = asyncio.create_task(cached.fetch())
    await store.entered()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await cached.aclose()


def test_a_call_stuck_in_a_closed_loop_does_not_stop_the_next_loop(store, cached):
    store.hold()
    loop = asyncio.new_event_loop()
    stuck = loop.create_task(cached.fetch())
    loop.run_until_complete(store.entered())
    for task in asyncio.all_tasks(loop):
        # asyncio complains about tasks of a closed loop when they are collected; here they are the point
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()

    async def next_loop() -> None:
        store.release()
        assert await asyncio.wait_for(cached.fetch(), 60) is store.bundle
        await cached.aclose()

    asyncio.run(next_loop())
    assert store.fetches == 2
    assert not stuck.done()


def test_closing_from_another_loop_ends_the_call_in_its_own(store, cached):
    store.hold()
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(cached.fetch())
    loop.run_until_complete(store.entered())
    asyncio.run(cached.aclose())
    with pytest.raises(SecretUnavailableError, match="being closed"):
        loop.run_until_complete(waiter)
    loop.close()
    assert store.waiting == 0


async def test_canary_no_log_line_or_traceback_shows_a_value(store, cached, clock, caplog):
    caplog.set_level(logging.DEBUG)
    await cached.fetch()
    store.fail(OSError(f"connect with {CANARY} failed"))
    clock.now += 61
    await cached.fetch()
    assert "OSError" in caplog.text
    assert CANARY not in caplog.text
    store.fail(DOWN)
    with pytest.raises(SecretUnavailableError) as caught:
        await cached.refresh()
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "CachedProvider" in shown
    assert CANARY not in shown
    assert CANARY not in repr(cached)


@pytest.mark.parametrize(
    "limits",
    [
        {"ttl": 0},
        {"ttl": float("nan")},
        {"refresh_ahead": 0},
        {"refresh_ahead": 1.1},
        {"jitter": -0.1},
        {"jitter": 1},
        {"max_stale": -1},
        {"failure_ttl": 0},
        {"failure_ttl": 31},
    ],
)
def test_senseless_limits_are_refused(store, limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        CachedProvider(store, **limits)


async def test_processes_started_together_refresh_at_different_times_and_never_late(store, clock):
    """Each asks once between 72 % and 80 % of its ttl: one bundle's time is drawn once, not at every use."""
    caches = [CachedProvider(store, ttl=100, clock=clock) for _ in range(50)]
    for cached in caches:
        await cached.fetch()
    assert store.calls == 50
    clock.now += 71.9
    asked = []
    for _ in range(10):
        for cached in caches:
            assert cached.peek() is not None
        await spin()
        asked.append(store.calls - 50)
        clock.now += 1
    assert asked[0] == 0
    assert asked[-1] == 50
    assert len(set(asked)) > 3, "they all asked at the same moment"


async def test_without_jitter_the_refresh_comes_on_time(store, clock):
    cached = CachedProvider(store, ttl=100, refresh_ahead=0.5, jitter=0, clock=clock)
    await cached.fetch()
    clock.now += 49.9
    cached.peek()
    await spin()
    assert store.calls == 1
    clock.now += 0.1
    cached.peek()
    await spin()
    assert store.calls == 2
