"""A wrong clock is named in the error of a 401, corrected by the server's time, and reported."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async import EthoraClient, RocketChatClient, UnauthorizedError
from ethora_async.engine.events import ClockCorrected
from ethora_async.request import Request, Response
from ethora_async.sandbox import EthoraSandbox
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0
SECRET = "a-secret-of-the-app-0123456789abcdef"


def claims(request: Request) -> dict[str, Any]:
    payload = request.headers["Authorization"].split(".")[1]
    return json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def server(clock: FakeClock, ahead: float, *, date: str | None = "") -> Callable[[Request], Response]:
    """A platform whose clock is `ahead` of this machine's, and that refuses tokens from the future or of the past."""

    def answer(request: Request) -> Response:
        now = clock.now() + ahead
        stated = formatdate(now, usegmt=True) if date == "" else date
        headers = {} if stated is None else {"date": stated}
        token = claims(request)
        if not token["iat"] - 5 <= now < token["exp"]:
            return Response(401, headers, b'{"error":"jwt expired"}')
        return Response(200, headers, b'{"results":[],"total":0}')

    return answer


def client(transport: MemoryTransport, clock: FakeClock, told: list[object]) -> EthoraClient:
    return EthoraClient(
        app_id="app",
        secret=SECRET,
        api_url="https://api.example",
        transport=transport,
        clock=clock,
        on_event=told.append,
    )


@pytest.mark.parametrize("ahead", [-7200.0, -120.0, 3700.0, 80_000.0])
async def test_tokens_carry_the_platforms_time_once_it_is_known(ahead: float) -> None:
    clock, told = FakeClock(NOW), []
    transport = MemoryTransport(server(clock, ahead))
    async with client(transport, clock, told) as ethora:
        assert [chat async for chat in ethora.chats.list()] == []
        assert len(transport.requests) == 2
        assert [chat async for chat in ethora.chats.list()] == []
        assert len(transport.requests) == 3
        (corrected,) = [event for event in told if isinstance(event, ClockCorrected)]
        assert corrected.seconds == pytest.approx(ahead, abs=1)
        token = await ethora.tokens.for_user("ann", ttl=600)
        assert token.expires_at == pytest.approx(NOW + ahead + 600, abs=1)
        clock.advance(3600)
        assert [chat async for chat in ethora.chats.list()] == []
    assert len([event for event in told if isinstance(event, ClockCorrected)]) == 1


@pytest.mark.parametrize(
    ("ahead", "date"), [(7200, None), (7200, "yesterday"), (7200, formatdate(NOW, usegmt=True)), (40, ""), (1e9, "")]
)
async def test_what_is_no_wrong_clock_is_not_corrected(ahead: float, date: str | None) -> None:
    clock, told = FakeClock(NOW), []
    answer = server(clock, ahead, date=date)
    transport = MemoryTransport(lambda request: Response(401, answer(request).headers, b'{"error":"jwt expired"}'))
    async with client(transport, clock, told) as ethora:
        with pytest.raises(UnauthorizedError) as caught:
            [chat async for chat in ethora.chats.list()]
    assert not [event for event in told if isinstance(event, ClockCorrected)]
    assert ("clock" in str(caught.value)) == (ahead == 1e9)


async def test_a_difference_that_does_not_help_is_named_and_tried_once() -> None:
    clock, told = FakeClock(NOW), []
    date = {"date": formatdate(NOW + 300, usegmt=True)}
    transport = MemoryTransport(lambda _: Response(401, date, b'{"error":"Invalid token"}'))
    async with client(transport, clock, told) as ethora:
        with pytest.raises(UnauthorizedError, match="this machine's clock is 300 s behind the platform's"):
            [chat async for chat in ethora.chats.list()]
    assert len(transport.requests) == 2


async def test_a_time_that_did_not_help_is_not_kept() -> None:
    """The `Date` of a cache or a wrong server must not make users' tokens valid for longer."""
    clock, told = FakeClock(NOW), []
    date = {"date": formatdate(NOW + 7200, usegmt=True)}
    transport = MemoryTransport(lambda _: Response(401, date, b'{"error":"Invalid token"}'))
    async with client(transport, clock, told) as ethora:
        for _ in range(2):
            with pytest.raises(UnauthorizedError, match="7200 s behind"):
                [chat async for chat in ethora.chats.list()]
        assert (await ethora.tokens.for_user("ann", ttl=600)).expires_at == NOW + 600
    assert not [event for event in told if isinstance(event, ClockCorrected)]


async def _all(ethora: EthoraClient) -> list[object]:
    return [chat async for chat in ethora.chats.list()]


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
async def test_calls_at_once_are_all_corrected(ahead: float) -> None:
    clock, told = FakeClock(NOW), []
    answer = server(clock, ahead)

    async def later(request: Request) -> Response:
        response = answer(request)
        await asyncio.sleep(0)
        return response

    async with client(MemoryTransport(later), clock, told) as ethora:
        pages = await asyncio.gather(*(_all(ethora) for _ in range(10)))
    assert pages == [[]] * 10
    assert len([event for event in told if isinstance(event, ClockCorrected)]) == 1


async def test_tokens_that_carry_no_time_are_not_signed_anew() -> None:
    clock = FakeClock(NOW)
    date = {"date": formatdate(NOW - 300, usegmt=True)}
    transport = MemoryTransport(lambda _: Response(401, date, b'{"status":"error","message":"You must be logged in"}'))
    async with RocketChatClient(
        url="https://chat.example", user_id="admin", token="a-token", transport=transport, clock=clock
    ) as rocketchat:
        with pytest.raises(UnauthorizedError, match="300 s ahead of the platform's"):
            await rocketchat.users.get("ann")


async def test_a_real_server_says_the_time() -> None:
    clock = FakeClock(time.time() - 7200)
    async with (
        EthoraSandbox() as sandbox,
        EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url, clock=clock) as ethora,
    ):
        outcome = await ethora.chats.create("room", title="Room")
    assert (outcome.status, len(sandbox.requests)) == ("created", 2)
