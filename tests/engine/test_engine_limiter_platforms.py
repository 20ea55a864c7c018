"""The whole engine against platforms that draw a line: how seldom it steps over it, and how close to it it stays."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from engine_parts import READ, WRITE
from engine_platform import Platform, client
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run_virtual

from ethora_async.config import Limits
from ethora_async.engine import Paused, RetryScheduled
from ethora_async.engine.patience import LONGEST_PAUSE, mark_bulk
from ethora_async.errors import ChatError, NotSentError, RateLimitedError, ServerFaultError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ethora_async.engine import Engine


async def burst(using: Engine, calls: int, workers: int) -> list[ChatError]:
    """A run's calls, by so many workers; the errors."""
    left, errors = iter(range(calls)), list[ChatError]()

    async def worker() -> None:
        mark_bulk()
        for _ in left:
            try:
                await using.call(READ)
            except ChatError as error:
                errors.append(error)

    await asyncio.gather(*[asyncio.create_task(worker()) for _ in range(workers)])
    return errors


def varying(mean: float) -> Callable[[random.Random], float]:
    return lambda draw: draw.expovariate(1 / mean)


LATENCIES = [0.02, varying(0.02), varying(0.4)]


@settings(max_examples=8)
@given(
    at_once=st.integers(1, 64),
    takes=st.sampled_from(LATENCIES),
    retry_after=st.sampled_from([None, 1.0]),
    workers=st.sampled_from([16, 80]),
)
def test_a_platform_that_takes_so_many_at_once_hardly_has_to_refuse(
    at_once: int, takes: Any, retry_after: float | None, workers: int
) -> None:
    platform = Platform(at_once=at_once, takes=takes, retry_after=retry_after)
    assert run_virtual(burst(client(platform), 2_500, workers)) == []
    assert platform.most <= at_once
    assert platform.refused_share() <= 0.01


@settings(max_examples=8)
@given(
    per_second=st.integers(8, 300),
    takes=st.sampled_from([0.002, 0.02, varying(0.05)]),
    retry_after=st.sampled_from([None, 1.0, 5.0]),
    workers=st.sampled_from([16, 80]),
)
def test_a_platform_that_takes_so_many_a_second_hardly_has_to_refuse(
    per_second: int, takes: Any, retry_after: float | None, workers: int
) -> None:
    platform = Platform(per_second=per_second, takes=takes, retry_after=retry_after)
    assert run_virtual(burst(client(platform), 2_500, workers)) == []
    assert platform.refused_share() <= 0.01


@pytest.mark.parametrize("takes", LATENCIES)
@pytest.mark.parametrize("at_once", [1, *(pytest.param(number, marks=pytest.mark.slow) for number in (2, 8)), 16])
def test_what_a_platform_takes_at_once_is_made_use_of(at_once: int, takes: Any) -> None:
    platform = Platform(at_once=at_once, takes=takes)
    run_virtual(burst(client(platform), 4_000, 64))
    assert platform.rate() >= 0.85 * at_once / (0.02 if takes is not LATENCIES[2] else 0.4)


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("per_second", [20, 100])
def test_what_a_platform_takes_in_a_second_is_made_use_of(per_second: int, retry_after: float | None) -> None:
    platform = Platform(per_second=per_second, takes=0.02, retry_after=retry_after)
    run_virtual(burst(client(platform), 40 * per_second, 64))
    assert platform.rate() >= 0.75 * per_second


def test_without_the_limiter_the_same_platform_refuses_most() -> None:
    # The measure measures: this is what the tests above would see if nothing were learned.
    platform = Platform(at_once=8)
    run_virtual(burst(client(platform, Limits(adaptive=False)), 2_500, 64))
    assert platform.refused_share() > 0.05


def test_single_503s_do_not_bring_a_run_down() -> None:
    platform = Platform(refuse=lambda count, now: 503 if count % 50 == 49 else None)
    run_virtual(burst(client(platform), 4_000, 16))
    assert platform.rate() >= 0.3 * 16 / 0.02


def test_a_platform_without_a_line_is_used_to_the_ceiling() -> None:
    platform = Platform()
    run_virtual(burst(client(platform, Limits(concurrency=64)), 6_000, 64))
    assert platform.most == 56  # an eighth is for others
    assert platform.rate(0.2) >= 0.9 * 56 / 0.02


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", [3.0, 60.0])
def test_while_a_pause_lasts_no_worker_sends_anything_and_no_call_runs_out_of_time(
    status: int, retry_after: float
) -> None:
    events: list[object] = []
    until = 1_000.5 + retry_after
    platform = Platform(
        retry_after=retry_after, refuse=lambda count, now: status if 1_000.5 <= now < until - 1e-6 else None
    )
    errors = run_virtual(burst(client(platform, listeners=[events.append]), 2_000, 32))
    assert errors == []  # though a call's own time is 30 s
    during = [at for at, _ in platform.log if 1_000.5 <= at < until - 1e-6]
    assert max(during) - min(during) < 0.1  # those that were on their way, and nobody afterwards
    assert sum(isinstance(event, Paused) for event in events) == 1


