"""The Ethora sandbox's chat: 200 sessions in 50 rooms, on one core."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import subprocess
import sys
import time
from statistics import quantiles
from typing import Any

import aiohttp
from _measure import HERE, pin, quick, show

ROOMS, MEMBERS = 50, 4
RATE = 10_000
"""Messages a minute."""
DATA = (
    '<data xmlns="wss://localhost" senderFirstName="Ada" senderLastName="Lovelace" fullName="Ada Lovelace" photo=""'
    ' photoURL="" isSystemMessage="false" tokenAmount="0" quickReplies="" notDisplayedValue="" showInChannel="false"'
    ' isReply="false" mainMessage="" push="true"/>'
)
_FRAMING = 'xmlns="urn:ietf:params:xml:ns:xmpp-framing"'


class Server:
    """The sandbox, in a process of its own on a core of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "_chat_server.py", str(ROOMS), str(MEMBERS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(0, self._process.pid)
        self.about = self._read()

    def usage(self) -> tuple[float, int]:
        """CPU seconds so far, and memory in bytes."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told = self._read()
        return told["cpu"], told["memory"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Member:
    """One session; what it hears is counted, and how long it was on its way noted."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, room: str) -> None:
        self.socket = socket
        self.room = f"{room}@conference.localhost"
        self.heard = 0
        self.delays: list[float] = []
        self.reading: asyncio.Task[None] | None = None

    @classmethod
    async def log_in(cls, http: aiohttp.ClientSession, url: str, who: dict[str, str]) -> Member:
        socket = await http.ws_connect(f"{url}/ws", protocols=("xmpp",), max_msg_size=0)
        secret = base64.b64encode(f"\0{who['user']}\0{who['password']}".encode()).decode()
        member = cls(socket, who["room"])
        for frame, end in (
            (f'<open {_FRAMING} to="localhost"/>', "features"),
            (f'<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">{secret}</auth>', "<success"),
            (f'<open {_FRAMING} to="localhost"/>', "features"),
            ('<iq type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>', "<jid>"),
            (f'<presence to="{member.room}/{who["user"]}"/>', "<subject/>"),
        ):
            await socket.send_str(frame)
            while end not in await socket.receive_str():
                pass
        member.reading = asyncio.create_task(member._read())
        return member

    async def say(self, text: str = "something that people say to each other", after: str = "") -> None:
        at = time.perf_counter()
        body = f"<body>{at} {text}</body>{after}"
        await self.socket.send_str(f'<message to="{self.room}" type="groupchat" id="m{at}">{DATA}{body}</message>')

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT and "<body>" in message.data:
                self.heard += 1
                sent = float(message.data.partition("<body>")[2].partition(" ")[0])
                self.delays.append(time.perf_counter() - sent)


async def all_heard(members: list[Member], messages: int) -> None:
    """Wait until everyone has heard what was said in their room."""
    async with asyncio.timeout(120):
        while sum(member.heard for member in members) < messages * MEMBERS:  # noqa: ASYNC110  cheapest for who measures
            await asyncio.sleep(0.01)


async def flat_out(members: list[Member], messages: int) -> float:
    """Messages a minute, each session sending its next when it has heard the one before."""

    async def talk(member: Member, count: int) -> None:
        for _ in range(count):
            before = member.heard
            await member.say()
            while member.heard == before:  # noqa: ASYNC110  as above
                await asyncio.sleep(0.001)

    started = time.perf_counter()
    speakers = members[::MEMBERS]
    await asyncio.gather(*(talk(member, messages // len(speakers)) for member in speakers))
    await all_heard(members, messages)
    return messages / (time.perf_counter() - started) * 60


async def steadily(members: list[Member], seconds: float) -> int:
    """Send at the rate, from one session after another; how many were sent."""
    turns = itertools.cycle(members)
    count, started = int(RATE / 60 * seconds), time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number * 60 / RATE - time.perf_counter()))
        await next(turns).say()
    return count


async def slow_reader(members: list[Member]) -> bool:
    """Whether a session that does not read is disconnected, while its room goes on."""
    deaf, speaker = members[0], members[1]
    assert deaf.reading is not None
    deaf.reading.cancel()
    connection = deaf.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()
    for _ in range(100):
        before = speaker.heard
        await speaker.say("x" * 200_000, '<no-store xmlns="urn:xmpp:hints"/>')
        while speaker.heard == before:  # noqa: ASYNC110  as above
            await asyncio.sleep(0.001)
    connection.transport.resume_reading()
    async with asyncio.timeout(30):
        while not deaf.socket.closed:
            await deaf.socket.receive()
    return True


async def measure(*, short: bool) -> None:
    pin(1)
    server = Server()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            sessions = server.about["sessions"]
            members = [await Member.log_in(http, server.about["url"], who) for who in sessions]
            # All rooms are full before memory is looked at.
            most = await flat_out(members, 7_500 if short else 30_000)
            said = members[0].heard * ROOMS
            for member in members:
                member.delays.clear()
            (cpu, memory), started = server.usage(), time.perf_counter()
            count = await steadily(members, 5.0 if short else 60.0)
            await all_heard(members, said + count)
            took = time.perf_counter() - started
            (cpu_after, memory_after) = server.usage()
            delays = sorted(delay for member in members for delay in member.delays)
            cuts = quantiles(delays, n=100)
            dropped = await slow_reader(members)
            _, memory_deaf = server.usage()
            for member in members:
                await member.socket.close()
    finally:
        server.close()
    share = (cpu_after - cpu) / took
    arrived = f"{len(delays):,} of {count * MEMBERS:,} deliveries"
    show(
        "sandbox_chat",
        f"{most:,.0f} messages a minute at most",
        [
            f"{len(members)} sessions in {ROOMS} rooms, each message delivered {MEMBERS} times, the server on one core",
            f"at {RATE:,} a minute: {share:.0%} of the core, {arrived}",
            f"half of them within {cuts[49] * 1e3:.1f} ms, 99 % within {cuts[98] * 1e3:.1f} ms",
            f"memory of the server: {memory / 1e6:.1f} MB before, {memory_after / 1e6:.1f} MB after",
            f"a session that does not read: {'disconnected' if dropped else 'kept'}; then {memory_deaf / 1e6:.1f} MB",
        ],
        aim=f"{RATE:,}, memory flat",
    )


if __name__ == "__main__":
    asyncio.run(measure(short=quick(__doc__ or "")))
