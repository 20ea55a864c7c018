"""The limiter under any order of events, cancellations in the worst instant included."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from virtual_time import VirtualClock, VirtualLoop, run_virtual

from ethora_async.config import Limits
from ethora_async.engine import ConcurrencyChanged, PaceChanged, Paused
from ethora_async.engine.emitter import Emitter
from ethora_async.engine.learning import START
from ethora_async.engine.limiter import LONGEST_PAUSE, Limiter
from ethora_async.errors import ConfigError, NotSentError
from ethora_async.testing.implementers import cancel_at_every_step

if TYPE_CHECKING:
    from collections.abc import Callable

CEILING = 12


class LimiterMachine(RuleBasedStateMachine):
    """Tasks of both kinds come for a slot, keep it until told, and are cancelled at any time, in virtual time."""

    rate: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.limiter = Limiter(Limits(concurrency=CEILING, rate=self.rate), clock=VirtualClock())
        self.waiting: dict[int, bool] = {}
        self.holding: dict[int, asyncio.Event] = {}
        self.bulk: dict[int, bool] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.granted: dict[bool, list[int]] = {False: [], True: []}
        self.starts: list[float] = []
        self.paused_until = 0.0
        self.number = 0

    def tick(self) -> None:
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))

    async def worker(self, number: int, bulk: bool) -> None:
        if not self.limiter.try_acquire(bulk=bulk):  # as the engine does
            await self.limiter.acquire(bulk=bulk)
        self.granted[bulk].append(number)
        self.starts.append(self.loop.time())
        self.check_start(bulk)
        done = self.holding[number] = asyncio.Event()
        self.waiting.pop(number, None)
        try:
            await done.wait()
        finally:
            del self.holding[number]
            self.limiter.release(bulk=bulk)

    def check_start(self, bulk: bool) -> None:
        assert self.limiter.in_flight <= CEILING
        if bulk:
            assert sum(self.bulk[number] for number in self.holding) < CEILING - 1
            assert self.loop.time() >= self.paused_until - 1e-6

    def inside(self, call: Callable[[], None]) -> None:
        async def main() -> None:
            call()

        self.loop.run_until_complete(main())
        self.tick()

    def pick(self, among: Any, share: float) -> int:
        return sorted(among)[min(int(share * len(among)), len(among) - 1)]

    @rule(bulk=st.booleans(), count=st.integers(1, 4))
    def some_come(self, bulk: bool, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.waiting[self.number] = self.bulk[self.number] = bulk
            self.tasks[self.number] = self.loop.create_task(self.worker(self.number, bulk))
        self.tick()

    @precondition(lambda self: self.holding)
    @rule(share=st.floats(0, 1))
    def somebody_goes(self, share: float) -> None:
        self.holding[self.pick(self.holding, share)].set()
        self.tick()

    @precondition(lambda self: self.tasks)
    @rule(share=st.floats(0, 1))
    def somebody_is_cancelled(self, share: float) -> None:
        self.cancel(self.pick({n for n, t in self.tasks.items() if not t.done()} or self.tasks, share))
        self.tick()

    @precondition(lambda self: self.holding and self.waiting)
    @rule(first=st.floats(0, 1), second=st.floats(0, 1), both=st.booleans())
    def a_slot_is_handed_to_one_who_is_cancelled_in_that_instant(self, first: float, second: float, both: bool) -> None:
        self.holding[self.pick(self.holding, first)].set()
        self.loop.run_until_complete(asyncio.sleep(0))  # the holder runs and hands over; nobody has woken up yet
        self.cancel(min(self.waiting, default=self.number))
        if both:
            self.cancel(self.pick(self.tasks, second))
        self.tick()

    @precondition(lambda self: self.holding)
    @rule(seconds=st.sampled_from([0.01, 0.1, 3.0]), count=st.integers(1, 20))
    def replies_come(self, seconds: float, count: int) -> None:
        for _ in range(count):
            self.inside(lambda: self.limiter.learn("x", seconds, self.loop.time()))

    @precondition(lambda self: self.holding)
    @rule(status=st.sampled_from([429, 503]), retry_after=st.sampled_from([None, 0.0, 0.5, 7.0]))
    def a_refusal_comes(self, status: int, retry_after: float | None) -> None:
        self.inside(lambda: self.limiter.refused(status, retry_after))
        self.paused_until = max(self.paused_until, self.loop.time() + (retry_after or 0.0))

    @rule(seconds=st.floats(0.001, 30))
    def time_passes(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.tick()

    def cancel(self, number: int) -> None:
        self.tasks[number].cancel()
        self.waiting.pop(number, None)

    @invariant()
    def slots_and_holders_agree(self) -> None:
        assert self.limiter.in_flight == len(self.holding) <= CEILING
        assert self.limiter.waiting == len(self.waiting)
        assert 1 <= self.limiter.limit <= CEILING

    @invariant()
    def a_lone_foreground_request_does_not_wait(self) -> None:
        foreground = sum(not self.bulk[number] for number in self.holding)
        assert self.rate is not None or foreground or not any(not bulk for bulk in self.waiting.values())

    @invariant()
    def nobody_waits_for_a_free_slot(self) -> None:
        if self.waiting and self.limiter.pace is None and self.rate is None:
            paused = self.loop.time() < self.limiter._paused_until
            for bulk in self.waiting.values():
                of_runs = sum(self.bulk[number] for number in self.holding)
                full = self.limiter.in_flight >= self.limiter.limit
                assert full or (bulk and (paused or of_runs == CEILING - 1))

    @invariant()
    def each_kind_is_served_first_come_first_served(self) -> None:
        for numbers in self.granted.values():
            assert numbers == sorted(numbers)

    @invariant()
    def starts_keep_to_the_rate(self) -> None:
        if self.rate is not None:
            assert all(b - a >= 0.999 / self.rate for a, b in itertools.pairwise(self.starts))

    def teardown(self) -> None:
        # Everybody is served in the end: whoever holds goes, and time passes.
        for _ in range(2_000):
            if not self.waiting:
                break
            for event in list(self.holding.values()):
                event.set()
            self.loop.run_until_complete(asyncio.sleep(1.0))
        assert not self.waiting
        for task in self.tasks.values():
            task.cancel()
        self.tick()
        assert (self.limiter.in_flight, self.limiter.waiting) == (0, 0)
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()


class RatedMachine(LimiterMachine):
    rate = 3.0


TestLimiterMachine = LimiterMachine.TestCase
TestLimiterMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestRatedLimiterMachine = RatedMachine.TestCase
TestRatedLimiterMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def full(count: int, listen: Callable[[object], None] | None = None, **limits: Any) -> Limiter:
    """A limiter that has learned that it may have `count` in flight, and has."""
    emitter = Emitter([listen] if listen else [])
    limiter = Limiter(Limits(concurrency=count, **limits), clock=VirtualClock(), emitter=emitter)
    held = 0
    while held < count:
        while limiter.try_acquire():
            held += 1
        limiter.learn("warm", 0.01, 1_000.0)
    return limiter


def test_it_starts_modest_and_doubles_with_every_round_that_goes_well() -> None:
    async def main() -> list[int]:
        limiter = Limiter(Limits(concurrency=100), clock=VirtualClock())
        rounds = [limiter.limit]
        for _ in range(6):
            held = 0
            while limiter.try_acquire(bulk=True):
                held += 1
            for _ in range(held):
                limiter.learn("x", 0.01, 1_000.0)
            for _ in range(held):
                limiter.release(bulk=True)
            rounds.append(limiter.limit)
        return rounds

    rounds = run_virtual(main())
    assert rounds[0] == START < 10
    assert all(a < b <= 2 * a for a, b in itertools.pairwise(rounds[:5]))
    assert rounds[-1] > 50


def test_a_burst_of_foreground_calls_is_held_back_only_once_there_is_a_reason() -> None:
    async def main() -> tuple[int, int]:
        limiter = Limiter(Limits(concurrency=64), clock=VirtualClock())
        before = 0
        while limiter.try_acquire():
            before += 1
        for _ in range(64):
            limiter.refused(503, None)
        for _ in range(64):
            limiter.release()
        after = 0
        while limiter.try_acquire():
            after += 1
        return before, after

    assert run_virtual(main()) == (64, 32)


def test_a_limit_that_holds_nothing_back_does_not_grow() -> None:
    async def main() -> int:
        limiter = Limiter(Limits(), clock=VirtualClock())
        for _ in range(1_000):
            assert limiter.try_acquire()
            limiter.learn("x", 0.01, 1_000.0)
            limiter.release()
        return limiter.limit

    assert run_virtual(main()) == START


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_halves_the_limit_once_a_round(status: int) -> None:
    async def main() -> list[int]:
        limiter = full(16)
        limits = []
        for _ in range(17):  # sixteen of them left before the first refusal was known
            limiter.refused(status, None)
            limits.append(limiter.limit)
        return limits

    assert run_virtual(main()) == [8] * 16 + [4]


def test_the_limit_never_falls_below_one() -> None:
    async def main() -> int:
        limiter = full(2)
        for _ in range(20):
            limiter.refused(429, None)
        return limiter.limit

    assert run_virtual(main()) == 1


def test_it_finds_its_way_back_to_the_ceiling_and_not_beyond() -> None:
    async def main() -> list[int]:
        limiter = full(16)
        limiter.refused(503, None)
        limits = []
        for _ in range(200):
            limiter.learn("x", 0.05, 1_000.0)
            limits.append(limiter.limit)
        return limits

    limits = run_virtual(main())
    assert limits == sorted(limits)
    assert (limits[0], limits[-1]) == (8, 16)


def test_where_it_was_refused_it_does_not_go_again_for_some_hundred_replies() -> None:
    async def main() -> list[int]:
        limiter = full(16)
        limiter.refused(429, None)
        limits = []
        for _ in range(400):
            limiter.learn("x", 0.05, 1_000.0)
            limits.append(limiter.limit)
        return limits

    limits = run_virtual(main())
    assert max(limits[:299]) == limits[298] == 15
    assert limits[-1] == 16


def test_growing_latency_stops_the_growth_and_then_takes_a_tenth_off() -> None:
    async def main() -> tuple[int, int, int]:
        limiter = full(20)
        limiter.refused(503, None)
        for _ in range(20):
            limiter.learn("x", 0.1, 1_000.0)
        before = limiter.limit
        for _ in range(20):
            limiter.learn("x", 0.4, 1_000.0)
        held = limiter.limit
        for _ in range(20):
            limiter.learn("x", 5.0, 1_000.0)
        return before, held, limiter.limit

    before, held, after = run_virtual(main())
    assert before < 20
    assert held - before <= 1  # the average takes some replies to tell
    assert after < held


@pytest.mark.parametrize(("quick", "slow"), [(0.001, 0.09), (0.3, 0.55)])
def test_a_little_slowness_is_none(quick: float, slow: float) -> None:
    async def main() -> int:
        limiter = full(20)
        limiter.refused(503, None)
        for seconds in [quick] * 20 + [slow] * 400:
            limiter.learn("x", seconds, 1_000.0)
        return limiter.limit

    assert run_virtual(main()) == 20


def test_replies_of_very_different_length_are_no_growing_latency() -> None:
    async def main() -> int:
        limiter, draw = full(20), random.Random(1)
        limiter.refused(503, None)
        for _ in range(1_000):
            limiter.learn("x", draw.expovariate(2), 1_000.0)
        return limiter.limit

    assert run_virtual(main()) >= 18


def test_an_operation_that_is_always_slow_is_measured_by_itself() -> None:
    async def main() -> int:
        limiter = full(20)
        for _ in range(50):
            limiter.learn("quick", 0.01, 1_000.0)
            limiter.learn("export", 9.0, 1_000.0)
        return limiter.limit

    assert run_virtual(main()) == 20


def test_a_platform_that_became_slower_for_good_is_not_held_to_its_past() -> None:
    async def main() -> tuple[int, int]:
        limiter = full(20)
        for seconds in [0.1] * 20 + [2.0] * 100:
            limiter.learn("x", seconds, 1_000.0)
        low = limiter.limit
        for _ in range(3_000):
            limiter.learn("x", 2.0, 1_000.0)
        return low, limiter.limit

    low, after = run_virtual(main())
    assert low < 20 == after


def test_adaptivity_can_be_switched_off_but_a_pause_is_kept() -> None:
    async def main() -> tuple[int, float]:
        limiter = full(8, adaptive=False)
        limiter.refused(429, 3.0)
        for _ in range(8):
            limiter.release()
        await limiter.acquire(bulk=True)
        return limiter.limit, asyncio.get_running_loop().time() - 1_000

    limit, waited = run_virtual(main())
    assert limit == 8
    assert waited == pytest.approx(3.0)


def test_runs_leave_an_eighth_to_all_others() -> None:
    async def main() -> tuple[int, int]:
        limiter = Limiter(Limits(concurrency=64, adaptive=False), clock=VirtualClock())
        bulk = 0
        while limiter.try_acquire(bulk=True):
            bulk += 1
        rest = 0
        while limiter.try_acquire():
            rest += 1
        return bulk, rest

    assert run_virtual(main()) == (56, 8)


def test_a_foreground_request_finds_a_slot_while_a_run_has_all_that_were_learned() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(), clock=VirtualClock())
        while limiter.try_acquire(bulk=True):
            pass
        assert limiter.in_flight == START
        queued = [asyncio.ensure_future(limiter.acquire(bulk=True)) for _ in range(50)]
        await asyncio.sleep(0)
        assert limiter.try_acquire()
        for task in queued:
            task.cancel()

    run_virtual(main())


def test_neither_kind_starves_the_other() -> None:
    order: list[bool] = []

    async def worker(limiter: Limiter, bulk: bool) -> None:
        for _ in range(40):
            await limiter.acquire(bulk=bulk)
            order.append(bulk)
            await asyncio.sleep(0.01)
            limiter.release(bulk=bulk)

    async def main() -> None:
        limiter = Limiter(Limits(concurrency=4, adaptive=False), clock=VirtualClock())
        await asyncio.gather(*[worker(limiter, bulk) for bulk in (True, False) for _ in range(16)])

    run_virtual(main())
    both = order[16 : order.index(False) + 400]
    assert 0.08 <= both.count(True) / len(both) <= 0.2


def test_a_retry_after_stops_every_run_and_no_other_call() -> None:
    waited: dict[bool, list[float]] = {False: [], True: []}

    async def take(limiter: Limiter, bulk: bool) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        if not limiter.try_acquire(bulk=bulk):
            await limiter.acquire(bulk=bulk)
        waited[bulk].append(loop.time() - asked)
        limiter.release(bulk=bulk)

    async def main() -> None:
        limiter = Limiter(Limits(adaptive=False), clock=VirtualClock())
        await limiter.acquire()
        limiter.refused(503, 4.0)
        limiter.release()
        await asyncio.gather(*[take(limiter, bulk) for bulk in (True, False) for _ in range(20)])

    run_virtual(main())
    assert waited[False] == [0.0] * 20
    assert waited[True] == pytest.approx([4.0] * 20)


def test_a_pause_beyond_all_patience_is_told_at_once_to_those_who_wait_and_those_who_come() -> None:
    async def main() -> list[BaseException]:
        limiter = Limiter(Limits(concurrency=2, adaptive=False), clock=VirtualClock())
        await limiter.acquire(bulk=True)
        waiting = [asyncio.ensure_future(limiter.acquire(bulk=True)) for _ in range(3)]
        await asyncio.sleep(0)
        limiter.refused(429, LONGEST_PAUSE + 60)
        await asyncio.sleep(10)
        told = await asyncio.gather(*waiting, limiter.acquire(bulk=True), return_exceptions=True)
        await limiter.acquire()  # somebody else's call
        assert (limiter.waiting, limiter.in_flight) == (0, 2)
        assert asyncio.get_running_loop().time() == pytest.approx(1_010)
        return [error for error in told if error is not None]

    errors = run_virtual(main())
    assert [type(error) for error in errors] == [NotSentError] * 4
    assert [error.retry_after for error in errors] == pytest.approx([360, 360, 360, 350])  # type: ignore[attr-defined]
    assert {error.effect for error in errors} == {"none"}  # type: ignore[attr-defined]


def test_a_pace_that_was_learned_long_ago_holds_nobody_back() -> None:
    events: list[object] = []

    async def main() -> float:
        limiter = full(2, events.append)
        for _ in range(2):
            limiter.refused(429, 30.0)
            limiter.release()
        assert limiter.pace is not None
        assert limiter.pace < 1
        await asyncio.sleep(100)
        loop = asyncio.get_running_loop()
        await limiter.acquire(bulk=True)
        started = loop.time()
        second = asyncio.ensure_future(limiter.acquire(bulk=True))
        await asyncio.sleep(0.01)
        limiter.learn("x", 0.01, loop.time())
        limiter.release(bulk=True)
        await second
        return loop.time() - started

    assert run_virtual(main()) == pytest.approx(0.01)
    assert PaceChanged(None, "it was learned long ago") in events


def test_what_was_learned_is_told() -> None:
    events: list[object] = []

    async def main() -> None:
        limiter = full(16, events.append)
        events.clear()
        for _ in range(16):
            limiter.refused(429, 2.0)

    run_virtual(main())
    paused, limit, pace = Paused(2.0, "HTTP 429"), ConcurrencyChanged(8, "HTTP 429"), events[1]
    assert isinstance(pace, PaceChanged)
    assert events == [limit, pace, paused]  # once, however many were refused together


@pytest.mark.parametrize("rate", [0.5, 3.0, 100.0])
def test_starts_are_spaced_by_the_rate(rate: float) -> None:
    async def main() -> list[float]:
        limiter = Limiter(Limits(rate=rate, adaptive=False), clock=VirtualClock())
        starts = []
        for _ in range(8):
            await limiter.acquire()
            starts.append(asyncio.get_running_loop().time())
        return starts

    gaps = [later - earlier for earlier, later in itertools.pairwise(run_virtual(main()))]
    assert min(gaps) >= 0.999 / rate
    assert sum(gaps) <= 7.001 / rate


def test_a_foreground_request_does_not_queue_for_the_rate_behind_a_run() -> None:
    async def main() -> float:
        limiter = Limiter(Limits(rate=1.0), clock=VirtualClock())
        run = [asyncio.ensure_future(limiter.acquire(bulk=True)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await limiter.acquire()
        waited = asyncio.get_running_loop().time() - 1_000
        for task in run:
            task.cancel()
        return waited

    assert run_virtual(main()) == pytest.approx(1.0)


def test_no_permissions_to_start_pile_up_behind_a_slow_platform() -> None:
    async def main() -> list[float]:
        limiter = Limiter(Limits(concurrency=3, rate=10.0), clock=VirtualClock())
        for _ in range(3):
            await limiter.acquire()
        starts: list[float] = []

        async def queue() -> None:
            await limiter.acquire()
            starts.append(asyncio.get_running_loop().time())

        queued = [asyncio.ensure_future(queue()) for _ in range(3)]
        await asyncio.sleep(5)
        for _ in range(3):
            limiter.release()
        await asyncio.gather(*queued)
        return starts

    assert min(later - earlier for earlier, later in itertools.pairwise(run_virtual(main()))) >= 0.099


@pytest.mark.parametrize("bulk", [False, True])
async def test_cancelling_anywhere_leaks_no_slot_with_a_rate_either(bulk: bool) -> None:
    limiter = Limiter(Limits(concurrency=1, rate=2_000.0))

    async def use() -> None:
        await limiter.acquire(bulk=bulk)
        try:
            await asyncio.sleep(0)
        finally:
            limiter.release(bulk=bulk)

    async def two() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(use())
            await use()

    async def check() -> None:
        assert (limiter.in_flight, limiter.waiting) == (0, 0)
        await asyncio.wait_for(use(), 5)

    assert await cancel_at_every_step(two, check=check) >= 2


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.data())
def test_when_all_waiters_are_cancelled_no_task_is_left(kinds: list[bool], data: st.DataObject) -> None:
    async def main() -> None:
        limiter = Limiter(Limits(rate=0.1), clock=VirtualClock())
        tasks = [asyncio.ensure_future(limiter.acquire(bulk=bulk)) for bulk in kinds]
        await asyncio.sleep(data.draw(st.floats(0, 50)))
        for task in data.draw(st.permutations(tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        assert limiter.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"rate": 0}, {"rate": -1.0}])
def test_limits_that_let_nothing_through_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"Limits\."):
        Limits(**options)  # type: ignore[arg-type]
