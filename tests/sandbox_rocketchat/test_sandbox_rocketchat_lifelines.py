"""Heartbeats, closes, dead tokens, outages (docs/platforms/rocketchat.md#handshake-and-heartbeat, #reconnecting)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from rocket_helpers import Ddp, Rest, Who, eventually

from ethora_async.sandbox.rocketchat.ids import hash_token

if TYPE_CHECKING:
    from still_clock import Clock

MESSAGES = "stream-room-messages"
NOTIFY_USER = "stream-notify-user"
MICROSERVICES = {"microservices": True}
BOTH = pytest.mark.parametrize(
    ("options", "code"), [({}, 1000), (MICROSERVICES, 4000)], ids=["monolith", "microservices"]
)


@pytest_asyncio.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


@BOTH
async def test_who_does_not_answer_a_ping_is_dropped(rest: Rest, code: int) -> None:
    quirks = rest.sandbox.realtime.quirks
    assert (quirks.quiet, quirks.patience) == ((30, 30) if code == 4000 else (15, 15))
    quirks.quiet = quirks.patience = 0.02
    async with await Ddp.connect(rest) as ddp:
        assert await ddp.until(msg="ping") == {"msg": "ping"}
        assert await ddp.closed() == code


async def test_who_answers_stays(rest: Rest) -> None:
    rest.sandbox.realtime.quirks.quiet = 0.01
    async with await Ddp.connect(rest) as ddp:
        for _ in range(5):
            await ddp.until(msg="ping")
            await ddp.send({"msg": "pong"})
        assert not ddp.socket.closed


async def test_pings_can_be_asked_for(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        rest.sandbox.realtime.ping()
        assert await ddp.receive() == {"msg": "ping"}


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1013, 4000])
async def test_lines_close_with_the_code_that_is_wanted(rest: Rest, code: int) -> None:
    async with await Ddp.connect(rest) as ddp:
        rest.sandbox.realtime.close(code)
        assert await ddp.closed() == code


async def test_lines_are_cut_without_a_word(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        rest.sandbox.realtime.drop()
        message = await ddp.socket.receive(timeout=30)
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert ddp.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_a_frozen_line_is_held_and_says_nothing(rest: Rest, ada: Who) -> None:
    rest.sandbox.realtime.quirks.quiet = 0.01
    async with await Ddp.connect(rest, ada) as ddp, await Ddp.connect(rest, ada) as watcher:
        await ddp.sub(MESSAGES, "GENERAL")
        rest.sandbox.realtime.freeze()
        for connection in rest.sandbox.realtime.connections:
            assert connection.frozen
        await ddp.send({"msg": "ping"})
        await rest.post("chat.postMessage", {"channel": "#general", "text": "unheard"})
        async with await Ddp.connect(rest) as fresh:
            await fresh.until(msg="ping")  # long enough for a live line to have spoken
        with pytest.raises(TimeoutError):
            await ddp.socket.receive(timeout=0.01)
        assert not ddp.socket.closed
        rest.sandbox.realtime.drop()
        await watcher.socket.receive(timeout=30)


@pytest.mark.parametrize("ending", ["users.logout", "logout", "users.setActiveStatus", "users.delete"])
async def test_a_dead_token_closes_its_connection_after_telling(rest: Rest, ada: Who, ending: str) -> None:
    bodies: dict[str, Any] = {
        "users.setActiveStatus": {"userId": ada.id, "activeStatus": False},
        "logout": {},
    }
    other = await rest.make_token(ada.id) if ending == "logout" else None
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(NOTIFY_USER, f"{ada.id}/userData")
        body = bodies.get(ending, {"userId": ada.id})
        assert (await rest.post(ending, body, who=ada if ending == "logout" else "admin")).status == 200
        (change,) = await ddp.event(f"{ada.id}/userData")
        left = [token["hashedToken"] for token in change["diff"]["services.resume.loginTokens"]]
        assert hash_token(ada.token) not in left
        assert left == ([] if other is None else [hash_token(other.token)])
        assert await ddp.closed() == 1000


async def test_another_token_that_dies_leaves_the_connection_alone(rest: Rest, ada: Who) -> None:
    other = await rest.make_token(ada.id)
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(NOTIFY_USER, f"{ada.id}/userData")
        await rest.post("logout", who=other)
        (change,) = await ddp.event(f"{ada.id}/userData")
        left = [token["hashedToken"] for token in change["diff"]["services.resume.loginTokens"]]
        assert left == [hash_token(ada.token)]
        assert "result" in await ddp.call("rooms/get")


async def test_a_server_may_only_take_the_login_away(rest: Rest, ada: Who) -> None:
    rest.sandbox.realtime.quirks.on_revoke = "deauthenticate"
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL", "s")
        await rest.post("users.logout", {"userId": ada.id})
        assert (await ddp.until(msg="nosub"))["error"]["error"] == "not-allowed"
        assert await ddp.until(msg="removed") == {"msg": "removed", "collection": "users", "id": ada.id}
        assert (await ddp.call("rooms/get"))["error"]["error"] == "error-invalid-user"
        assert not ddp.socket.closed


async def test_the_sweep_closes_connections_of_expired_tokens(rest: Rest, ada: Who, clock: Clock) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        clock.now += 90 * 86_400 + 600
        rest.sandbox.settle()
        assert await ddp.closed() == 1000


async def test_a_token_pushed_out_by_newer_ones_loses_its_connection(rest: Rest, ada: Who, clock: Clock) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        for _ in range(50):
            clock.now += 1
            await rest.make_token(ada.id)
        assert await ddp.closed() == 1000


async def test_what_happens_during_a_reconnect_is_lost(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL")
    await rest.post("chat.postMessage", {"channel": "#general", "text": "missed"})
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL")
        await rest.post("chat.postMessage", {"channel": "#general", "text": "heard"})
        (seen,) = await ddp.event("GENERAL")
        assert seen["msg"] == "heard"
        assert [frame for frame in ddp.seen if frame.get("msg") == "changed"][1:] == []


async def test_an_outage_drops_everyone_and_keeps_the_state(rest: Rest, ada: Who) -> None:
    url = rest.sandbox.url
    ddp = await Ddp.connect(rest, ada)
    await rest.sandbox.aclose()
    assert rest.sandbox.realtime.connections == set()
    assert await ddp.closed() == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
    with pytest.raises(aiohttp.ClientConnectionError):
        await rest.get("me")
    await rest.sandbox.start()
    assert rest.sandbox.url == url
    assert (await rest.get("me", who=ada)).status == 200
    async with await Ddp.connect(rest, ada):
        pass


@pytest.mark.parametrize("options", [MICROSERVICES], ids=["microservices"])
async def test_who_does_not_keep_up_is_dropped_by_microservices(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(MESSAGES, "GENERAL")
        (connection,) = rest.sandbox.realtime.connections
        connection.frozen = True  # its writer stands still, as with a full socket
        for _ in range(5):
            connection.push("x" * 1024 * 1024)
        connection.frozen = False
        connection._wake.set()
        assert await ddp.closed() == 1013


async def test_a_plain_get_is_told_to_upgrade(rest: Rest) -> None:
    reply = await rest.get("/websocket")
    assert (reply.status, reply.body) == (400, 'Can "Upgrade" only to "WebSocket".')


async def test_binary_frames_end_the_conversation(rest: Rest) -> None:
    async with await Ddp.connect(rest) as ddp:
        await ddp.socket.send_bytes(b"\x00")
        assert await ddp.closed() == 1007


async def test_a_connection_is_logged_as_it_opens(rest: Rest) -> None:
    async with await Ddp.connect(rest):
        assert rest.sandbox.requests[-1][:3] == ("GET", "/websocket", 101)


async def test_faults_strike_the_opening_of_a_line(rest: Rest) -> None:
    fault = rest.sandbox.faults.fail("GET /websocket", status=503)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await Ddp.open(rest)
    assert (refused.value.status, fault.hits) == (503, 1)
    cut = rest.sandbox.faults.fail("GET /websocket", times=None, cut="before")
    with pytest.raises(aiohttp.ClientError):
        await Ddp.open(rest)
    cut.remove()
    async with await Ddp.connect(rest):
        pass


async def test_many_lines_close_with_the_sandbox_and_leave_no_task(rest: Rest) -> None:
    lines = [await Ddp.connect(rest) for _ in range(20)]
    await rest.sandbox.aclose()
    for line in lines:
        await line.socket.close()
    mine = asyncio.current_task()
    await eventually(lambda: all(task is mine for task in asyncio.all_tasks()))


async def test_device_management_says_so_before_it_ends_the_sessions(rest: Rest, ada: Who) -> None:
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub(NOTIFY_USER, f"{ada.id}/force_logout")
        rest.sandbox.force_logout("ada")
        assert await ddp.event(f"{ada.id}/force_logout") == []
        assert await ddp.closed() == 1000
    with pytest.raises(KeyError, match="no user 'nobody'"):
        rest.sandbox.force_logout("nobody")
