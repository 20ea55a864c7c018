"""Over a real websocket, with REST beside it."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from xmpp_helpers import APP, CLOSE, FOREVER, OPEN, SECRET, Client, World, presence, room

from ethora_async.sandbox.ethora.xmpp import socket as sockets
from ethora_async.sandbox.ethora.xmpp.elements import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.ethora.xmpp.session import XmppSession

pytestmark = pytest.mark.usefixtures("listening")


class Rest:
    """Calls the sandbox as the app's backend does, with a token that joserfc signs."""

    def __init__(self, http: aiohttp.ClientSession, world: World) -> None:
        from joserfc import jwt
        from joserfc.jwk import OctKey

        self._http = http
        self._url = world.sandbox.url
        claims = {"data": {"appId": APP, "type": "server"}}
        self._token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))

    async def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"x-custom-token": self._token}
        async with self._http.request(method, self._url + path, json=body, headers=headers) as reply:
            assert reply.status < 300, await reply.text()
            return await reply.json()


@pytest.fixture
def rest(http: aiohttp.ClientSession, world: World) -> Rest:
    return Rest(http, world)


async def joined(http: aiohttp.ClientSession, world: World, name: str) -> Client:
    client = await Client.log_in(http, world, name)
    await client.send(presence(f"{room(world.room)}/{APP}_{name}"))
    await client.until("<subject/>")
    return client


def said(world: World, text: str) -> str:
    return f'<message to="{room(world.room)}" type="groupchat" id="1"><body>{text}</body></message>'


async def test_two_people_talk(http: aiohttp.ClientSession, world: World) -> None:
    async with await joined(http, world, "ada") as ada, await joined(http, world, "bob") as bob:
        await ada.send(said(world, "grüß dich 😀"))
        assert "grüß dich 😀" in await bob.until("<body>")
        await bob.send(said(world, "hello"))
        assert f"/{APP}_bob" in await ada.until("<body>hello")


async def test_rest_and_chat_show_the_same(http: aiohttp.ClientSession, world: World, rest: Rest) -> None:
    async with await joined(http, world, "ada") as ada, await joined(http, world, "bob") as bob:
        await ada.send(said(world, "first words"))
        await ada.until("<body>")
        history = await rest("GET", f"/v2/apps/{APP}/chats/{world.room.id}/messages")
        assert [(row["body"], row["from"]) for row in history["results"]] == [("first words", f"{APP}_ada")]
        found = await rest("GET", f"/v2/apps/{APP}/messages/search?q=FIRST")
        assert [row["room"] for row in found["results"]] == [f"{APP}_room"]
        assert f'id="{history["results"][0]["id"]}"' in await bob.until("<body>first")

        stanza = history["results"][0]["id"]
        for stanza_child, body in (
            (f"<replace id='{stanza}' text='second thoughts'/>", "second thoughts"),
            (f"<delete id='{stanza}'/>", "deleted"),
        ):
            await ada.send(f'<message to="{room(world.room)}" type="groupchat" id="c">{stanza_child}</message>')
            await bob.until(f'id="{stanza}"')
            (row,) = (await rest("GET", f"/v2/apps/{APP}/messages/search?q={body[:7]}"))["results"]
            assert (row["body"], "deletedAt" in row) == (body, body == "deleted")
            found = await rest("GET", f"/v2/apps/{APP}/messages/search?q=first")
            assert found["results"] == []

        await rest("POST", "/v2/chats/broadcast", {"text": "to all of you", "chatNames": [f"{APP}_room"]})
        for client in (ada, bob):
            await client.until("<body>to all of you")

        await rest("DELETE", "/v2/chats/users-access", {"chatName": f"{APP}_room", "members": [f"{APP}_bob"]})
        assert 'code="321"' in await bob.until("unavailable")
        await ada.send(said(world, "bob is gone"))
        await ada.until("bob is gone")
        await bob.send(said(world, "let me in"))
        assert "not-acceptable" in await bob.until("error")

        await rest("POST", "/v2/chats/users-access", {"chatName": f"{APP}_room", "members": [f"{APP}_bob"]})
        await bob.until("<invite")
        await rest("PATCH", f"/v2/apps/{APP}/chats/{APP}_room", {"title": "Renamed"})
        assert 'title="Renamed"' in await ada.until("chat-update")
        change = {"users": [{"xmppUsername": f"{APP}_ada", "firstName": "Augusta"}]}
        await rest("PATCH", "/v2/chats/users", change)
        assert 'firstName="Augusta"' in await ada.until("user-update")
        await rest("DELETE", "/v1/chats", {"name": f"{APP}_room"})
        await ada.until("<destroy/>")


