"""The limiter under any order of events, cancellations in the worst instant included."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ethora_async.config import Limits
from ethora_async.engine.limiter import Limiter
from ethora_async.errors import ConfigError
from ethora_async.testing import cancel_at_every_step

CEILING = 4


class LimiterMachine(RuleBasedStateMachine):
    """Tasks come for a slot, keep it until told, and are cancelled at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.limiter = Limiter(Limits(concurrency=CEILING))
        self.waiting: dict[int, asyncio.Task[None]] = {}
        self.holding: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.granted: list[int] = []
        self.number = 0
        self.before = 0

    def tick(self) -> None:
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))

    async def worker(self, number: int) -> None:
        if not self.limiter.try_acquire():  # as the engine does
            await self.limiter.acquire()
        self.granted.append(number)
        assert self.limiter.in_flight <= CEILING
        done = self.holding[number] = asyncio.Event()
        self.waiting.pop(number, None)
        try:
            await done.wait()
        finally:
            del self.holding[number]
            self.limiter.release()

    def pick(self, among: dict[int, object], share: float) -> int:
        return sorted(among)[min(int(share * len(among)), len(among) - 1)]

    @rule()
    def somebody_comes(self) -> None:
        self.number += 1
        self.waiting[self.number] = self.tasks[self.number] = self.loop.create_task(self.worker(self.number))
        self.tick()

    @precondition(lambda self: self.holding)
    @rule(share=st.floats(0, 1))
    def somebody_goes(self, share: float) -> None:
        self.holding[self.pick(self.holding, share)].set()
        self.tick()

    @precondition(lambda self: self.tasks)
    @rule(share=st.floats(0, 1))
    def somebody_is_cancelled(self, share: float) -> None:
        self.cancel(self.pick({n: t for n, t in self.tasks.items() if not t.done()} or self.tasks, share))
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

    @rule(seconds=st.sampled_from([0.01, 0.1, 3.0]), refused=st.booleans())
    def a_reply_comes(self, seconds: float, refused: bool) -> None:
        self.limiter.learn("x", seconds, refused=refused)
        self.tick()

    def cancel(self, number: int) -> None:
        self.tasks[number].cancel()
        self.waiting.pop(number, None)

    @invariant()
    def slots_and_holders_agree(self) -> None:
        assert self.limiter.in_flight == len(self.holding)
        assert 1 <= self.limiter.limit <= CEILING

    @invariant()
    def nobody_is_let_in_above_the_limit(self) -> None:
        assert self.limiter.in_flight <= max(self.limiter.limit, self.before)
        self.before = self.limiter.in_flight

    @invariant()
    def nobody_waits_for_a_free_slot(self) -> None:
        assert not self.waiting or self.limiter.in_flight >= self.limiter.limit

    @invariant()
    def first_come_first_served(self) -> None:
        assert self.granted == sorted(self.granted)

    def teardown(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self.tick()
        assert self.limiter.in_flight == 0
        assert not self.limiter._waiters
        self.loop.close()


TestLimiterMachine = LimiterMachine.TestCase
TestLimiterMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def full(count: int, **limits: object) -> Limiter:
    limiter = Limiter(Limits(concurrency=count, **limits))  # type: ignore[arg-type]
    for _ in range(count):
        await limiter.acquire()
    return limiter


async def test_a_429_halves_the_limit_once_a_round() -> None:
    limiter = await full(16)
    for _ in range(16):  # all of them left before the first refusal was known
        limiter.learn("x", 0.1, refused=True)
    assert limiter.limit == 8
    limiter.learn("x", 0.1, refused=True)
    assert limiter.limit == 4


async def test_it_finds_its_way_back_to_the_ceiling_and_not_beyond() -> None:
    limiter = await full(16)
    limiter.learn("x", 0.1, refused=True)
    limits = []
    for _ in range(200):
        limiter.learn("x", 0.1, refused=False)
        limits.append(limiter.limit)
    assert limits == sorted(limits)
    assert (limits[0], limits[-1]) == (8, 16)


async def test_the_limit_never_falls_below_one() -> None:
    limiter = await full(2)
    for _ in range(20):
        limiter.learn("x", 0.1, refused=True)
    assert limiter.limit == 1


async def test_a_recovered_slot_goes_to_whoever_waits() -> None:
    limiter = await full(2)
    limiter.learn("x", 0.1, refused=True)
    limiter.release()
    waiter = asyncio.ensure_future(limiter.acquire())
    await asyncio.sleep(0)
    assert not waiter.done()
    limiter.learn("x", 0.1, refused=False)
    await waiter
    assert limiter.in_flight == 2


async def test_growing_latency_takes_a_tenth_off() -> None:
    limiter = await full(20)
    limiter.learn("x", 0.1, refused=False)
    limiter.learn("x", 3.0, refused=False)
    assert limiter.limit == 18


@pytest.mark.parametrize(("quick", "slow"), [(0.001, 0.4), (0.3, 2.0)])
async def test_a_little_slowness_is_none(quick: float, slow: float) -> None:
    limiter = await full(20)
    limiter.learn("x", quick, refused=False)
    limiter.learn("x", slow, refused=False)
    assert limiter.limit == 20


async def test_an_operation_that_is_always_slow_is_measured_by_itself() -> None:
    limiter = await full(20)
    limiter.learn("quick", 0.01, refused=False)
    limiter.learn("export", 9.0, refused=False)
    assert limiter.limit == 20


async def test_a_platform_that_became_slower_for_good_is_not_held_to_its_past() -> None:
    limiter = await full(20)
    limiter.learn("x", 0.1, refused=False)
    for _ in range(5_000):
        limiter.learn("x", 1.0, refused=False)
    assert limiter.limit == 20


async def test_adaptivity_can_be_switched_off() -> None:
    limiter = await full(8, adaptive=False)
    limiter.learn("x", 0.1, refused=True)
    assert limiter.limit == 8


@pytest.mark.parametrize("rate", [0.5, 3.0, 100.0])
async def test_starts_are_spaced_by_the_rate(monkeypatch: pytest.MonkeyPatch, rate: float) -> None:
    times = _skip_time(monkeypatch)
    limiter = Limiter(Limits(rate=rate))
    starts = []
    for _ in range(8):
        await limiter.acquire()
        starts.append(times())
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert min(gaps) >= 0.999 / rate
    assert sum(gaps) <= 7.2 / rate


async def test_no_permissions_to_start_pile_up_behind_a_slow_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    times = _skip_time(monkeypatch)
    limiter = Limiter(Limits(concurrency=3, rate=10.0))
    for _ in range(3):
        await limiter.acquire()
    starts: list[float] = []

    async def queue() -> None:
        await limiter.acquire()
        starts.append(times())

    queued = [asyncio.ensure_future(queue()) for _ in range(3)]
    await asyncio.sleep(5)  # skipped
    for _ in range(3):
        limiter.release()
    await asyncio.gather(*queued)
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 0.099


async def test_cancelling_anywhere_leaks_no_slot_with_a_rate_either(monkeypatch: pytest.MonkeyPatch) -> None:
    _skip_time(monkeypatch)
    limiter = Limiter(Limits(concurrency=1, rate=50.0))

    async def use() -> None:
        await limiter.acquire()
        try:
            await asyncio.sleep(0)
        finally:
            limiter.release()

    async def two() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(use())
            await use()

    async def check() -> None:
        await asyncio.sleep(0.1)  # skipped
        assert limiter.in_flight == 0
        await asyncio.wait_for(use(), 1)

    assert await cancel_at_every_step(two, check=check) >= 2


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"rate": 0}, {"rate": -1.0}])
def test_limits_that_let_nothing_through_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"Limits\."):
        Limits(**options)  # type: ignore[arg-type]


def _skip_time(monkeypatch: pytest.MonkeyPatch) -> object:
    """Make the running loop's timers come due at once, in order: time passes without anybody waiting for it."""
    loop = asyncio.get_running_loop()
    real, skipped = loop.time, 0.0

    def time() -> float:
        return real() + skipped

    selector = loop._selector  # type: ignore[attr-defined]
    select = selector.select

    def skip(timeout: float | None = None) -> object:
        nonlocal skipped
        if timeout and not (ready := select(0)):
            skipped += timeout
            return ready
        return select(0 if timeout else timeout)

    monkeypatch.setattr(loop, "time", time)
    monkeypatch.setattr(selector, "select", skip)
    return time
