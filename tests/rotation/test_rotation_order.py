"""The app secret rotates, the store or the platform first: what one client does about it, step by step."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async import (
    ConfigError,
    EthoraClient,
    InvalidTokenError,
    NotSentError,
    ReplyLostError,
    RetryPolicy,
    UnauthorizedError,
)
from ethora_async.engine import RetryScheduled, SecretRotated
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.sandbox import EthoraSandbox
from ethora_async_secrets import CachedProvider, SecretBundle, SecretUnavailableError
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.testing.users import FakeClock

OLD, NEW, NEWER = "canary-old-secret-1", "canary-new-secret-2", "canary-newer-secret-3"


def values(secret: str) -> dict[str, str]:
    return {APP_SECRET: secret}


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(secret=OLD, clock=clock.now) as sandbox:
        yield sandbox


def client_of(sandbox: EthoraSandbox, store: Any, clock: FakeClock, **options: Any) -> EthoraClient:
    return EthoraClient(app_id=sandbox.app_id, secret=store, api_url=sandbox.url, clock=clock, **options)


async def works(client: EthoraClient) -> bool:
    return (await client.users.list(limit=1)).total is not None


def refusals(sandbox: EthoraSandbox) -> int:
    return sum(record.status == 401 for record in sandbox.requests)


async def test_the_platform_first_and_the_store_a_moment_later(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store, events = MemoryProvider(values(OLD)), list[object]()

    def listen(event: object) -> None:
        events.append(event)
        if isinstance(event, RetryScheduled):
            store.put(values(NEW))  # the operator gets round to it while the call waits

    async with client_of(sandbox, store, clock, on_event=listen) as client:
        assert await works(client)
        old = store.bundle.version
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert await works(client)
        assert [event for event in events if isinstance(event, SecretRotated)] == [
            SecretRotated(old, store.bundle.version)
        ]
    assert refusals(sandbox) >= 1
    assert store.calls == 3


async def test_the_store_first_and_its_previous_secret_goes_on_working(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    store = MemoryProvider(SecretBundle(values(NEW), previous=values(OLD)))
    async with client_of(sandbox, store, clock) as client:
        assert await works(client)
        assert await works(client)
        assert refusals(sandbox) == 1, "what was accepted is not remembered"
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert await works(client)
        assert await works(client)
    assert refusals(sandbox) == 2


async def test_the_store_first_where_it_keeps_no_previous_secret(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, store, clock) as client:
        assert await works(client)
        store.bundle = SecretBundle(values(NEW))
        clock.advance(31)
        assert await works(client), "the process knew the secret that still holds"
        assert refusals(sandbox) == 1
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert await works(client)
        clock.advance(31)
        assert await works(client)
    assert refusals(sandbox) == 2


async def test_the_pending_secret_works_where_the_platform_took_it_first(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    store = MemoryProvider(SecretBundle(values(OLD), pending=values(NEW)))
    async with client_of(sandbox, store, clock) as client:
        assert await works(client)
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert await works(client)
        assert await works(client)
        assert refusals(sandbox) == 1
        token = await client.tokens.for_user("alice")
        await client.users.create("alice", email="a@example.com", first_name="Alice", last_name="Liddell")
        await client.sessions.exchange(token)  # the front end's token is made with what the platform takes


async def test_a_process_started_between_the_two_sides_waits_for_the_platform(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    def listen(event: object) -> None:
        if isinstance(event, RetryScheduled):
            sandbox.rotate_secret(NEW, keep_previous=False)

    store = MemoryProvider(values(NEW))
    async with client_of(sandbox, store, clock, on_event=listen) as client:
        assert await works(client)
    assert refusals(sandbox) == 1


async def test_a_secret_that_was_never_right_is_told_of_within_seconds(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    async with client_of(sandbox, MemoryProvider(values("canary-wrong-secret")), clock) as client:
        started = clock.monotonic()
        with pytest.raises(UnauthorizedError):
            await works(client)
        # Two seconds of waiting, of which the last wait is random.
        assert clock.monotonic() - started <= 2 + RetryPolicy().cap
        before = clock.monotonic()
        with pytest.raises(UnauthorizedError):
            await works(client)
        assert clock.monotonic() == before


async def test_a_plain_secret_that_is_refused_is_told_of_at_once(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    async with client_of(sandbox, "canary-wrong-secret", clock) as client:
        before = clock.monotonic()
        with pytest.raises(UnauthorizedError):
            await works(client)
        assert clock.monotonic() == before


async def test_a_hundred_refused_calls_read_the_store_once(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, store, clock) as client:
        assert await works(client)
        store.put(values(NEW))
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert all(await asyncio.gather(*(works(client) for _ in range(100))))
    assert store.calls == 2


async def test_calls_that_wait_for_the_store_read_it_ten_times_a_second_together(sandbox: EthoraSandbox) -> None:
    """On the real clock, since the calls' pauses are to overlap."""
    store = MemoryProvider(values(OLD))
    client = EthoraClient(app_id=sandbox.app_id, secret=store, api_url=sandbox.url, timeout=1.0)
    sandbox.faults.fail("GET /v2/chats/users", status=401, times=None)
    async with client:
        await client.chats.create("c1", title="Chat")
        loop = asyncio.get_running_loop()
        started = loop.time()
        results = await asyncio.gather(*(works(client) for _ in range(50)), return_exceptions=True)
        taken = loop.time() - started
    # On a busy machine the deadline may come in the middle of a last attempt.
    assert all(isinstance(result, (UnauthorizedError, ReplyLostError, NotSentError)) for result in results)
    assert sum(isinstance(result, UnauthorizedError) for result in results) > 25
    assert store.calls <= 2 + 10 * taken


