"""Rate limits by address, route and method (docs/platforms/rocketchat.md#rate-limits)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from rocket_helpers import Rest
    from still_clock import Clock

TEXT = (
    "Error, too many requests. Please slow down. You must wait {} seconds before trying this endpoint again. "
    "[error-too-many-requests]"
)
ON = pytest.mark.parametrize("options", [{"rate_limit": 10}], ids=["on"])


def numbers(headers: Any) -> list[str | None]:
    return [headers.get(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset")]


@ON
async def test_the_eleventh_call_in_a_minute_is_refused(rest: Rest, clock: Clock) -> None:
    ada = await rest.make_member("ada")
    reset = str(int((clock.now + 60) * 1000))
    for left in range(9, -1, -1):
        assert numbers((await rest.get("me", who=ada)).headers) == ["10", str(left), reset]
    clock.now += 12.5
    reply = await rest.get("me", who=ada)
    assert (reply.status, reply.body) == (429, {"success": False, "error": TEXT.format(48)})
    assert numbers(reply.headers) == ["10", "0", reset]
    assert "Retry-After" not in reply.headers
    clock.now += 47.5
    assert (await rest.get("me", who=ada)).status == 200


@ON
async def test_the_address_counts_not_the_user_and_every_route_for_itself(rest: Rest) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_member("bob")
    for _ in range(10):
        await rest.get("rooms.get", who=ada)
    assert (await rest.get("rooms.get", who=bob)).status == 429
    assert (await rest.get("subscriptions.get", who=bob)).status == 200


@ON
async def test_admins_and_bots_pass_without_headers(rest: Rest) -> None:
    bot = await rest.make_user("bot", roles=["bot"])
    who = await rest.make_token(bot["_id"])
    for caller in (rest.admin, who):
        for _ in range(11):
            reply = await rest.get("me", who=caller)
            assert reply.status == 200
        assert numbers(reply.headers) == [None, None, None]


@ON
async def test_a_login_is_limited_for_everyone(rest: Rest) -> None:
    for _ in range(10):
        await rest.post("login", {"user": "admin", "password": "wrong"})
    assert (await rest.post("login", {"user": "admin", "password": "wrong"})).status == 429


@pytest.mark.parametrize("options", [{"rate_limit": 10, "legacy_rate_limit": True}], ids=["legacy"])
async def test_very_old_servers_answer_400_with_a_code(rest: Rest) -> None:
    for _ in range(10):
        await rest.get("/api/info", who=None)
    reply = await rest.get("/api/info", who=None)
    assert reply.status == 400
    assert reply.body == {"success": False, "error": TEXT.format(60), "errorType": "error-too-many-requests"}


@pytest.mark.parametrize(
    ("options", "calls"),
    [({"rate_limit": 10, "version": "8.7"}, 10), ({"rate_limit": 10, "version": "8.8"}, 5)],
    ids=["8.7", "8.8"],
)
async def test_messages_have_a_limit_of_their_own_since_8_8(rest: Rest, clock: Clock, calls: int) -> None:
    ada = await rest.make_member("ada")
    body = {"message": {"rid": "GENERAL", "msg": "x"}}
    statuses = [(await rest.post("chat.sendMessage", body, who=ada)).status for _ in range(calls + 1)]
    assert statuses == [200] * calls + [429]
    clock.now += 1
    assert (await rest.post("chat.sendMessage", body, who=ada)).status == (200 if calls == 5 else 429)


@ON
async def test_presence_changes_five_times_a_minute(rest: Rest) -> None:
    ada = await rest.make_member("ada")
    statuses = [(await rest.post("users.setStatus", {"message": "x"}, who=ada)).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]


async def test_without_a_limit_there_are_no_headers(rest: Rest) -> None:
    assert numbers((await rest.get("/api/info", who=None)).headers) == [None, None, None]


async def test_the_limiter_is_on_unless_said_otherwise() -> None:
    import aiohttp

    async with RocketChatSandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        statuses = []
        for _ in range(11):
            async with session.get("/api/info") as response:
                statuses.append(response.status)
    assert statuses == [200] * 10 + [429]


async def test_an_injected_429_reads_like_a_real_one(rest: Rest, clock: Clock) -> None:
    rest.sandbox.faults.rate_limit("GET /api/v1/me", retry_after=7)
    reply = await rest.get("me")
    assert (reply.status, reply.body) == (429, {"success": False, "error": TEXT.format(7)})
    assert reply.headers["X-RateLimit-Reset"] == str(int((clock.now + 7) * 1000))
    assert (await rest.get("me")).status == 200


async def test_other_injected_failures_are_worded_too(rest: Rest) -> None:
    rest.sandbox.faults.fail("GET /api/v1/me", status=401)
    assert (await rest.get("me")).body["error"] == "You must be logged in to do this."
    rest.sandbox.faults.fail("GET /api/v1/me", status=503, retry_after=3)
    reply = await rest.get("me")
    assert (reply.status, reply.body) == (503, {"success": False, "error": "Service Unavailable"})
    assert reply.headers["Retry-After"] == "3"
    rest.sandbox.faults.fail("GET /api/v1/me", status=500, body={"own": 1})
    assert (await rest.get("me")).body == {"own": 1}
    with pytest.raises(ValueError, match="status=99"):
        rest.sandbox.faults.fail(status=99)


async def test_a_route_with_a_placeholder_can_be_struck(rest: Rest) -> None:
    fault = rest.sandbox.faults.fail("GET /api/v1/settings/{_id}", status=500)
    assert (await rest.get("settings/Site_Name")).status == 500
    assert fault.hits == 1
