"""A call that is cancelled at any await leaks no task, connection or permit."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from engine_parts import READ, OneToken, engine
from scripted_transport import reply, scripted
from virtual_time import VirtualClock, jump

from ethora_async.config import Limits
from ethora_async.errors import ServerFaultError
from ethora_async.protocols import Credential
from ethora_async.testing.implementers import BadServer, CannedReply, Fault, cancel_at_every_step
from ethora_async.transport import AiohttpTransport

if TYPE_CHECKING:
    from ethora_async.engine import Engine


@pytest.fixture
def complaints() -> list[dict[str, Any]]:
    """What the loop would print: errors never retrieved, callbacks that failed."""
    return []


@pytest.fixture(autouse=True)
async def _listening(complaints: list[dict[str, Any]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))


class SlowToSign(OneToken):
    """Has to be asked each time, and offers a second credential."""

    second = Credential({"Authorization": "Bearer second"}, "two", "1")

    def peek(self) -> Credential | None:
        return None

    async def acquire(self) -> Credential:
        await asyncio.sleep(0)
        return self.credential

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        await asyncio.sleep(0)
        return self.second if "two" not in tried else None


def make(server: BadServer) -> tuple[Engine, AiohttpTransport]:
    transport, limits = AiohttpTransport(concurrency=1), Limits(concurrency=1, adaptive=False)
    using = engine(transport, server.url, credentials=SlowToSign(), limits=limits, clock=VirtualClock())
    return using, transport


def connector(transport: AiohttpTransport) -> Any:
    assert transport._session is not None
    return transport._session.connector


@pytest.mark.parametrize(
    "script",
    [
        (CannedReply(),),
        (CannedReply(401), CannedReply()),
        (CannedReply(503), Fault.RESET_AFTER_BODY, CannedReply()),
        (CannedReply(429, headers={"Retry-After": "1"}), CannedReply(drop=True)),
    ],
)
@pytest.mark.parametrize("warm", [True, False])
async def test_a_cancelled_call_leaks_no_connection_slot_or_error(
    script: tuple[Any, ...], warm: bool, complaints: list[dict[str, Any]]
) -> None:
    async with BadServer() as server:
        using, transport = make(server)

        async def scenario() -> None:
            nonlocal using, transport
            if not warm:
                using, transport = make(server)
                made.append(using)
            server.play(*script)
            await using.call(READ)

        async def check() -> None:
            assert using.limiter.in_flight == 0
            if transport._session is not None:
                assert not connector(transport)._acquired
            server.play(CannedReply())
            await using.call(READ)

        made = [using]
        try:
            awaits = await cancel_at_every_step(scenario, check=check)
            assert awaits >= (2 if warm else 3)
        finally:
            for one in made:
                await one.aclose()
        assert using.limiter.in_flight == 0
        await server.left_alone()
    gc.collect()
    assert complaints == []


async def test_a_cancelled_call_in_the_queue_blocks_nobody_behind_it(complaints: list[dict[str, Any]]) -> None:
    async with BadServer() as server:
        using, transport = make(server)

        async def crowd() -> None:
            calls = [asyncio.ensure_future(using.call(READ)) for _ in range(3)]
            try:
                await using.call(READ)
                await asyncio.gather(*calls)
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.wait(calls)

        async def check() -> None:
            assert using.limiter.in_flight == 0
            assert not using.limiter.waiting
            assert not connector(transport)._acquired
            await using.call(READ)

        await using.call(READ)
        assert await cancel_at_every_step(crowd, check=check) >= 2
        await using.aclose()
    gc.collect()
    assert complaints == []


async def test_a_deadline_leaks_nothing_either(complaints: list[dict[str, Any]]) -> None:
    async with BadServer(Fault.SLOW_BODY) as server:
        using, transport = make(server)
        calls = asyncio.gather(*(using.call(READ, timeout=60) for _ in range(3)), return_exceptions=True)
        await server.arrived()
        jump(61)
        errors = await calls
        # All deadlines are the same: the slot may come free in the last instant, for one more that is sent in vain.
        kinds = sorted(type(error).__name__ for error in errors)
        assert kinds in (
            ["NotSentError", "NotSentError", "ReplyLostError"],
            ["NotSentError", "ReplyLostError", "ReplyLostError"],
        )
        assert using.limiter.in_flight == 0
        assert not connector(transport)._acquired
        await using.aclose()
        await server.left_alone()
    gc.collect()
    assert complaints == []


async def test_the_helper_reports_a_swallowed_cancellation() -> None:
    async def swallows() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="await number 1 swallowed"):
        await cancel_at_every_step(swallows)


async def test_the_helper_finds_a_slot_that_is_lost_when_it_is_handed_over() -> None:
    class Careless:
        """Does not give back what it was handed in the instant it was cancelled."""

        def __init__(self) -> None:
            self.free = 1
            self.waiters: list[asyncio.Future[None]] = []

        async def acquire(self) -> None:
            if self.free:
                self.free -= 1
                return
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self.waiters:
                    self.waiters.remove(waiter)
                raise

        def release(self) -> None:
            if self.waiters:
                self.waiters.pop(0).set_result(None)
            else:
                self.free += 1

    slots = Careless()

    async def use() -> None:
        await slots.acquire()
        asyncio.get_running_loop().call_soon(slots.release)
        await slots.acquire()
        slots.release()

    async def check() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert slots.free == 1, "lost"

    with pytest.raises(AssertionError, match="lost"):
        await cancel_at_every_step(use, check=check)


async def test_the_helper_passes_on_what_the_code_itself_raises() -> None:
    with pytest.raises(ServerFaultError):
        await cancel_at_every_step(lambda: engine(scripted(reply(500))).call(READ))


async def test_the_helper_counts_awaits_and_gives_up_on_endless_ones() -> None:
    async def three() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def endless() -> None:
        for _ in iter(int, 1):
            await asyncio.sleep(0)

    assert await cancel_at_every_step(three) == 3
    with pytest.raises(AssertionError, match="not finished after 20"):
        await cancel_at_every_step(endless, steps=20)
