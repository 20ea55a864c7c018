"""Realtime over real sockets: gaps, ends, slow readers (docs/platforms/rocketchat.md#realtime)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from ethora_async import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    RocketChatClient,
    TransportError,
    UnauthorizedError,
)
from ethora_async.platforms.rocketchat.realtime.events import (
    MessageDeleted,
    MessageReceived,
    Reconnected,
    RoomChanged,
    RoomLeft,
    StreamEvent,
)
from ethora_async.testing.implementers import cancel_at_every_step
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.platforms.rocketchat.realtime.connection import Realtime
    from ethora_async.sandbox import RocketChatSandbox


SOON = 120.0
"""Seconds after which a test gives up waiting; nothing takes that long."""


class StandingClock(FakeClock):
    """A clock on which time passes only by sleeping, and sleeping lets the event loop turn."""

    async def sleep(self, delay: float, /) -> None:
        self.slept.append(delay)
        await asyncio.sleep(0.01)


@pytest.fixture
def clock() -> FakeClock:
    return StandingClock()


@pytest.fixture
async def ann(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> AsyncIterator[str]:
    sandbox.add_user("ann", password="a-password-1")
    sandbox.add_user("bob", password="a-password-1")
    for room in ("one", "two"):
        await rocketchat.chats.create(room, title=room, members=["ann"])
    yield "ann"
    assert leftovers() == []


def leftovers() -> list[str]:
    running = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [coroutine for coroutine in running if "Realtime." in coroutine or "Deliveries." in coroutine]


async def following(stream: Realtime, *kinds: type) -> Any:
    """The next event of these kinds."""
    async with asyncio.timeout(SOON):
        async for event in stream:
            if isinstance(event, kinds):
                return event
    return None


async def texts(stream: Realtime, count: int) -> list[str]:
    """The texts of the next messages that people wrote."""
    found: list[str] = []
    while len(found) < count:
        event = await following(stream, MessageReceived)
        if event.message.type is None:
            found.append(event.message.text)
    return found


@pytest.mark.parametrize("version", ["6.13", "8.8.1", "9.0"], indirect=True)
@pytest.mark.parametrize("microservices", [False, True])
@pytest.mark.parametrize("updated_first", [False, True])
async def test_messages_come_as_they_are_written(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, microservices: bool, updated_first: bool
) -> None:
    sandbox.realtime.quirks.microservices = microservices
    sandbox.realtime.quirks.updated_first = updated_first
    async with rocketchat.realtime(ann, rooms=["one", "two"]) as stream:
        for number in range(10):
            await rocketchat.messages.send("one" if number % 2 else "two", f"text {number}")
        assert await texts(stream, 10) == [f"text {number}" for number in range(10)]


async def test_rooms_of_others_are_refused_and_unknown_ones_not_found(rocketchat: RocketChatClient, ann: str) -> None:
    await rocketchat.chats.create("secret", title="Secret", members=["bob"])
    async with rocketchat.realtime(ann) as stream:
        with pytest.raises(ForbiddenError):
            await stream.subscribe("secret")
        with pytest.raises(NotFoundError):
            await stream.subscribe("nowhere")
        with pytest.raises(ForbiddenError):
            await stream.watch("stream-no-such-thing", "x")
        await stream.subscribe("one")
        await stream.subscribe("one")
        await asyncio.gather(stream.subscribe("two"), stream.subscribe("two"))
        await rocketchat.messages.send("one", "still here")
        assert await texts(stream, 1) == ["still here"]
        await stream.unsubscribe("one")
        await rocketchat.messages.send("one", "not for me")
        await rocketchat.messages.send("two", "for me")
        assert await texts(stream, 1) == ["for me"]


async def test_deletions_rooms_and_other_streams(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    from ethora_async.request import Operation

    async with rocketchat.realtime(ann, rooms="one") as stream:
        sent = await rocketchat.messages.send("one", "gone soon")
        await texts(stream, 1)
        api = await rocketchat._context.open()
        delete = Operation(
            "messages.delete",
            "POST",
            "/api/v1/chat.delete",
            repeatable=True,
            source="docs/platforms/rocketchat.md#messages",
        )
        await api.call(delete, data={"roomId": sent.room_id, "msgId": sent.id})
        assert await following(stream, MessageDeleted) == MessageDeleted(sent.room_id, sent.id)
        await rocketchat.chats.update("one", title="New topic")
        changed = await following(stream, RoomChanged)
        assert changed.room.id == "one"
        await stream.watch("stream-notify-logged", "Users:Deleted")
        bob = (await rocketchat.users.get("bob")).record_id
        await rocketchat.users.delete("bob")
        told = await following(stream, StreamEvent)
        assert (told.name, told.args[0]["userId"]) == ("Users:Deleted", bob)


@pytest.mark.parametrize("how", ["drop", "close", "restart"])
async def test_what_was_missed_is_fetched_and_nothing_comes_twice(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, how: str
) -> None:
    async with rocketchat.realtime(ann, rooms=["one", "two"]) as stream:
        await rocketchat.messages.send("one", "before")
        assert await texts(stream, 1) == ["before"]
        expected = []
        for turn in range(5):
            if how == "drop":
                sandbox.realtime.drop()
            elif how == "close":
                sandbox.realtime.close(1013)
            for room in ("one", "two"):
                expected.append(f"{room} {turn}")
                if how == "restart":
                    await sandbox.realtime.aclose()
                await rocketchat.messages.send(room, expected[-1])
        found = await texts(stream, len(expected))
        assert sorted(found) == sorted(expected)
        await rocketchat.messages.send("one", "after")
        assert await texts(stream, 1) == ["after"]


async def test_a_gap_is_told_and_every_subscription_made_once(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    async with rocketchat.realtime(ann, rooms=["one", "two"]) as stream:
        sandbox.realtime.drop()
        await following(stream, Reconnected)
        await rocketchat.messages.send("one", "once")
        await rocketchat.messages.send("two", "end")
        assert await texts(stream, 2) == ["once", "end"]


async def test_pauses_grow_until_a_connection_lasts(
    rocketchat: RocketChatClient,
    sandbox: RocketChatSandbox,
    ann: str,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    async with rocketchat.realtime(ann, rooms="one") as stream:
        clock.slept.clear()
        for _ in range(9):
            sandbox.realtime.drop()  # each time the log-in was accepted
            await following(stream, Reconnected)
        assert clock.slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        clock.advance(30)
        sandbox.realtime.drop()
        await following(stream, Reconnected)
        assert clock.slept[9:] == [0.5]


async def test_an_edit_comes_as_the_message_once_more(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, clock: FakeClock
) -> None:
    from ethora_async.request import Operation

    update = Operation(
        "messages.update",
        "POST",
        "/api/v1/chat.update",
        repeatable=True,
        source="docs/platforms/rocketchat.md#messages",
    )
    async with rocketchat.realtime(ann, rooms="one") as stream:
        sent = await rocketchat.messages.send("one", "first")
        assert await texts(stream, 1) == ["first"]
        api = await rocketchat._context.open()
        clock.advance(1)
        await api.call(update, data={"roomId": sent.room_id, "msgId": sent.id, "text": "second"})
        assert await texts(stream, 1) == ["second"]
        sandbox.realtime.drop()
        clock.advance(1)
        await api.call(update, data={"roomId": sent.room_id, "msgId": sent.id, "text": "third"})
        assert await texts(stream, 1) == ["third"]


@pytest.mark.parametrize("on_revoke", ["close", "deauthenticate"])
@pytest.mark.parametrize("given", [True, False])
async def test_a_revoked_token_ends_it_clearly(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, on_revoke: Any, given: bool
) -> None:
    sandbox.realtime.quirks.on_revoke = on_revoke
    token = await rocketchat.tokens.for_user(ann)
    async with rocketchat.realtime(token if given else ann, rooms="one") as stream:
        await rocketchat.messages.send("one", "last words")
        await texts(stream, 1)
        await rocketchat.logout(ann)
        async with asyncio.timeout(SOON):
            with pytest.raises(UnauthorizedError, match="revoked"):
                async for _ in stream:
                    pass
        with pytest.raises(UnauthorizedError):
            await anext(stream)
        with pytest.raises(NotSentError):
            await stream.subscribe("two")


async def test_another_token_of_the_user_may_end(rocketchat: RocketChatClient, ann: str) -> None:
    other = await rocketchat.tokens.for_user(ann)
    token = await rocketchat.tokens.for_user(ann, renew=True)
    async with rocketchat.realtime(token, rooms="one") as stream:
        await rocketchat.tokens.revoke(other)
        await rocketchat.messages.send("one", "still here")
        assert await texts(stream, 1) == ["still here"]


async def test_a_token_that_died_in_the_cache_is_replaced(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    await rocketchat.tokens.for_user(ann)
    sandbox.store.users.with_username(ann).tokens.clear()  # type: ignore[union-attr]
    async with rocketchat.realtime(ann) as stream:
        await stream.subscribe("one")


async def test_an_expired_token_is_replaced_where_the_client_made_it(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, clock: FakeClock
) -> None:
    sandbox.settings["Accounts_LoginExpiration"] = 1
    given = await rocketchat.tokens.for_user(ann)
    async with (
        rocketchat.realtime(ann, rooms="one") as stream,
        rocketchat.realtime(given, rooms="one") as other,
    ):
        clock.advance(86_400 + 60)
        sandbox.realtime.drop()
        await following(stream, Reconnected)
        await rocketchat.messages.send("one", "with a new token")
        assert await texts(stream, 1) == ["with a new token"]
        async with asyncio.timeout(SOON):
            with pytest.raises(UnauthorizedError, match="expired"):
                async for _ in other:
                    pass


@pytest.mark.parametrize("on_revoke", ["close", "deauthenticate"])
async def test_a_token_that_the_client_has_replaced_is_replaced_in_its_stream(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, clock: FakeClock, on_revoke: Any
) -> None:
    sandbox.realtime.quirks.on_revoke = on_revoke
    async with rocketchat.realtime(ann, rooms="one") as stream:
        await rocketchat.tokens.for_user(ann, renew=True)
        clock.advance(301)
        await rocketchat.tokens.for_user(ann)  # the grace period is over: the one before is logged out
        await following(stream, Reconnected)
        await rocketchat.messages.send("one", "with the other token")
        assert await texts(stream, 1) == ["with the other token"]
        await rocketchat.logout(ann)
        async with asyncio.timeout(SOON):
            with pytest.raises(UnauthorizedError, match="revoked"):
                async for _ in stream:
                    pass


async def test_a_token_that_is_swept_out_at_its_end_is_replaced_where_the_client_made_it(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, clock: FakeClock
) -> None:
    sandbox.settings["Accounts_LoginExpiration"] = 1
    given = await rocketchat.tokens.for_user(ann)
    async with (
        rocketchat.realtime(ann, rooms="one") as stream,
        rocketchat.realtime(given, rooms="one") as other,
    ):
        clock.advance(86_400 + 660)
        sandbox.settle()
        await following(stream, Reconnected)
        await rocketchat.messages.send("one", "with a new token")
        assert await texts(stream, 1) == ["with a new token"]
        async with asyncio.timeout(SOON):
            with pytest.raises(UnauthorizedError, match="expired"):
                async for _ in other:
                    pass


async def test_leaving_a_room_is_told_and_returning_brings_what_was_missed(
    rocketchat: RocketChatClient, ann: str
) -> None:
    async with rocketchat.realtime(ann, rooms=["one"]) as stream:
        await rocketchat.messages.send("one", "before")
        await texts(stream, 1)
        await rocketchat.chats.kick("one", ann)
        await following(stream, RoomLeft)
        await rocketchat.messages.send("one", "meanwhile")
        await rocketchat.chats.invite("one", ann)
        await rocketchat.messages.send("one", "after")
        assert await texts(stream, 2) == ["meanwhile", "after"]


async def test_after_a_slow_reader_the_server_is_asked_for_a_sign_of_life(
    rocketchat: RocketChatClient, ann: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinged = asyncio.Event()
    send = aiohttp.ClientWebSocketResponse.send_str

    async def watched(socket: Any, frame: str, *arguments: Any) -> None:
        if json.loads(frame)["msg"] == "ping":
            pinged.set()
        await send(socket, frame, *arguments)

    monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "send_str", watched)
    stream = rocketchat.realtime(ann)
    handle = stream._handle

    async def slow(*arguments: Any) -> None:
        await handle(*arguments)
        clock.advance(60)  # as if the queue had been full for so long

    monkeypatch.setattr(stream, "_handle", slow)
    async with stream, asyncio.timeout(SOON):
        await pinged.wait()


async def test_a_slow_reader_loses_nothing_and_holds_little(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    async with rocketchat.realtime(ann, rooms=["one"], queue_size=2) as stream:
        for number in range(30):
            await rocketchat.messages.send("one", f"text {number}")
            if number == 15:
                sandbox.realtime.drop()  # as a server does that is kept waiting
        assert len(stream._queue._events) <= 2
        assert sorted(await texts(stream, 30)) == sorted(f"text {number}" for number in range(30))


async def test_a_half_open_connection_is_noticed(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ethora_async.platforms.rocketchat.realtime import ddp

    monkeypatch.setattr(ddp, "QUIET", 0.05)
    monkeypatch.setattr(ddp, "PATIENCE", 0.05)
    clock = RealClock()
    environment = sandbox.environment
    async with (
        RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            create_tokens_secret=environment["ROCKETCHAT_CREATE_TOKENS_SECRET"],
            clock=clock,
        ) as client,
        client.realtime(ann, rooms="one") as stream,
    ):
        sandbox.realtime.freeze()
        await rocketchat.messages.send("one", "into the void")
        assert await texts(stream, 1) == ["into the void"]


class RealClock(StandingClock):
    """Monotonic time passes by itself."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_a_server_that_is_not_there_is_said(clock: FakeClock, unused_tcp_port: int) -> None:
    client = RocketChatClient(
        url=f"http://127.0.0.1:{unused_tcp_port}", user_id="x", token="pat", create_tokens_secret="s", clock=clock
    )
    async with client:
        with pytest.raises(TransportError):
            async with client.realtime("ann"):
                pass


