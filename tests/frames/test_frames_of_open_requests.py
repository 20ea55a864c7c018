"""A secret in the path, the query or the body of `client.request` is in no frame, message, event or log record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from frame_walk import leaks
from test_frames import AVAYA, ENDS, EVERY, GIVEN, echo, ethora, raised, reply, transport

from ethora_async import AvayaClient, ChatError, RetryPolicy, RocketChatClient
from ethora_async.redaction import Secret
from ethora_async.testing.implementers import BadServer, Canary, CannedReply, Fault
from ethora_async.testing.users import FakeClock
from ethora_async.transport import AiohttpTransport, HttpxTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.request import Request, Response

IN_PATH, IN_QUERY, IN_LIST = "frameCanaryHookToken0123456789abcd", "frame-canary-query-07", "frame-canary-listed-08"
SENT = (GIVEN, IN_PATH, IN_QUERY, IN_LIST)
HOOK = f"/hooks/6540f2a1b3c4d5e6f/{IN_PATH}"
QUERY: dict[str, Any] = {"token": IN_QUERY, "secret[]": (IN_LIST, "x"), "page": 2}


def rocketchat(through: Any, **options: Any) -> RocketChatClient:
    url = options.pop("url", "https://rocket.example.com")
    options = {"clock": FakeClock(), "retry": RetryPolicy(attempts=2), "timeout": 5, **options}
    return RocketChatClient(url=url, user_id="adminadminadmin17", token=EVERY[0], transport=through, **options)


def avaya(through: Any, **options: Any) -> AvayaClient:
    return AvayaClient(**AVAYA, transport=through, clock=FakeClock(), retry=RetryPolicy(attempts=2), **options)


CLIENTS: list[Callable[..., Any]] = [ethora, rocketchat, avaya]


def signed(request: Request) -> Response | None:
    """Answer Avaya's request for an access token."""
    if request.url.endswith("openid-connect/token"):
        return reply(200, {"access_token": "avaya-access-token", "expires_in": 900})
    return None


def everything(request: Request) -> str:
    return f"Cannot {request.method} {request.url} {echo(request)}"


ECHOES: dict[str, Callable[[Request], Response]] = {
    "404 text": lambda sent: reply(404, {"success": False, "error": everything(sent)}),
    "404 page": lambda sent: reply(404, f"<pre>{everything(sent)}</pre>".encode()),
    "refused with 200": lambda sent: reply(200, {"success": False, "error": everything(sent)}),
    "redirected": lambda sent: reply(302, {"error": sent.url}),
}


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("end", [*ENDS, *ECHOES])
async def test_nothing_that_was_sent_is_shown(make: Any, end: str) -> None:
    def first(request: Request) -> Response | None:
        return signed(request) or (ECHOES[end](request) if end in ECHOES else None)

    events = list[object]()
    with Canary(*SENT) as canary:
        async with make(transport(end, first=first), on_event=events.append) as client:
            for call in (
                lambda: client.request("PUT", HOOK, query=QUERY, json={"password": GIVEN}),
                lambda: client.pages(HOOK, key="rows", query=QUERY),
            ):
                error = await raised(call)
                # Of these replies, some platforms take some for a success.
                assert error is not None or end in ("another shape", "a list", "refused with 200")
                if error is not None:
                    assert leaks(error, SENT) == []
                    canary.check(error)
    canary.check(*events)


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("path", "given"),
    [
        (f"/{HOOK}", {}),
        (f"{HOOK}/..", {}),
        (f"{HOOK}?token={IN_QUERY}", {}),
        (HOOK, {"query": {**QUERY, "bad": object()}}),
        (HOOK, {"query": [("token", IN_QUERY)]}),
        (HOOK, {"json": {"password": GIVEN, "bad": object()}, "query": QUERY}),
        (HOOK, {"timeout": -1, "query": QUERY, "json": {"password": GIVEN}}),
        (HOOK, {"repeatable": "x", "query": QUERY, "json": {"password": GIVEN}}),
    ],
)
async def test_nothing_that_was_refused_is_shown(make: Any, path: str, given: dict[str, Any]) -> None:
    with Canary(*SENT) as canary:
        async with make(transport("500")) as client:
            with pytest.raises(ChatError) as refused:
                await client.request("POST", path, **given)
            assert leaks(refused.value, SENT) == []
            canary.check(refused.value)
            with pytest.raises(ChatError) as unpaged:
                client.pages(path, key="a..b", query=given.get("query"))
            assert leaks(unpaged.value, SENT) == []


@pytest.mark.parametrize("via", [AiohttpTransport, HttpxTransport])
@pytest.mark.parametrize("fault", [Fault.RESET_AFTER_BODY, Fault.TRUNCATED_BODY, Fault.GARBAGE, None])
async def test_a_broken_connection_shows_nothing(via: Any, fault: Fault | None) -> None:
    with Canary(*SENT) as canary:
        async with BadServer(fault or CannedReply(500)) as server:
            async with rocketchat(via(), url=server.url, clock=None) as client:
                with pytest.raises(ChatError) as lost:
                    await client.request("POST", HOOK, query=QUERY, json={"password": GIVEN})
                canary.check(lost.value)
            (received,) = server.requests
    assert leaks(lost.value, SENT) == []
    assert received.target == f"{HOOK}?token={IN_QUERY}&secret%5B%5D={IN_LIST}&secret%5B%5D=x&page=2"


async def test_a_secret_is_given_as_one_too() -> None:
    sent: list[str] = []

    def first(request: Request) -> Response:
        sent.append(request.url)
        return reply(200, {"success": True})

    async with rocketchat(transport("500", first=first)) as client:
        await client.request("POST", Secret(HOOK), query={"key": Secret("öx")})  # type: ignore[arg-type]
    assert sent == [f"https://rocket.example.com{HOOK}?key=%C3%B6x"]
