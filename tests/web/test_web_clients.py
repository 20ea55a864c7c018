"""Clients with the lifetime of an application, and clients in their own loop."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest
from web_parts import SECRET, ethora

from ethora_async import ConfigError, EthoraClient, NewUser, ReplyLostError, WrongLoopError
from ethora_async.sandbox import EthoraSandbox
from ethora_async.testing.users import FakeClock
from ethora_async.web import AppClient, OwnLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Toy:
    """A client that records its life cycle."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.closed = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self.closed += 1
        assert self.loop in (None, asyncio.get_running_loop())

    async def work(self) -> asyncio.AbstractEventLoop:
        self.loop = asyncio.get_running_loop()
        return self.loop


@pytest.fixture(autouse=True)
def _counted() -> None:
    Toy.made = 0


async def test_an_app_client_is_open_while_the_application_runs() -> None:
    chat = AppClient(Toy)
    with pytest.raises(ConfigError, match="not open"):
        chat()
    with pytest.raises(ConfigError, match="not open"):
        await chat.get()
    for _ in range(2):  # an application may start again, as in tests
        async with chat.lifespan(object()):
            client = chat()
            assert await chat.get() is client
            with pytest.raises(ConfigError, match="open already"):
                await chat.__aenter__()
            assert client.closed == 0
        assert client.closed == 1
        with pytest.raises(ConfigError, match="not open"):
            chat()
    assert Toy.made == 2


async def test_a_client_that_cannot_open_is_not_there() -> None:
    class Broken(Toy):
        async def __aenter__(self) -> Self:
            msg = "no secret"
            raise ConfigError(msg)

    chat = AppClient(Broken)
    with pytest.raises(ConfigError, match="no secret"):
        await chat.__aenter__()
    with pytest.raises(ConfigError, match="not open"):
        chat()


@pytest.fixture
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(app_id="app", secret=SECRET) as sandbox:
        yield sandbox


def own_loop(sandbox: EthoraSandbox) -> OwnLoop[EthoraClient]:
    return OwnLoop(lambda: ethora(api_url=sandbox.url, clock=None))


ANN = NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="Lee")


async def test_one_client_for_many_loops_and_threads(sandbox: EthoraSandbox) -> None:
    async with own_loop(sandbox) as chat:
        assert (await chat.run(lambda client: client.users.create_many([ANN]))).counts["created"] == 1

        def elsewhere() -> str:
            return asyncio.run(chat.run(lambda client: client.users.get("ann"))).id

        found = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(8)))
        assert found == ["ann"] * 8


async def test_without_it_the_second_loop_is_the_wrong_one(sandbox: EthoraSandbox) -> None:
    async with ethora(api_url=sandbox.url, clock=None) as client:
        await client.ping()

        def elsewhere() -> None:
            asyncio.run(client.ping())

        with pytest.raises(WrongLoopError):
            await asyncio.to_thread(elsewhere)


async def test_cancelling_reaches_the_other_loop() -> None:
    started, ended = threading.Event(), threading.Event()

    async def endless(client: Toy) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with OwnLoop(Toy) as chat:
        waiting = asyncio.create_task(chat.run(endless))
        assert await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(ended.wait, 10)


async def test_closing_closes_the_client_where_it_lived_and_ends_the_thread() -> None:
    chat = OwnLoop(Toy)
    await chat.aclose()  # nothing to close yet
    loop = await chat.run(Toy.work)
    assert loop is not asyncio.get_running_loop()
    client = await chat.run(_itself)
    await chat.aclose()
    assert client.closed == 1
    assert loop.is_closed()
    assert "ethora-own-loop" not in {thread.name for thread in threading.enumerate()}
    assert await chat.run(Toy.work) is not loop  # and anew
    assert Toy.made == 2
    await chat.aclose()
    await chat.aclose()


async def _itself(client: Toy) -> Toy:
    return client


async def test_calls_under_way_end_when_it_is_closed() -> None:
    started = threading.Event()

    async def endless(client: Toy) -> None:
        started.set()
        await asyncio.sleep(60)

    chat = OwnLoop(Toy)
    waiting = asyncio.create_task(chat.run(endless))
    assert await asyncio.to_thread(started.wait, 10)
    await chat.aclose()
    with pytest.raises(ReplyLostError, match="closed"):
        await waiting


async def test_a_factory_that_fails_is_tried_again() -> None:
    def factory() -> Toy:
        Toy.made += 1
        if Toy.made == 1:
            msg = "not yet"
            raise ConfigError(msg)
        return Toy()

    async with OwnLoop(factory) as chat:
        with pytest.raises(ConfigError, match="not yet"):
            await chat.run(Toy.work)
        assert await chat.run(Toy.work)


async def test_what_is_asked_over_there_may_ask_again() -> None:
    async with OwnLoop(Toy) as chat:

        async def nested(client: Toy) -> bool:
            return await chat.run(Toy.work) is asyncio.get_running_loop()

        assert await chat.run(nested)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_server_may_fork_after_the_first_call() -> None:
    chat = OwnLoop(Toy)
    first = asyncio.run(chat.run(Toy.work))
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            status = 0 if asyncio.run(chat.run(Toy.work)) is not first else 2
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert asyncio.run(chat.run(Toy.work)) is first
    chat.close()


def test_minting_needs_no_loop_of_anybodys() -> None:
    """So Ethora's token endpoint also works under WSGI with a plain client."""
    client = ethora(clock=FakeClock(1_700_000_000.0))
    values = {asyncio.run(client.tokens.for_user("ann")).value for _ in range(3)}
    assert len(values) == 1