async def test_a_server_without_a_websocket_is_said(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    sandbox.faults.fail("GET /websocket", status=502, times=100)
    token = await rocketchat.tokens.for_user(ann)
    with pytest.raises(TransportError):
        async with rocketchat.realtime(token):
            pass


async def test_closing_the_client_ends_its_streams(rocketchat: RocketChatClient, ann: str) -> None:
    async with rocketchat.realtime(ann, rooms="one") as stream:
        waiting = asyncio.create_task(all_of(stream))
        await asyncio.sleep(0)
        await rocketchat.aclose()
        await asyncio.wait_for(waiting, SOON)


async def all_of(stream: Realtime) -> list[object]:
    return [event async for event in stream]


async def test_it_is_used_inside_its_block(rocketchat: RocketChatClient, ann: str) -> None:
    stream = rocketchat.realtime(ann)
    with pytest.raises(NotSentError, match="not open"):
        await stream.watch("stream-notify-room", "x")
    async with stream:
        with pytest.raises(NotSentError, match="open already"):
            await stream.__aenter__()
    with pytest.raises(NotSentError):
        await stream.watch("stream-notify-room", "x")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(InvalidInputError):
        rocketchat.realtime(ann, queue_size=0)


async def test_cancelling_at_any_step_leaves_nothing_behind(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    token = await rocketchat.tokens.for_user(ann)
    await rocketchat.chats.get("one")

    async def once() -> None:
        async with rocketchat.realtime(token, rooms="one"):
            pass

    async def check() -> None:
        assert leftovers() == []

    assert await cancel_at_every_step(once, check=check) > 0
    for _ in range(12_000):
        if not sandbox.realtime.connections:
            break
        await asyncio.sleep(0.01)
    assert not sandbox.realtime.connections


async def test_another_transport_carries_requests_and_aiohttp_the_socket(
    sandbox: RocketChatSandbox, clock: FakeClock, rocketchat: RocketChatClient, ann: str
) -> None:
    from ethora_async.transport.httpx import HttpxTransport

    environment = sandbox.environment
    async with (
        RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            create_tokens_secret=environment["ROCKETCHAT_CREATE_TOKENS_SECRET"],
            transport=HttpxTransport(),
            clock=clock,
        ) as client,
        client.realtime(ann, rooms="one") as stream,
    ):
        await rocketchat.messages.send("one", "hello")
        assert await texts(stream, 1) == ["hello"]


async def test_a_room_of_users_alone_is_found_with_their_token(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str
) -> None:
    from ethora_async.platforms.rocketchat import operations

    mine = rocketchat.as_user(ann)
    await (await mine._context.open()).call(operations.CREATE_GROUP, data={"name": "hers"})
    async with rocketchat.realtime(ann, rooms="hers") as stream:
        direct = await mine.direct("bob")
        assert direct.record_id is not None
        from ethora_async.platforms.rocketchat.names import RecordId

        await stream.subscribe(RecordId(direct.record_id))
        await mine.messages.send(RecordId(direct.record_id), "to bob")
        assert await texts(stream, 1) == ["to bob"]


async def test_a_redirected_socket_gets_no_token(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox, ann: str, clock: FakeClock
) -> None:
    from aiohttp import web

    async def info(request: web.Request) -> web.Response:
        return web.json_response({"success": True, "version": "8.8"})

    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{sandbox.url}/websocket")

    app = web.Application()
    app.router.add_get("/websocket", redirect)
    app.router.add_get("/api/info", info)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        token = await rocketchat.tokens.for_user(ann)
        async with RocketChatClient(url=f"http://127.0.0.1:{port}", user_id="x", token="pat", clock=clock) as client:
            with pytest.raises(TransportError, match="redirected"):
                async with client.realtime(token):
                    pass
    finally:
        await runner.cleanup()