async def test_a_secret_revoked_for_good_is_an_error_after_the_deadline(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, store, clock, timeout=20) as client:
        assert await works(client)
        sandbox.rotate_secret(NEW, keep_previous=False)
        started = clock.monotonic()
        with pytest.raises(UnauthorizedError) as caught:
            await works(client)
        assert clock.monotonic() - started <= 20
    # It is asked again with growing pauses, not hammered.
    assert 2 < caught.value.attempts < 30


async def test_another_setting_that_changes_is_no_rotation(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store, events = MemoryProvider({**values(OLD), "ETHORA_XMPP_HOST": "one"}), list[object]()
    async with client_of(sandbox, store, clock, on_event=events.append) as client:
        assert await works(client)
        store.put({**values(OLD), "ETHORA_XMPP_HOST": "two"})
        clock.advance(31)
        assert await works(client)
    assert not [event for event in events if isinstance(event, SecretRotated)]


async def test_the_store_is_down_while_calls_go_on(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, store, clock) as client:
        assert await works(client)
        store.fail(SecretUnavailableError("The store is down.", "memory"))
        for _ in range(60):
            clock.advance(60)
            assert await works(client)
        clock.advance(60)
        with pytest.raises(ConfigError, match="could not be read: The store is down"):
            await works(client)
        store.mend()
        clock.advance(31)
        assert await works(client)


async def test_a_cache_that_is_passed_in_keeps_its_own_times(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, CachedProvider(store, ttl=5, max_stale=10, clock=clock), clock) as client:
        assert await works(client)
        store.fail(SecretUnavailableError("The store is down.", "memory"))
        clock.advance(14)
        assert await works(client)
        clock.advance(2)
        with pytest.raises(ConfigError, match="The store is down"):
            await works(client)


async def test_tokens_of_the_current_and_the_previous_secret_are_verified_and_no_others(
    sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    store = MemoryProvider(values(OLD))
    async with client_of(sandbox, store, clock) as client:
        first = await client.tokens.for_user("alice")
        store.put(values(NEW))  # which keeps OLD as the previous one
        sandbox.rotate_secret(NEW, keep_previous=False)
        assert await works(client)
        second = await client.tokens.for_user("alice")
        assert {(await client.tokens.verify(one)).user_id for one in (first, second)} == {"alice"}
        assert first.value != second.value
        store.bundle = SecretBundle(values(NEWER))  # a store that keeps none
        sandbox.rotate_secret(NEWER, keep_previous=False)
        assert await works(client)
        for one in (first, second):
            with pytest.raises(InvalidTokenError):
                await client.tokens.verify(one)


async def test_a_rotation_leaves_no_value_in_logs_or_events(
    sandbox: EthoraSandbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, events = MemoryProvider(values(OLD)), list[object]()
    with caplog.at_level(logging.DEBUG):
        async with client_of(sandbox, store, clock, on_event=events.append) as client:
            assert await works(client)
            store.put(values(NEW))
            sandbox.rotate_secret(NEW, keep_previous=False)
            assert await works(client)
    assert "the secret changed from version" in caplog.text
    assert "canary" not in caplog.text
    assert "canary" not in repr(events)
