"""The access token: fetched once, renewed early, replaced when refused; and secrets that rotate.

See docs/platforms/avaya.md#errors, #lifetime-guests-and-verified-customers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from avaya_parts import ACCESS, SETTINGS, Wire, access, jwt, problem, reply

from ethora_async import (
    AvayaClient,
    ConfigError,
    Limits,
    NotSentError,
    RateLimitedError,
    RetryPolicy,
    ServerFaultError,
    UnauthorizedError,
)
from ethora_async.engine import SecretRotated, TokenRefreshed
from ethora_async.engine.patience import patience
from ethora_async.testing.implementers import cancel_at_every_step
from ethora_async_secrets import SecretBundle, SecretUnavailableError
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.request import Request
    from ethora_async.sandbox import AvayaSandbox
    from ethora_async.testing.users import FakeClock

APP_KEY_REFUSED = problem(401, "Authentication failed: invalid [Appkey].")
TOKEN_REFUSED = problem(401, "Authentication failed: [access-token] has expired.")


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("it did not come to pass")


async def settled() -> None:
    """Wait until all background tasks have ended."""
    for _ in range(50):
        await asyncio.sleep(0)


def minted(clock: FakeClock) -> Any:
    return reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + 3600})})


def login(secret: str, **others: str) -> dict[str, str]:
    return {"AVAYA_CLIENT_SECRET": secret, "AVAYA_CLIENT_ID": "stored-client", "AVAYA_APP_KEY": "stored-key", **others}


def stored(clock: FakeClock, provider: Any, *jwts: Any, **options: Any) -> Wire:
    given = {"app_key": None, "client_id": None, "secret": provider, **options}
    return Wire(clock, *jwts, **given)


async def test_any_number_of_callers_share_one_token_request(avaya: AvayaClient, sandbox: AvayaSandbox) -> None:
    tokens = await asyncio.gather(*(avaya.tokens.for_user(number) for number in range(50)))
    assert {sandbox.log_in(token.value).customer_id for token in tokens} == {str(number) for number in range(50)}
    assert sum("openid-connect" in request.path for request in sandbox.requests) == 1


async def test_one_slot_is_enough_for_a_call_and_the_token_it_waits_for(clock: FakeClock) -> None:
    wire = Wire(clock, limits=Limits(concurrency=1))
    await asyncio.gather(*(wire.client.tokens.for_user(number) for number in range(5)))
    assert (len(wire.token_requests), len(wire.jwt_requests)) == (1, 5)


async def test_it_is_renewed_a_minute_early_in_the_background_and_nobody_waits(clock: FakeClock) -> None:
    wire = Wire(clock, tokens=[access("first-access-token"), access("second-access-token")], token_cache_size=0)
    await wire.client.tokens.for_user("c1")
    clock.advance(839)
    await wire.client.tokens.for_user("c1")
    assert len(wire.token_requests) == 1
    clock.advance(1)
    await wire.client.tokens.for_user("c1")
    await until(lambda: len(wire.token_requests) == 2)
    await wire.client.tokens.for_user("c1")
    sent = [request.headers["Authorization"] for request in wire.jwt_requests]
    assert sent == ["Bearer first-access-token"] * 3 + ["Bearer second-access-token"]


async def test_while_the_token_endpoint_is_down_the_old_token_is_used_to_its_end(clock: FakeClock) -> None:
    wire = Wire(clock, tokens=[access(), problem(503)], token_cache_size=0, retry=RetryPolicy(attempts=1))
    await wire.client.tokens.for_user("c1")
    clock.advance(850)
    for _ in range(3):
        await wire.client.tokens.for_user("c1")
        await settled()
        assert len(wire.token_requests) == 2  # and not once for each call
    clock.advance(5)
    await wire.client.tokens.for_user("c1")
    await settled()
    assert len(wire.token_requests) == 3
    clock.advance(45)
    with pytest.raises(ServerFaultError, match="no access token could be had"):
        await wire.client.tokens.for_user("c1")
    wire.tokens = [access("after-the-outage")]
    await wire.client.tokens.for_user("c1")
    assert wire.jwt_requests[-1].headers["Authorization"] == "Bearer after-the-outage"


async def test_a_clock_that_is_set_forward_ends_it_too(clock: FakeClock) -> None:
    wire = Wire(clock, token_cache_size=0)
    await wire.client.tokens.for_user("c1")
    clock._now += 900  # the wall clock alone: a suspended machine
    await wire.client.tokens.for_user("c1")
    assert len(wire.token_requests) == 2


async def test_a_refused_access_token_is_fetched_anew_once_and_the_call_repeated(clock: FakeClock) -> None:
    wire = Wire(clock, TOKEN_REFUSED, minted(clock), tokens=[access("first-access-token"), access("second-one-here")])
    token = await wire.client.tokens.for_user("c1")
    assert token.user_id == "c1"
    sent = [request.headers["Authorization"] for request in wire.jwt_requests]
    assert sent == ["Bearer first-access-token", "Bearer second-one-here"]
    assert clock.slept == []


@pytest.mark.parametrize("answer", [TOKEN_REFUSED, APP_KEY_REFUSED, reply(401), reply(401, b"<html>no</html>")])
async def test_whatever_a_401_says_the_token_is_fetched_anew_once_at_the_most(clock: FakeClock, answer: Any) -> None:
    wire = Wire(clock, answer)
    with pytest.raises(UnauthorizedError) as caught:
        await wire.client.tokens.for_user("c1")
    assert (len(wire.token_requests), len(wire.jwt_requests)) == (2, 2)
    assert (caught.value.operation, caught.value.status, caught.value.effect) == ("tokens.for_user", 401, "none")


async def test_callers_refused_together_share_one_new_token(avaya: AvayaClient, sandbox: AvayaSandbox) -> None:
    await avaya.tokens.for_user("first")
    sandbox.revoke_access_tokens()
    await asyncio.gather(*(avaya.tokens.for_user(number) for number in range(30)))
    assert sum("openid-connect" in request.path for request in sandbox.requests) == 2
    assert len(sandbox.minted) == 31


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, "Invalid client credentials."),
        reply(401, {"error": "invalid_client", "error_description": "Invalid client credentials"}),
        reply(400, {"error": "unauthorized_client", "error_description": "Invalid client secret"}),
        reply(400, {"error": "invalid_client"}),
    ],
)
async def test_a_login_that_cannot_change_is_refused_once(clock: FakeClock, answer: Any) -> None:
    wire = Wire(clock, tokens=[answer])
    with pytest.raises(UnauthorizedError, match="no access token could be had"):
        await wire.client.tokens.for_user("c1")
    assert (len(wire.token_requests), len(wire.jwt_requests), clock.slept) == (1, 0, [])


async def test_the_token_request_is_tried_again_after_what_passes(clock: FakeClock) -> None:
    full = reply(429, {"title": "Too many"}, Retry_After="3")
    answers = [full, reply(502, b"<html>bad gateway</html>"), NotSentError("no way"), access()]
    wire = Wire(clock, tokens=answers)
    await wire.client.tokens.for_user("c1")
    assert len(wire.token_requests) == 4
    assert clock.slept[0] == 3


class Side:
    """An Avaya that accepts some secrets, and some application keys at Generate JWT."""

    def __init__(self, clock: FakeClock, provider: Any, *, secrets: set[str], keys: set[str] | None = None) -> None:
        self.secrets = secrets
        self.keys = keys or {"stored-key"}
        self.count = 0
        self.live = ""
        self.events: list[Any] = []
        self.clock = clock
        self.wire = stored(clock, provider, self._jwt, tokens=[self._token], on_event=self.events.append)
        self.wire.client.tokens._cache._size = 0

    def _token(self, request: Request) -> Any:
        if not any(f"client_secret={secret}".encode() in (request.body or b"") for secret in self.secrets):
            return problem(401, "Invalid client credentials.")
        self.count += 1
        self.live = f"access-token-{self.count:04}"
        return access(self.live)

    def _jwt(self, request: Request) -> Any:
        if request.headers["appkey"] not in self.keys:
            return APP_KEY_REFUSED
        return minted(self.clock) if request.headers["Authorization"].endswith(self.live) else TOKEN_REFUSED

    async def ask(self) -> Any:
        return await self.wire.client.tokens.for_user("c1")

    async def ask_with_a_new_access_token(self) -> Any:
        self.live = "nobody has this"
        return await self.ask()


async def test_rotation_when_the_platform_changes_first(clock: FakeClock) -> None:
    store = MemoryProvider(login("old-secret"))
    side = Side(clock, store, secrets={"old-secret"})
    await side.ask()
    store.put(login("new-secret"))
    side.secrets = {"new-secret"}
    await side.ask_with_a_new_access_token()
    assert sum(isinstance(event, SecretRotated) for event in side.events) == 1
    assert [event.purpose for event in side.events if isinstance(event, TokenRefreshed)].count("access") == 2


async def test_however_many_are_refused_the_store_is_asked_once(clock: FakeClock) -> None:
    store = MemoryProvider(login("old-secret"))
    side = Side(clock, store, secrets={"old-secret"})
    await side.ask()
    store.put(login("new-secret"))
    side.secrets, side.live, calls = {"new-secret"}, "nobody has this", store.calls
    await asyncio.gather(*(side.wire.client.tokens.for_user(number) for number in range(20)))
    assert store.calls == calls + 1
    assert side.count == 2


async def test_a_token_request_ends_before_the_call_that_waits_for_it(clock: FakeClock) -> None:
    wire = Wire(clock, timeout=10)
    await wire.client.tokens.for_user("c1")
    assert wire.token_requests[0].timeout == pytest.approx(8)
    assert wire.jwt_requests[0].timeout == pytest.approx(10)


async def test_rotation_when_the_store_changes_first_and_keeps_the_previous(clock: FakeClock) -> None:
    store = MemoryProvider(login("old-secret"))
    side = Side(clock, store, secrets={"old-secret"})
    await side.ask()
    store.put(login("new-secret"))
    clock.advance(3600)  # the store is read again of itself
    await side.ask_with_a_new_access_token()
    before = len(side.wire.token_requests)
    await side.ask_with_a_new_access_token()
    assert len(side.wire.token_requests) == before + 1  # what was accepted is remembered
    side.secrets = {"new-secret"}
    await side.ask_with_a_new_access_token()


async def test_rotation_when_the_store_changes_first_and_forgets_the_previous(clock: FakeClock) -> None:
    store = MemoryProvider(login("old-secret"))
    side = Side(clock, store, secrets={"old-secret"})
    await side.ask()
    store.bundle = SecretBundle(login("new-secret"))
    clock.advance(3600)
    await side.ask_with_a_new_access_token()
    side.secrets = {"new-secret"}
    await side.ask_with_a_new_access_token()


async def test_a_pending_secret_is_tried(clock: FakeClock) -> None:
    store = MemoryProvider(SecretBundle(login("old-secret"), pending={"AVAYA_CLIENT_SECRET": "next-secret"}))
    side = Side(clock, store, secrets={"next-secret"})
    await side.ask()
    assert b"client_id=stored-client" in (side.wire.token_requests[-1].body or b"")  # the rest is the current one's


async def test_it_waits_for_a_newer_secret_once_one_was_right(clock: FakeClock) -> None:
    store = MemoryProvider(login("old-secret"))
    side = Side(clock, store, secrets={"old-secret"})
    await side.ask()
    side.secrets = {"new-secret"}
    asked = len(side.wire.token_requests)

    def late(request: Request) -> Any:
        if len(side.wire.token_requests) == asked + 3:
            store.bundle = SecretBundle(login("new-secret"))
        return side._token(request)

    side.wire.tokens = [late]
    await side.ask_with_a_new_access_token()
    assert clock.slept != []


async def test_a_secret_that_was_never_right_is_not_waited_for(clock: FakeClock) -> None:
    side = Side(clock, MemoryProvider(login("wrong-secret")), secrets={"another"})
    with pytest.raises(UnauthorizedError):
        await side.ask()
    assert clock.slept == []


async def test_an_application_key_that_rotates_with_the_store(clock: FakeClock) -> None:
    store = MemoryProvider(login("secret-one"))
    side = Side(clock, store, secrets={"secret-one"})
    assert (await side.ask()).extra["app_key"] == "stored-key"
    store.put(login("secret-one", AVAYA_APP_KEY="newer-key"))
    side.keys = {"newer-key"}
    assert (await side.ask()).extra["app_key"] == "newer-key"


async def test_an_application_key_that_the_platform_still_wants_the_former_of(clock: FakeClock) -> None:
    store = MemoryProvider(login("secret-one"))
    side = Side(clock, store, secrets={"secret-one"})
    store.put(login("secret-one", AVAYA_APP_KEY="newer-key"))
    assert (await side.ask()).extra["app_key"] == "stored-key"
    fetched = len(side.wire.token_requests)
    assert fetched == 2  # a 401 costs one token, whatever it was about
    assert (await side.ask()).extra["app_key"] == "stored-key"
    assert len(side.wire.token_requests) == fetched


async def test_a_store_that_is_down_at_first_is_told(clock: FakeClock) -> None:
    store = MemoryProvider(login("secret-one"))
    store.fail(SecretUnavailableError("The store is down.", "memory"))
    wire = stored(clock, store)
    with pytest.raises(ConfigError, match="The store is down"):
        await wire.client.tokens.for_user("c1")
    store.mend()
    clock.advance(60)
    await wire.client.tokens.for_user("c1")


async def test_a_caller_who_gives_up_does_not_stop_the_token_for_the_others(clock: FakeClock) -> None:
    gate = asyncio.Event()

    async def slowly() -> Any:
        await gate.wait()
        return access()

    wire = Wire(clock, tokens=[lambda _: slowly()])
    impatient = asyncio.create_task(wire.client.tokens.for_user("c1"))
    patient = asyncio.create_task(wire.client.tokens.for_user("c2"))
    await until(lambda: len(wire.token_requests) == 1)
    impatient.cancel()
    gate.set()
    assert (await patient).user_id == "c2"
    assert len(wire.token_requests) == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_cancelling_at_any_step_leaves_the_client_usable(clock: FakeClock) -> None:
    wires: list[Wire] = []

    async def scenario() -> str:
        wire = Wire(clock, TOKEN_REFUSED, minted(clock))
        wires.append(wire)
        return (await wire.client.tokens.for_user("c1")).user_id

    assert await cancel_at_every_step(scenario) >= 2
    for wire in wires:
        assert (await wire.client.tokens.for_user("c2")).user_id == "c2"
        await wire.client.aclose()


async def test_closing_ends_a_token_request_and_who_waits_for_it(clock: FakeClock) -> None:
    wire = Wire(clock, tokens=[lambda _: asyncio.Event().wait()])
    waiting = asyncio.create_task(wire.client.tokens.for_user("c1"))
    await until(lambda: len(wire.token_requests) == 1)
    await wire.client.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await waiting
    await wire.client.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await wire.client.tokens.for_user("c1")
    assert ACCESS not in repr(wire.client)


async def test_a_real_server_that_was_away_for_a_while(avaya: AvayaClient, sandbox: AvayaSandbox) -> None:
    sandbox.faults.fail("POST /api/auth/*", cut="after")
    sandbox.faults.fail("POST /api/digital/*", cut="body")
    sandbox.faults.fail("POST /api/digital/*", status=503)
    token = await avaya.tokens.for_user("c1")
    assert sandbox.log_in(token.value).customer_id == "c1"
    assert len(sandbox.minted) == 2  # the one whose reply was cut has no other effect
    assert SETTINGS["account_id"] in repr(avaya)


async def test_patient_work_waits_for_the_access_token_and_a_web_request_does_not(clock: FakeClock) -> None:
    full = reply(429, {"title": "Too many"}, Retry_After="43")
    wire = Wire(clock, tokens=[full, full, access()])
    async with wire.client as avaya:
        with pytest.raises(RateLimitedError) as caught:
            await avaya.tokens.for_user("ann")
        assert (caught.value.retry_after, clock.slept) == (43, [])
        told: list[float] = []
        with patience(lambda _, wait: told.append(wait)):
            await avaya.tokens.for_user("ann")
    assert clock.slept == told == [43]
