"""A call that is sent in several requests, and fails after the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from ethora_async import EthoraClient, ForbiddenError, NotFoundError
from ethora_async.request import Request, Response
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable

APP = "6540f2a1b3c4d5e6f7a8b9c0"


def client(handler: Callable[[Request], Response], *, legacy_api: bool = False) -> EthoraClient:
    return EthoraClient(
        app_id=APP,
        secret="a-secret-that-is-long-enough",
        api_url="https://api.example.com",
        transport=MemoryTransport(handler),
        clock=FakeClock(),
        legacy_api=legacy_api,
    )


def json(status: int, data: object, **headers: str) -> Response:
    return Response(status, headers, orjson.dumps(data))


def refusing_from(number: int) -> Callable[[Request], Response]:
    """Answers normally until its `number`-th request; from then on, the app is archived."""
    count = 0

    def answer(request: Request) -> Response:
        nonlocal count
        count += 1
        if count >= number:
            return json(403, {"error": "This app is archived", "code": "APP_ARCHIVED"})
        return json(200, {"ok": True})

    return answer


@pytest.mark.parametrize(("method", "done"), [("grant", "created"), ("revoke", "deleted")])
async def test_who_was_done_before_the_refusal_is_told(method: str, done: str) -> None:
    chats = client(refusing_from(2)).chats
    report = await getattr(chats, method)("c", [f"u{number}" for number in range(150)])
    assert dict(report.counts) == {done: 100, "failed": 50}
    assert all(isinstance(failure.error, ForbiddenError) for failure in report.failures)


@pytest.mark.parametrize("method", ["grant", "revoke"])
async def test_a_refusal_of_the_first_request_is_raised(method: str) -> None:
    chats = client(refusing_from(1)).chats
    with pytest.raises(ForbiddenError) as caught:
        await getattr(chats, method)("c", [f"u{number}" for number in range(150)])
    assert (caught.value.effect, caught.value.code) == ("none", "APP_ARCHIVED")


async def test_the_older_surface_tells_who_was_done_too() -> None:
    chats = client(refusing_from(3), legacy_api=True).chats
    report = await chats.grant("7", ["1", "2", "3", "4"])
    assert dict(report.counts) == {"created": 2, "failed": 2}


async def test_a_refused_row_can_be_traced() -> None:
    def answer(request: Request) -> Response:
        rows = [{"xmppUsername": f"{APP}_nobody", "status": "not-found"}]
        return json(200, {"ok": True, "details": rows, "results": rows}, **{"x-request-id": "rid-7"})

    using = client(answer)
    (failure,) = (await using.chats.grant("c", "nobody")).failures
    with pytest.raises(NotFoundError) as caught:
        await using.users.update("nobody", first_name="Ann")
    for error in (failure.error, caught.value):
        assert error is not None
        assert (error.code, error.request_id, error.status) == ("not_found", "rid-7", 200)
