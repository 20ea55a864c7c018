"""Rate limits per route, and the envelope of replies (docs/platforms/rocketchat.md#error-replies).

See docs/platforms/rocketchat.md#rate-limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import Server, ok, plain_failure, reply

from ethora_async import ApiError, NotFoundError, RateLimitedError, ReplyLostError, RocketChatClient
from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

ME = {"_id": "x", "username": "ann"}


def closing(clock: FakeClock, remaining: int, seconds: float) -> dict[str, str]:
    return {
        "x_ratelimit_limit": "10",
        "x_ratelimit_remaining": str(remaining),
        "x_ratelimit_reset": str(int((clock.now() + seconds) * 1000)),
    }


def users_server(me: Any, **routes: Any) -> Server:
    return Server(users__createToken=ok(data={"userId": "id-of-ann", "authToken": "t"}), me=me, **routes)


async def test_a_route_with_nothing_left_is_left_alone_until_its_reset(clock: FakeClock) -> None:
    server = users_server(lambda _: reply(200, {**ME, "success": True}, **closing(clock, 0, 20)))
    async with server.client(clock) as client:
        ann = client.as_user("ann")
        await ann.me()
        assert clock.slept == []
        await ann.me()
        assert clock.slept == [pytest.approx(20)]


async def test_other_routes_and_the_admin_go_on(clock: FakeClock) -> None:
    server = users_server(
        lambda _: reply(200, {**ME, "success": True}, **closing(clock, 0, 20)), rooms__get=ok(update=[], remove=[])
    )
    async with server.client(clock) as client:
        ann = client.as_user("ann")
        await ann.me()
        await ann.rooms()
        await client.users.reserved()  # asks the same route, as the admin
        assert clock.slept == []


async def test_a_limit_is_that_of_a_method_and_is_shared_with_open_requests(clock: FakeClock) -> None:
    server = users_server(lambda _: reply(200, {**ME, "success": True}, **closing(clock, 0, 20)))
    async with server.client(clock) as client:
        ann = client.as_user("ann")
        await ann.me()
        await ann.request("POST", "/api/v1/me")
        assert clock.slept == []
        await ann.request("GET", "/api/v1/me")
        assert clock.slept == [pytest.approx(20)]


async def test_what_is_left_is_used(clock: FakeClock) -> None:
    server = users_server(lambda _: reply(200, {**ME, "success": True}, **closing(clock, 1, 20)))
    async with server.client(clock) as client:
        for _ in range(5):
            await client.as_user("ann").me()
    assert clock.slept == []


async def test_a_wait_that_does_not_fit_is_said_at_once(clock: FakeClock) -> None:
    server = users_server(lambda _: reply(200, {**ME, "success": True}, **closing(clock, 0, 45)))
    async with server.client(clock) as client:
        ann = client.as_user("ann")
        await ann.me()
        asked = len(server.sent)
        with pytest.raises(RateLimitedError) as caught:
            await ann.me()
        assert caught.value.retry_after == pytest.approx(45)
        assert caught.value.effect == "none"
        assert len(server.sent) == asked
        clock.advance(45)
        await ann.me()


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_backend_with_many_users_gets_through(legacy: bool, clock: FakeClock) -> None:
    async with RocketChatSandbox(clock=clock.now, rate_limit=10, legacy_rate_limit=legacy) as sandbox:
        environment = sandbox.environment
        for number in range(25):
            sandbox.add_user(f"u{number}", password="a-password-1")
        async with RocketChatClient(
            url=sandbox.url,
            user=environment["ROCKETCHAT_USER"],
            password=environment["ROCKETCHAT_PASSWORD"],
            create_tokens_secret=environment["ROCKETCHAT_CREATE_TOKENS_SECRET"],
            timeout=300,
            clock=clock,
        ) as client:
            for number in range(25):
                assert (await client.as_user(f"u{number}").me()).id == f"u{number}"
    assert sum(clock.slept) >= 60
    refused = [record for record in sandbox.requests if record.status in (400, 429)]
    assert len(refused) <= 3  # the headers tell beforehand


async def test_a_refusal_closes_the_route_for_all(clock: FakeClock) -> None:
    text = "Error, too many requests. You must wait 50 seconds before trying this endpoint again."
    server = users_server(plain_failure(text, 429))
    async with server.client(clock) as client:
        for _ in range(3):
            with pytest.raises(RateLimitedError) as caught:
                await client.as_user("ann").me()
            assert caught.value.retry_after == pytest.approx(50)
    assert len(server.to("me")) == 1


async def test_a_success_that_says_it_failed_is_a_failure(clock: FakeClock) -> None:
    for body, kind in (
        ({"success": False, "error": "User not found."}, NotFoundError),
        ({"status": "error", "message": "no"}, ApiError),
        ({}, ApiError),
    ):
        server = Server(users__info=reply(200, body))
        async with server.client(clock) as client:
            with pytest.raises(kind) as caught:
                await client.users.get("ann")
            assert caught.value.operation == "users.get"


@pytest.mark.parametrize("body", [[1], "ok", None, b"<html>"])
async def test_a_reply_that_is_no_envelope_is_lost(body: Any, clock: FakeClock) -> None:
    server = Server(users__info=reply(200, body))
    async with server.client(clock) as client:
        with pytest.raises(ReplyLostError):
            await client.users.get("ann")
