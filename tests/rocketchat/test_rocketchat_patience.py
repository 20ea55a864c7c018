"""Work that nobody watches waits for every request that it depends on; a call inside a web request fails in time.

See docs/platforms/rocketchat.md#rate-limits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from rocketchat_helpers import PASSWORD, Server, account_of, lifetime, logged_in, ok, plain_failure
from virtual_time import VirtualClock, run_virtual

from ethora_async import NewUser, RateLimitedError
from ethora_async.engine import RetryScheduled
from ethora_async.engine.patience import patience

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.protocols import Clock
    from ethora_async.testing.users import FakeClock

REFUSAL = plain_failure("Error, too many requests. You must wait 43 seconds before trying this endpoint again.", 429)

GOOD: dict[str, Any] = {
    "login": logged_in(),
    "info": ok(version="8.6"),
    "settings.public": lifetime(90),
    "users.info": lambda sent: ok(user=account_of(sent)),
    "users.createToken": ok(data={"userId": "id-of-ann", "authToken": "t"}),
    "users.logout": ok(message="done"),
    "users.update": lambda sent: ok(user=account_of(sent) if sent.query else {"_id": sent.body["userId"]}),
}


async def mint(client: RocketChatClient) -> None:
    await client.tokens.for_user("ann")


async def log_out(client: RocketChatClient) -> None:
    await client.logout("ann")


async def update(client: RocketChatClient) -> None:
    await client.users.update("ann", name="Ann")


async def ready(client: RocketChatClient) -> None:
    await client.ready()


WORK = {work.__name__: work for work in (mint, log_out, update, ready)}
NEEDED = {
    "mint": ("login", "settings.public", "info", "users.info", "users.createToken"),
    "log_out": ("login", "users.info", "users.logout"),
    "update": ("login", "users.info", "users.update"),
    "ready": ("login",),
}
"""The routes of each piece of work; `test_every_route_is_in_the_table` keeps it complete."""


def server_with(refusing: str | None = None, times: int = 1) -> Server:
    routes = dict(GOOD)
    if refusing is not None:
        good, left = GOOD[refusing], iter(range(times))

        def answer(sent: Any) -> Any:
            return REFUSAL if next(left, None) is not None else good(sent) if callable(good) else good

        routes[refusing] = answer
    server = Server()
    server.routes |= routes
    return server


def client_of(server: Server, clock: Clock, **options: Any) -> RocketChatClient:
    return server.client(clock, user="admin", password=PASSWORD, **options)


@pytest.mark.parametrize("name", WORK)
async def test_every_route_is_in_the_table(name: str, clock: FakeClock) -> None:
    server = server_with()
    async with client_of(server, clock) as client:
        await WORK[name](client)
        assert {sent.route for sent in server.sent} == set(NEEDED[name])


CASES = [(name, route) for name, routes in NEEDED.items() for route in routes]


@pytest.mark.parametrize(("name", "route"), CASES)
async def test_patient_work_waits_for_what_it_depends_on(name: str, route: str, clock: FakeClock) -> None:
    told: list[tuple[str, float]] = []
    async with client_of(server_with(route, times=3), clock) as client:
        with patience(lambda operation, wait: told.append((operation, wait))):
            await WORK[name](client)
    assert sum(clock.slept) == pytest.approx(3 * 43)
    assert [wait for _, wait in told] == [pytest.approx(43)] * 3
    assert all(operation for operation, _ in told)


@pytest.mark.parametrize(("name", "route"), CASES)
async def test_a_web_request_fails_within_its_deadline(name: str, route: str, clock: FakeClock) -> None:
    async with client_of(server_with(route), clock) as client:
        with pytest.raises(RateLimitedError) as caught:
            await WORK[name](client)
        assert caught.value.retry_after == pytest.approx(43)
        assert clock.slept == []


async def test_the_log_in_of_a_bulk_run_is_waited_for_and_told_as_an_event(clock: FakeClock) -> None:
    events: list[object] = []
    server = server_with("login")
    server.routes["users.create"] = lambda sent: ok(user={"_id": "x", "username": sent.body["username"]})
    async with client_of(server, clock, on_event=events.append) as client:
        users = [NewUser(id="ann", email="a@example.com", first_name="Ann", last_name="Lee", password="a-password-1")]
        report = await client.users.create_many(users)
        assert report.ok
    waits = [event.wait for event in events if isinstance(event, RetryScheduled)]
    assert waits == [pytest.approx(43)]


@pytest.mark.parametrize("patient_first", [True, False])
def test_patient_work_and_a_web_request_share_a_log_in_but_not_the_wait(patient_first: bool) -> None:
    server, clock = server_with("login"), VirtualClock()

    async def main() -> None:
        async with client_of(server, clock) as client:

            async def patient() -> float:
                with patience():
                    await update(client)
                return clock.monotonic() - started

            async def in_a_request() -> float:
                with pytest.raises(RateLimitedError):
                    await update(client)
                return clock.monotonic() - started

            started = clock.monotonic()
            calls = [patient(), in_a_request()]
            waited = await asyncio.gather(*(calls if patient_first else reversed(calls)))
            assert sorted(waited) == [pytest.approx(0, abs=1), pytest.approx(43, abs=1)]

    run_virtual(main())
    assert [sent.route for sent in server.sent].count("login") == 2


async def test_ending_the_session_never_waits(clock: FakeClock) -> None:
    server = server_with()
    server.routes["logout"] = REFUSAL
    with patience():
        async with client_of(server, clock) as client:
            await ready(client)
    assert clock.slept == []


async def test_a_platform_that_asks_for_too_long_or_again_and_again_is_an_error(clock: FakeClock) -> None:
    long = plain_failure("Error, too many requests. You must wait 301 seconds before trying again.", 429)
    for refusal, asked in ((long, 1), (REFUSAL, 5)):
        server = server_with()
        server.routes["login"] = refusal
        async with client_of(server, clock) as client:
            with patience(), pytest.raises(RateLimitedError):
                await ready(client)
        assert len(server.to("login")) == asked
