"""Rotation of the app secret with no failed call, whichever side changes first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from virtual_time import run_virtual

from ethora_async.config import Limits, RetryPolicy
from ethora_async.engine import Engine, RetryScheduled, SecretRotated, TokenRefreshed
from ethora_async.engine.emitter import Emitter
from ethora_async.errors import ConfigError, UnauthorizedError
from ethora_async.platforms.ethora.app_secret import APP_SECRET, AppSecret, SigningKeys
from ethora_async.platforms.ethora.auth import ServerCredentials
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.request import Operation, Request, Response
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.settings import RotatingSettings
from ethora_async.transport import MemoryTransport
from ethora_async_secrets import SecretBundle, SecretDeniedError
from ethora_async_secrets.testing import MemoryProvider

READ = Operation("read", "GET", "/r", repeatable=True, source="test")
ONCE = Operation("once", "POST", "/o", repeatable=False, source="test")
OLD, NEW, NEWER = ({APP_SECRET: f"a-rotating-secret-{name}"} for name in ("old", "new", "newer"))


def settings_of(secret: Any, clock: FakeClock, emitter: Emitter) -> RotatingSettings:
    passed = secret if isinstance(secret, str) else None
    return RotatingSettings(
        {APP_SECRET: "secret"},
        {APP_SECRET: passed},
        required=(APP_SECRET,),
        rotating=(APP_SECRET,),
        provider=None if passed is not None else secret,
        clock=clock,
        emitter=emitter,
    )


class Side:
    """A platform that accepts some secrets, a client of it, and a count of what was sent."""

    def __init__(self, provider: Any, *, accepts: list[dict[str, str]]) -> None:
        self.accepts = accepts
        self.clock = FakeClock()
        self.events: list[Any] = []
        emitter = Emitter([self.events.append])
        self.secret = AppSecret(settings_of(provider, self.clock, emitter), scoped=True)
        self.credentials = ServerCredentials("app", self.secret, clock=self.clock, emitter=emitter)
        self.transport = MemoryTransport(self.answer)
        self.engine = Engine(
            "http://x",
            self.transport,
            EthoraDialect(),
            self.credentials,
            clock=self.clock,
            limits=Limits(concurrency=100),
            retry=RetryPolicy(),
            emitter=emitter,
            draw=lambda: 1.0,
        )

    def answer(self, request: Request) -> Response:
        token = request.headers["x-custom-token"]
        good = any(SigningKeys(one[APP_SECRET], scoped=True).verifies("server", token) for one in self.accepts)
        return Response(200 if good else 401, {}, b"{}")

    async def call(self, operation: Operation = READ, **options: Any) -> None:
        await self.engine.call(operation, **options)

    def sent(self) -> int:
        """Return the number of requests since the last call."""
        count = len(self.transport.requests)
        self.transport.requests.clear()
        return count


async def test_a_rejected_token_makes_the_store_be_read_again_and_the_call_replayed_once() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    assert side.sent() == 1
    store.bundle, side.accepts = SecretBundle(NEW), [NEW]
    await side.call()
    assert (side.sent(), store.calls) == (2, 2)
    await side.call()
    assert (side.sent(), store.calls) == (1, 2)
    assert side.clock.slept == []


async def test_what_must_not_be_repeated_is_replayed_too_it_was_refused_before_any_work() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call(ONCE)
    store.bundle, side.accepts = SecretBundle(NEW), [NEW]
    await side.call(ONCE)
    assert side.sent() == 3


async def test_fifty_rejections_at_once_cost_one_reading_of_the_store() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    store.bundle, side.accepts = SecretBundle(NEW), [NEW]
    await asyncio.gather(*(side.call() for _ in range(50)))
    assert store.calls == 2


async def test_fifty_late_rejections_one_after_another_cost_one_reading_of_the_store() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    late = side.credentials.peek()
    assert late is not None
    store.bundle, side.accepts = SecretBundle(NEW), [NEW]
    for _ in range(50):
        replacement = await side.credentials.replace(late, frozenset({late.key}))
        assert replacement is not None
        assert replacement.version == store.bundle.version
    assert store.calls == 2


@pytest.mark.parametrize("where", ["previous", "pending"])
async def test_the_other_secrets_of_the_store_are_tried_once_each_and_the_accepted_one_is_remembered(
    where: str,
) -> None:
    store = MemoryProvider(SecretBundle(NEW, version="v2", **{where: OLD}))  # type: ignore[arg-type]
    side = Side(store, accepts=[OLD])
    await side.call()
    assert side.sent() == 2
    await side.call()
    assert side.sent() == 1  # remembered
    side.accepts = [NEW]
    await side.call()
    assert side.sent() == 2  # the platform has followed: back to the current one
    await side.call()
    assert side.sent() == 1
    assert side.clock.slept == []


def test_all_candidates_are_tried_before_the_call_fails() -> None:
    store = MemoryProvider(SecretBundle(NEW, version="v2", previous=OLD, pending=NEWER))
    side = Side(store, accepts=[])
    with pytest.raises(UnauthorizedError) as caught:
        run_virtual(side.call(timeout=0.2))  # too short for a second round
    assert (side.sent(), caught.value.attempts, caught.value.effect) == (3, 3, "none")


def test_the_same_secret_under_another_version_is_not_tried_again() -> None:
    store = MemoryProvider(SecretBundle(OLD, version="v1", previous=OLD))
    side = Side(store, accepts=[])
    with pytest.raises(UnauthorizedError):
        run_virtual(side.call(timeout=0.2))
    assert side.sent() == 1


async def test_what_was_accepted_is_kept_to_only_until_the_store_answers_newer() -> None:
    store = MemoryProvider(SecretBundle(NEW, version="v2", previous=OLD))
    side = Side(store, accepts=[OLD])
    await side.call()
    store.bundle = SecretBundle(NEWER, version="v3", previous=NEW)
    side.accepts = [NEWER]
    side.clock.advance(60)  # past the store's time to live
    side.sent()
    await side.call()
    assert side.sent() == 1


async def test_a_late_success_with_the_old_secret_does_not_bring_it_back() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD, NEW])
    old = await side.credentials.acquire()
    store.bundle = SecretBundle(NEW)
    side.clock.advance(60)
    new = await side.credentials.acquire()
    side.credentials.accepted(old)
    assert side.credentials.peek() is new


async def test_a_secret_that_was_never_accepted_is_given_two_seconds_once() -> None:
    side = Side(MemoryProvider(OLD), accepts=[NEW])
    with pytest.raises(UnauthorizedError) as caught:
        await side.call()
    assert (caught.value.attempts, side.clock.slept) == (5, [0.25, 0.5, 1.0, 2.0])
    with pytest.raises(UnauthorizedError) as caught:
        await side.call()
    assert (caught.value.attempts, len(side.clock.slept)) == (1, 4)


def test_a_gateways_failure_does_not_make_a_wrong_secret_a_rotated_one() -> None:
    side = Side(MemoryProvider(OLD), accepts=[])
    answers = [Response(502, {}, b"<html>"), Response(401, {}, b"{}")]
    side.transport._handler = lambda _: answers.pop(0)
    with pytest.raises(UnauthorizedError) as caught:
        run_virtual(side.call(timeout=0.4))
    assert (caught.value.attempts, caught.value.effect, side.clock.slept) == (2, "unknown", [0.25])


async def test_a_gateways_refusal_is_waited_out_for_two_seconds_only() -> None:
    side = Side(MemoryProvider(OLD), accepts=[])
    side.transport._handler = lambda _: Response(401, {}, b"{}")
    with pytest.raises(UnauthorizedError):
        await side.call()
    assert sum(side.clock.slept) < 4


async def test_a_secret_that_was_accepted_waits_backing_off_for_a_newer_one() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    side.accepts = [NEW]
    sleep = side.clock.sleep

    async def rotate_meanwhile(delay: float, /) -> None:
        await sleep(delay)
        if len(side.clock.slept) == 3:
            store.bundle = SecretBundle(NEW)

    side.clock.sleep = rotate_meanwhile  # type: ignore[method-assign]
    side.sent()
    await side.call(ONCE)
    assert side.clock.slept == [0.25, 0.5, 1.0]
    # The old one once more after each pause: where the store is changed first, it is the platform that is waited for.
    assert side.sent() == 4
    assert [event.reason for event in side.events if isinstance(event, RetryScheduled)] == [
        "waiting for a newer secret"
    ] * 3


async def test_the_wait_for_a_newer_secret_ends_with_the_deadline() -> None:
    side = Side(MemoryProvider(OLD), accepts=[OLD])
    await side.call()
    side.accepts = [NEW]
    with pytest.raises(UnauthorizedError) as caught:
        await side.call(timeout=5.0)
    assert caught.value.attempts == 5
    assert side.clock.slept == [0.25, 0.5, 1.0, 2.0]


async def test_a_secret_that_was_passed_in_is_not_waited_for() -> None:
    side = Side(OLD[APP_SECRET], accepts=[OLD])
    await side.call()
    side.accepts = [NEW]
    with pytest.raises(UnauthorizedError):
        await side.call()
    assert side.clock.slept == []


async def test_many_rotations_under_load_fail_no_call() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    for number in range(20):
        secret = {APP_SECRET: f"another-rotating-secret-{number}"}
        if number % 2:  # the store first
            store.put(secret)
            side.clock.advance(40)
            await asyncio.gather(*(side.call() for _ in range(10)))
            side.accepts = [secret]
        else:  # the platform first
            side.accepts = [secret]
            store.put(secret)
        await asyncio.gather(*(side.call() for _ in range(10)))


async def test_rotation_and_new_tokens_are_told_with_versions_that_are_no_secrets() -> None:
    store = MemoryProvider(SecretBundle(OLD, version="v1"))
    side = Side(store, accepts=[OLD])
    await side.call()
    store.bundle, side.accepts = SecretBundle(NEW, version="v2"), [NEW]
    await side.call()
    told = [event for event in side.events if isinstance(event, (SecretRotated, TokenRefreshed))]
    assert told == [TokenRefreshed("server", "v1"), SecretRotated("v1", "v2"), TokenRefreshed("server", "v2")]


async def test_one_token_serves_many_calls_and_is_renewed_before_its_end() -> None:
    side = Side(MemoryProvider(OLD), accepts=[OLD])
    await asyncio.gather(*(side.call() for _ in range(20)))
    side.clock.advance(3539)
    await side.call()
    side.clock.advance(2)
    await side.call()
    assert sum(isinstance(event, TokenRefreshed) for event in side.events) == 2


async def test_a_store_that_cannot_be_read_is_a_config_error_that_says_so() -> None:
    store = MemoryProvider(OLD)
    store.fail(SecretDeniedError("no permission", "memory"))
    with pytest.raises(ConfigError, match="no permission"):
        await Side(store, accepts=[OLD]).call()


async def test_a_store_that_fails_after_the_first_answer_costs_nothing() -> None:
    store = MemoryProvider(OLD)
    side = Side(store, accepts=[OLD])
    await side.call()
    store.fail(SecretDeniedError("no permission", "memory"))
    side.clock.advance(120)
    await side.call()


@pytest.mark.parametrize("values", [{APP_SECRET: ""}, {APP_SECRET: " \n"}, {"OTHER": "x"}])
async def test_a_store_without_a_usable_secret_is_a_config_error(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=APP_SECRET):
        await Side(MemoryProvider(values), accepts=[]).call()


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_secret_is_refused_where_it_is_passed_in(blank: str) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        Side(blank, accepts=[])