async def test_a_deleted_user_is_disconnected(http: aiohttp.ClientSession, world: World, rest: Rest) -> None:
    async with await joined(http, world, "ada") as ada, await joined(http, world, "bob") as bob:
        await rest("DELETE", f"/v2/apps/{APP}/users/batch", {"usersIdList": ["bob"]})
        await ada.send(said(world, "he is gone"))
        assert "not-authorized" in await bob.until("stream:error")
        assert (await bob.socket.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.CLOSE)


async def test_entering_a_public_room_is_a_membership_in_rest(
    http: aiohttp.ClientSession, world: World, rest: Rest
) -> None:
    async with await Client.log_in(http, world, "eve") as eve:
        await eve.send(presence(f"{room(world.hall)}/{APP}_eve"))
        await eve.until("<subject/>")
        chats = await rest("GET", f"/v2/apps/{APP}/users/eve/chats")
        assert [chat["name"] for chat in chats["results"]] == [f"{APP}_hall"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"},
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x",
            "Sec-WebSocket-Protocol": "mqtt, soap",
        },
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "not base64",
            "Sec-WebSocket-Protocol": "xmpp",
        },
    ],
)
async def test_what_does_not_ask_for_xmpp_gets_a_400(
    http: aiohttp.ClientSession, world: World, headers: dict[str, str]
) -> None:
    async with http.get(f"{world.sandbox.url}/ws", headers=headers) as reply:
        assert reply.status == 400
    async with http.post(f"{world.sandbox.url}/ws", headers=headers) as reply:
        assert reply.status in (400, 405)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (b"<iq>" + b"x" * MAX_BYTES + b"</iq>", "policy-violation"),
        (b"<" * 1000, "not-well-formed"),
        (b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><lolz>&lol;</lolz>", "restricted-xml"),
        (b"<a>" * 10_000, "policy-violation"),
        (b"x" * 10 * 1024 * 1024, None),
        (b"<iq>\xff\xfe</iq>", None),
    ],
    ids=["long", "broken", "dtd", "deep", "10 MB", "invalid UTF-8"],
)
async def test_bad_frames_end_one_connection_and_nobody_notices(
    http: aiohttp.ClientSession, world: World, frame: bytes, told: str | None
) -> None:
    async with await joined(http, world, "ada") as ada, await Client.log_in(http, world, "eve") as eve:
        try:
            await eve.socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except ConnectionError:
            assert told is None
        if told is not None:
            await eve.until(told)
            assert await eve.until("<close") == CLOSE
        async with asyncio.timeout(FOREVER):
            while (await eve.socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert eve.socket.close_code in (1000, 1006, 1007, 1009)
        await ada.send(said(world, "still here"))
        await ada.until("still here")


async def test_a_binary_frame_is_no_xml(http: aiohttp.ClientSession, world: World) -> None:
    async with await Client.connect(http, world.sandbox.url) as client:
        await client.socket.send_bytes(OPEN.encode())
        await client.until("not-well-formed")


async def test_who_does_not_read_is_disconnected_and_the_others_go_on(
    http: aiohttp.ClientSession, world: World
) -> None:
    async with await joined(http, world, "ada") as ada, await joined(http, world, "bob") as bob:
        paused = bob.socket._response.connection
        assert paused is not None
        assert paused.transport is not None
        paused.transport.pause_reading()
        hub = world.sandbox.realtime.hub
        async with asyncio.timeout(FOREVER):
            while hub.sessions_of(world.users["bob"]):
                await ada.send(said(world, "x" * 200_000))
                await ada.until("<body>x")
        await ada.until("unavailable")
        await ada.send(said(world, "small"))
        await ada.until("small")
        paused.transport.abort()


async def test_who_asks_for_more_than_they_read_is_not_read_from(http: aiohttp.ClientSession, world: World) -> None:
    async with await joined(http, world, "ada") as ada:
        for number in range(8):
            await ada.send(said(world, f"{number} " + "x" * 200_000))
            await ada.until("<body>")
        asked = f'<iq type="set" to="{room(world.room)}" id="{{}}"><query xmlns="urn:xmpp:mam:2"/></iq>'
        for number in range(40):  # 40 MB of answers, from a server that holds 4 MB for each client
            await ada.send(asked.format(f"h{number}"))
        for number in range(40):
            await ada.until(f'id="h{number}"')


@pytest.mark.parametrize("ends", ["the line breaks", "it lasts too long"])
async def test_who_reads_nothing_of_what_they_asked_for_does_not_stay(
    http: aiohttp.ClientSession, world: World, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    if ends == "it lasts too long":
        monkeypatch.setattr(sockets, "STALLED_SECONDS", 0.05)
    for _ in range(8):
        world.sandbox.store.post(world.room, "x" * 120_000, world.clock(), sender=world.users["ada"])
    async with await joined(http, world, "ada") as ada, await joined(http, world, "bob") as bob:
        line = bob.socket._response.connection
        assert line is not None
        transport = line.transport
        assert transport is not None
        transport.pause_reading()
        (connection,) = [one for one in world.sandbox.realtime.connections if one._stream.session in _sessions(world)]
        asked = f'<iq type="set" to="{room(world.room)}" id="h"><query xmlns="urn:xmpp:mam:2"/></iq>'
        async with asyncio.timeout(FOREVER):
            while connection._room.is_set():  # the sockets' own buffers take some megabytes
                await bob.send(asked)
                await asyncio.sleep(0)
            if ends == "the line breaks":
                transport.abort()
            await connection.gone.wait()
        assert _sessions(world) == []
        await ada.until("unavailable")
        transport.abort()


def _sessions(world: World) -> list[XmppSession]:
    return world.sandbox.realtime.hub.sessions_of(world.users["bob"])


async def test_a_connection_that_never_logs_in_is_closed(
    http: aiohttp.ClientSession, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOGIN_SECONDS", 0.01)
    async with await Client.connect(http, world.sandbox.url) as client:
        await client.until("connection-timeout")


@pytest.mark.parametrize("cut", ["before", "body", "after"])
async def test_faults_strike_the_websocket_too(http: aiohttp.ClientSession, world: World, cut: Any) -> None:
    fault = world.sandbox.faults.fail("GET /ws", cut=cut, times=None)  # aiohttp tries again once
    with pytest.raises(aiohttp.ClientError):
        await Client.connect(http, world.sandbox.url)
    fault.remove()
    async with await joined(http, world, "ada"):
        pass


async def test_a_server_that_stops_says_so(http: aiohttp.ClientSession, world: World) -> None:
    async with await joined(http, world, "ada") as ada:
        await world.sandbox.aclose()
        await ada.until("system-shutdown")
        assert world.sandbox.realtime.connections == set()
    await world.sandbox.start()
    async with await joined(http, world, "ada"):
        pass


async def test_cut_lines_leave_nothing_behind(http: aiohttp.ClientSession, world: World) -> None:
    clients = [await joined(http, world, name) for name in ("ada", "bob")]
    world.sandbox.realtime.drop()
    async with asyncio.timeout(FOREVER):
        while world.sandbox.realtime.connections:  # noqa: ASYNC110  it happens in the server
            await asyncio.sleep(0)
    assert world.sandbox.realtime.hub.sessions == []
    assert world.sandbox.realtime.hub.occupants(world.room) == {}
    for client in clients:
        await client.socket.close()


async def test_garbage_on_the_wire_after_the_handshake(http: aiohttp.ClientSession, world: World) -> None:
    async with await joined(http, world, "ada") as ada:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(world.sandbox.url.rpartition(":")[2]))
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Protocol: xmpp\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.write(os.urandom(200))
            writer.close()
            await writer.wait_closed()
        await ada.send(said(world, "still here"))
        await ada.until("still here")


async def test_the_log_holds_the_socket_and_no_secret(http: aiohttp.ClientSession, world: World) -> None:
    async with await joined(http, world, "ada"):
        pass
    told = [(record.method, record.path, record.status) for record in world.sandbox.requests]
    assert ("GET", "/ws", 101) in told
    assert world.password("ada") not in json.dumps([str(record) for record in world.sandbox.requests])