def test_requests_of_a_run_do_not_run_out_of_time_behind_each_other() -> None:
    platform = Platform(takes=2.0)
    errors = run_virtual(burst(client(platform, Limits(concurrency=1)), 60, 60))
    assert errors == []
    assert platform.log[-1][0] - platform.log[0][0] > 100  # and a call's own time is 30 s


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_exceeds_all_patience_is_told_at_once(status: int) -> None:
    asked = LONGEST_PAUSE + 100
    platform = Platform(retry_after=asked, refuse=lambda count, now: status)
    errors = run_virtual(burst(client(platform), 50, 8))
    assert len(errors) == 50
    assert platform.log[-1][0] - platform.log[0][0] < 0.1
    assert len(platform.log) <= 8
    kinds = {type(error) for error in errors}
    assert kinds == {RateLimitedError if status == 429 else ServerFaultError, NotSentError}
    for error in errors:
        assert error.retry_after == pytest.approx(asked, abs=0.1)


def test_a_foreground_call_tries_while_runs_wait_and_keeps_to_its_own_deadline() -> None:
    async def main() -> tuple[float, float | None]:
        platform = Platform(retry_after=60.0, refuse=lambda count, now: 429 if count == 0 or count == 2 else None)
        using = client(platform)
        loop = asyncio.get_running_loop()

        async def in_bulk() -> None:
            mark_bulk()
            await using.call(READ)

        run = asyncio.create_task(in_bulk())
        await asyncio.sleep(1)
        await using.call(READ)  # at once
        second = loop.time()
        with pytest.raises(RateLimitedError) as caught:
            await using.call(READ)
        assert loop.time() - second < 1  # the wait does not fit, and is not begun
        await run
        return loop.time() - 1_000, caught.value.retry_after

    ended, retry_after = run_virtual(main())
    assert retry_after == 60.0
    assert ended >= 60


def test_a_run_that_fills_every_slot_keeps_no_foreground_call_waiting() -> None:
    class Stuck(Platform):
        async def send(self, request, /):  # type: ignore[no-untyped-def]
            if request.method == "GET":
                self.under_way += 1
                await asyncio.Event().wait()
            return await super().send(request)

    async def main() -> float:
        platform = Stuck()
        using = client(platform, Limits(concurrency=16))

        async def in_bulk() -> None:
            mark_bulk()
            await using.call(READ)

        run = [asyncio.create_task(in_bulk()) for _ in range(100)]
        await asyncio.sleep(1)
        assert platform.under_way == using.limiter.limit > 1
        await using.call(WRITE, path={"id": "1"})
        taken = asyncio.get_running_loop().time() - 1_001
        for task in run:
            task.cancel()
        await asyncio.gather(*run, return_exceptions=True)
        assert (using.limiter.in_flight, using.limiter.waiting) == (0, 0)
        return taken

    assert run_virtual(main()) == pytest.approx(0.02)


def test_what_a_run_learned_of_the_pace_is_kept_to_after_a_refused_call_of_its_own() -> None:
    events: list[object] = []
    platform = Platform(per_second=10, retry_after=1.0)
    run_virtual(burst(client(platform, listeners=[events.append]), 100, 8))
    refused = [at for at, status in platform.log if status == 429]
    assert len(refused) <= 12
    assert any(isinstance(event, RetryScheduled) for event in events)


def test_sixty_four_callers_of_a_platform_that_takes_20_ms_wait_for_nothing_else() -> None:
    async def main() -> float:
        using = client(Platform(takes=0.02))

        async def caller() -> None:
            for _ in range(50):
                await using.call(READ)

        await asyncio.gather(*[asyncio.create_task(caller()) for _ in range(64)])
        return asyncio.get_running_loop().time() - 1_000

    assert run_virtual(main()) == pytest.approx(50 * 0.02)


def test_a_run_reaches_sixty_four_in_flight_at_little_loss() -> None:
    async def main() -> float:
        await burst(client(Platform(takes=0.02)), 4_000, 64)
        return asyncio.get_running_loop().time() - 1_000

    ideal = 4_000 / 64 * 0.02
    assert ideal / run_virtual(main()) >= 0.92
