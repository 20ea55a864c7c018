"""Workers against the sandboxes: intents are carried out in order, and outages drop none."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from managed_platforms import PLATFORMS, chats_of, client_for, people_of, platform_of
from test_outbox_lanes import put

from ethora_async import ConfigError, EthoraClient, NewChat, NewUser, RetryPolicy, ServerFaultError, outbox
from ethora_async.outbox import PasswordSeal, Worker
from ethora_async.outbox import worker as worker_module
from ethora_async.outbox.lanes import LaneKey
from ethora_async.outbox.sqlite.store import SqliteStore
from ethora_async.outbox.worker import DEADLINE, MARGIN
from ethora_async.request import Response
from ethora_async.sandbox import EthoraSandbox
from ethora_async.transport.memory import MemoryTransport
from ethora_async_secrets import CachedProvider, SecretUnavailableError, StaticProvider
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from managed_platforms import Platform

    from ethora_async.outbox.lanes import Store
    from ethora_async.request import Request

PATIENCE = 60.0


def user(id: str, email: str | None = None, first: str = "Ann", last: str = "Lee", **more: Any) -> NewUser:
    return NewUser(id=id, email=email or f"{id}@example.com", first_name=first, last_name=last, **more)


async def want(store: Store, *calls: tuple[Any, ...]) -> None:
    """Write through a connection of an application's own, in one transaction."""
    server = getattr(store, "_server", None)
    connection: Any = psycopg.connect(server.url.reveal()) if server else sqlite3.connect(store._path, timeout=10)  # type: ignore[attr-defined]
    try:
        with connection:
            for function, *args in calls:
                function(connection, *args)
    finally:
        connection.close()


@pytest.fixture(params=[*PLATFORMS])
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    async with platform_of(request.param) as made:
        yield made


async def until(happened: Callable[[], Awaitable[object]]) -> None:
    """Look again and again until something has come about in another task."""
    async with asyncio.timeout(PATIENCE):
        while not await happened():  # noqa: ASYNC110  it comes about in a database or behind a socket
            await asyncio.sleep(0.02)


async def applied(platform: Platform, store: Store, **options: Any) -> None:
    worker = Worker(platform.client, store, **options)
    async with asyncio.timeout(PATIENCE):
        await worker.run_once()


async def test_what_is_wanted_comes_about(platform: Platform, store: Store) -> None:
    await want(
        store,
        (outbox.want_member, "room", "ann"),
        (outbox.want_chat, NewChat(id="room", title="Room", members=["bob"])),
        (outbox.want_users, [user("ann"), user("bob")]),
    )
    await applied(platform, store)
    assert await people_of(platform) == {"ann": "ann@example.com", "bob": "bob@example.com"}
    assert await chats_of(platform) == {"room": {"ann", "bob"}}
    await want(
        store,
        (outbox.want_user, user("ann", last="Kim")),
        (outbox.want_no_user, "bob"),
        (outbox.want_no_user, "nobody"),
        (outbox.want_chat, NewChat(id="room", title="Parlour")),
        (outbox.want_no_member, "room", "ann"),
    )
    await applied(platform, store)
    assert await people_of(platform) == {"ann": "ann@example.com"}
    assert await chats_of(platform) == {"room": set()}
    (ann,) = [one async for one in platform.client.users.list() if one.id == "ann"]
    assert "Kim" in (ann.last_name, *str(ann.first_name).split(), *str(ann.extra.get("name")).split())
    assert [chat.title async for chat in platform.client.chats.list() if chat.id == "room"] == ["Parlour"]
    await want(store, (outbox.want_no_chat, "room"), (outbox.want_no_chat, "nowhere"))
    await applied(platform, store)
    assert await chats_of(platform) == {}
    status = await store.status()
    assert (status.waiting, status.dead, status.inbox) == ({}, {}, 0)


async def test_somebody_who_returns_is_somebody_new(platform: Platform, store: Store) -> None:
    await want(store, (outbox.want_user, user("ann")), (outbox.want_chat, NewChat(id="c", title="T", members=["ann"])))
    await applied(platform, store)
    await want(store, (outbox.want_no_user, "ann"), (outbox.want_user, user("ann", "other@example.com")))
    await applied(platform, store)
    assert await people_of(platform) == {"ann": "other@example.com"}
    assert await chats_of(platform) == {"c": set()}


async def test_an_address_is_handed_over(platform: Platform, store: Store) -> None:
    """Who gives up an address goes before who takes it."""
    await want(store, (outbox.want_users, [user("ann", "a@example.com"), user("bob", "b@example.com")]))
    await applied(platform, store)
    await want(store, (outbox.want_user, user("cy", "a@example.com")), (outbox.want_no_user, "ann"))
    await applied(platform, store)
    assert await people_of(platform) == {"cy": "a@example.com", "bob": "b@example.com"}


async def test_addresses_are_swapped(platform: Platform, store: Store) -> None:
    people = {"ann": "a@example.com", "bob": "b@example.com", "cy": "c@example.com"}
    swapped = {"ann": "b@example.com", "bob": "c@example.com", "cy": "a@example.com"}
    await want(store, (outbox.want_users, [user(id, email) for id, email in people.items()]))
    await applied(platform, store)
    if platform.changes_email:
        await want(store, (outbox.want_users, [user(id, email) for id, email in swapped.items()]))
    else:
        await want(
            store,
            (outbox.want_no_users, list(people)),
            (outbox.want_users, [user(id, email) for id, email in swapped.items()]),
        )
    await applied(platform, store)
    assert await people_of(platform) == swapped


async def test_a_thousand_waiting_users_take_twenty_requests(store: Store) -> None:
    """A batch of 100 and one question about its job: 5,000 take 100, as ``benchmarks/outbox.py`` measures."""
    requests: list[object] = []
    sandbox = EthoraSandbox(on_request=requests.append, job_polls=0)
    async with sandbox, EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client:
        await want(store, (outbox.want_users, [user(f"u{number}") for number in range(1000)]))
        await Worker(client, store).run_once()
        assert len(requests) == 20
        status = await store.status()
        assert (status.inbox, status.waiting, status.dead) == (0, {}, {})


async def test_what_cannot_be_changed_is_a_dead_letter_with_its_reason(store: Store) -> None:
    async with platform_of("ethora") as platform:
        await want(store, (outbox.want_user, user("ann")))
        await applied(platform, store)
        await want(store, (outbox.want_user, user("ann", "new@example.com", last="Kim")))
        await applied(platform, store)
        (dead,) = await store.dead()
        assert dead.id == LaneKey("user", "ann")
        assert "cannot change email" in dead.reason
        assert "want_no_user and then want_user" in dead.reason
        assert "ethora outbox skip user ann" in dead.reason
        assert [one.last_name async for one in platform.client.users.list() if one.id == "ann"] == ["Kim"]


async def test_the_access_of_a_chat_that_exists_cannot_be_changed(platform: Platform, store: Store) -> None:
    """As in a plan; everything else is changed, and an access that is as wanted is no trouble."""
    await want(store, (outbox.want_chats, [NewChat(id="a", title="A"), NewChat(id="b", title="B", access="public")]))
    await applied(platform, store)
    worker = Worker(platform.client, store)
    for title in ("New", "Newer"):  # looked up, and then known
        chats = [NewChat(id="a", title=title, access="public"), NewChat(id="b", title=title, access="public")]
        await want(store, (outbox.want_chats, chats))
        await worker.run_once()
        (dead,) = await store.dead()
        assert dead.id == LaneKey("chat", "a")
        assert "cannot change access" in dead.reason
        assert "want_no_chat and then want_chat" in dead.reason
        found = {chat.id: (chat.title, chat.access) async for chat in platform.client.chats.list()}
        assert (found["a"], found["b"]) == ((title, "private"), (title, "public"))
    await want(store, (outbox.want_no_chat, "a"), (outbox.want_chat, NewChat(id="a", title="A", access="public")))
    await worker.run_once()
    assert await store.dead() == []
    found = {chat.id: (chat.title, chat.access) async for chat in platform.client.chats.list()}
    assert found["a"] == ("A", "public")
    # What this worker remembers of it is not what somebody else has made of it since.
    await want(store, (outbox.want_no_chat, "a"), (outbox.want_chat, NewChat(id="a", title="A")))
    await applied(platform, store)
    await want(store, (outbox.want_chat, NewChat(id="a", title="Back")))
    await worker.run_once()
    assert await store.dead() == []


@pytest.mark.parametrize(
    ("id", "wanted", "reason"),
    [
        (LaneKey("user", "ann"), {"email": "nonsense", "first_name": "A", "last_name": "B"}, "not a valid e-mail"),
        (LaneKey("user", "ann"), {"first_name": "A", "last_name": "B"}, "email is empty"),
        (LaneKey("user", "a b"), {"email": "a@b.cd", "first_name": "Ann", "last_name": "Lee"}, "holds a space"),
        (LaneKey("user", "ann"), {"email": 7}, "email must be text, not int"),
        (LaneKey("user", "ann"), {"colour": "red"}, "no field 'colour'"),
        (LaneKey("chat", "c"), {}, "title is empty"),
        (LaneKey("chat", "c"), {"title": "T", "access": "open"}, "access must be"),
    ],
)
async def test_an_intent_of_a_trigger_that_cannot_be_meant_is_a_dead_letter(
    store: Store, id: LaneKey, wanted: dict[str, Any], reason: str
) -> None:
    async with platform_of("ethora") as platform:
        await put(store, (id, wanted), (LaneKey("user", "bob"), {
            "email": "bob@example.com", "first_name": "Bob", "last_name": "Lee"}))  # fmt: skip
        await applied(platform, store)
        (dead,) = await store.dead()
        assert (dead.id, reason in dead.reason) == (id, True), dead.reason
        assert await people_of(platform) == {"bob": "bob@example.com"}


async def test_ids_that_a_trigger_wrote_are_taken_literally(store: Store) -> None:
    """Neither a bad id nor a platform's own name for somebody removes anybody, or harms what was sent with it."""
    async with platform_of("ethora") as platform:
        app = platform.sandbox.app_id
        await want(
            store,
            (outbox.want_users, [user("ann"), user("bob"), user("cy")]),
            (outbox.want_chat, NewChat(id="room", title="R", members=["ann", "bob"])),
        )
        await applied(platform, store)
        for bad in ("a b", "a/b", "", f"{app}_ann", f"{app}_ann@xmpp.example.com", "@ann", "x" * 1200):
            await put(store, *((LaneKey(*id), None) for id in (
                ("user", bad), ("chat", bad), ("member", "room", bad), ("member", bad, "ann"))))  # fmt: skip
            await put(store, (LaneKey("member", "room", bad + "!"), {}), (LaneKey("member", bad + "!", "ann"), {}))
        await put(store, (LaneKey("chat", f"{app}_room"), None), (LaneKey("user", "cy"), None))
        await put(store, (LaneKey("member", "room", "bob"), None))
        await applied(platform, store)
        assert set(await people_of(platform)) == {"ann", "bob"}
        assert await chats_of(platform) == {"room": {"ann"}}
        reasons = {one.id: one.reason for one in await store.dead()}
        assert "a name that the platform made" in reasons[LaneKey("user", f"{app}_ann")]
        assert "holds a space" in reasons[LaneKey("member", "room", "a b")]
        assert "holds a space" in reasons[LaneKey("member", "a b", "ann")]


async def test_a_user_whom_somebody_else_makes_anew_gets_their_memberships(store: Store) -> None:
    """Rocket.Chat is asked by record ids, and this worker has looked up the user's former one a moment ago."""
    async with platform_of("rocketchat") as platform, client_for("rocketchat", platform.sandbox.environment) as other:
        chats = [NewChat(id=id, title="R", members=["bob"]) for id in ("alone", "together")]
        await want(
            store,
            (outbox.want_users, [user("ann"), user("bob"), user("cy")]),
            *((outbox.want_chat, chat) for chat in chats),
            (outbox.want_member, "alone", "ann"),
        )
        await applied(platform, store)
        await other.users.delete("ann")
        await other.users.create("ann", email="ann@example.com", first_name="Ann", last_name="Lee")
        for chat, id in (("alone", "ann"), ("together", "ann"), ("together", "cy")):
            await want(store, (outbox.want_member, chat, id))
        await applied(platform, store)
        assert await store.dead() == []
        assert await chats_of(platform) == {"alone": {"ann", "bob"}, "together": {"ann", "bob", "cy"}}


async def test_an_outage_gives_nobody_up_and_costs_no_attempt(platform: Platform, store: Store) -> None:
    await platform.client.users.reserved()
    await want(store, (outbox.want_users, [user(f"u{number}") for number in range(5)]))
    await platform.sandbox.aclose()
    async with Worker(platform.client, store, deadline=0.5, lease=1.5):
        await until(lambda: _reasons(store))
        assert all(attempts == 0 for attempts, _ in await _reasons(store))
        await platform.sandbox.start()
        await until(lambda: _all_there(platform))
    assert await store.dead() == []


async def test_a_client_whose_app_is_in_the_secret_store_carries_deletions_out_first(store: Store) -> None:
    """The form of ids is unknown until the secret store answers; failures before that drop no intent."""
    async with platform_of("ethora") as platform:
        await want(store, (outbox.want_users, [user("ann"), user("bob")]))
        await applied(platform, store)
        settings = {name: value for name, value in platform.sandbox.environment.items() if "CHAT" in name}
        async with EthoraClient.from_secrets(MemoryProvider(settings), retry=RetryPolicy(attempts=1)) as client:
            await want(store, (outbox.want_no_user, "ann"))
            fault = platform.sandbox.faults.fail("*", status=503)
            with pytest.raises(ServerFaultError):
                await Worker(client, store).run_once()
            fault.remove()
            assert [attempts for attempts, _ in await _reasons(store)] == [0]
            await _due_now(store)
            await Worker(client, store).run_once()
        assert set(await people_of(platform)) == {"bob"}
        assert await store.dead() == []


async def test_a_slow_platform_gets_smaller_requests_and_each_call_the_worker_s_own_deadline(store: Store) -> None:
    """For any timeout of the client: the lease depends on the worker's deadline."""
    async with (
        platform_of("ethora") as platform,
        EthoraClient(
            app_id=platform.sandbox.app_id, secret=platform.sandbox.secret, api_url=platform.sandbox.url, timeout=600
        ) as client,
    ):
        await want(store, (outbox.want_users, [user(f"u{number}") for number in range(40)]))
        sizes: list[int] = []

        def note(event: object) -> None:
            if isinstance(event, outbox.TurnStarted):
                sizes.append(event.size)

        platform.sandbox.faults.latency(500, "POST *", times=2)
        async with Worker(client, store, batch=16, parallel=1, deadline=0.2, lease=0.4, on_event=note):
            await until(lambda: _there(platform, 40))
        assert sizes[:3] == [16, 8, 4]
        assert max(sizes[3:]) > 4
        assert await store.dead() == []


async def test_with_the_defaults_the_work_of_a_killed_worker_waits_less_than_ten_seconds(sqlite_url: str) -> None:
    now = 1_000_000.0
    store = SqliteStore(sqlite_url.removeprefix("sqlite:///"), clock=lambda: now)
    async with platform_of("ethora") as platform:
        await store.init()
        await want(store, (outbox.want_users, [user(f"u{number}") for number in range(5)]))
        worker = Worker(platform.client, store)
        killed = await store.take(500, DEADLINE * MARGIN)
        now += DEADLINE  # its last request may still arrive
        await worker.run_once()
        assert (len(killed.lanes), await people_of(platform)) == (5, {})
        now = 1_000_000.0 + 9
        await worker.run_once()
        assert len(await people_of(platform)) == 5
    await store.aclose()


async def test_a_turn_is_cut_short_when_its_claim_cannot_be_extended(sqlite_url: str) -> None:
    """A database that hangs must not keep a worker sending after its lease: another one may have taken over."""

    class Hanging(SqliteStore):
        holds = 0

        async def hold(self, claim: str, lease: float) -> frozenset[LaneKey]:
            self.holds += 1
            if self.holds > 1:
                await asyncio.Event().wait()
            return await super().hold(claim, lease)

    store = Hanging(sqlite_url.removeprefix("sqlite:///"))
    async with (
        platform_of("ethora") as platform,
        EthoraClient(
            app_id=platform.sandbox.app_id, secret=platform.sandbox.secret, api_url=platform.sandbox.url, timeout=600
        ) as client,
    ):
        await store.init()
        await want(store, (outbox.want_user, user("ann")))
        platform.sandbox.faults.latency(500, "POST *")
        async with asyncio.timeout(PATIENCE):
            await Worker(client, store, deadline=600, lease=600.4).run_once()
        assert (await store.take(500, 600)).lanes == []  # what was sent may still arrive
        assert (await store.status()).waiting == {"user": 1}
    await store.aclose()


async def _there(platform: Platform, count: int) -> bool:
    return len(await people_of(platform)) == count


async def _all_there(platform: Platform) -> bool:
    return len(await people_of(platform)) == 5


async def _reasons(store: Any) -> list[Any]:
    query = "SELECT attempts, reason FROM ethora_lane WHERE reason IS NOT NULL"
    return list(await (store._rows(query, {}) if hasattr(store, "_server") else store._rows(query)))


async def test_a_conflict_that_stays_is_given_up_after_twelve_tries(store: Store) -> None:
    async with platform_of("ethora") as platform:
        await want(store, (outbox.want_user, user("ann", "a@example.com")))
        await applied(platform, store)
        await want(store, (outbox.want_user, user("bob", "a@example.com")))
        for _ in range(20):
            await applied(platform, store)
            await _due_now(store)
        (dead,) = await store.dead()
        assert (dead.id.key, dead.attempts) == ("bob", 12)
        assert "ConflictError" in dead.reason


async def _due_now(store: Any) -> None:
    query = "UPDATE ethora_lane SET due = {} WHERE due IS NOT NULL"
    if hasattr(store, "_server"):
        await store._count(query.format("now()"), {})
    else:
        await store._count(query.format("0"))


async def test_a_sealed_password_is_used_and_never_stored_in_clear(store: Any) -> None:
    seal = PasswordSeal("k" * 40)
    async with platform_of("ethora") as platform:
        with_password = [user("ann", password="canary-password-1"), user("bob", password="canary-password-2")]
        connection_calls = [
            (lambda connection, one: outbox.want_user(connection, one, seal=seal), one) for one in with_password
        ]
        await want(store, *connection_calls)
        stored = await store._rows("SELECT * FROM ethora_wish", *([{}] if hasattr(store, "_server") else []))
        assert "canary" not in str(stored)
        with pytest.raises(ConfigError, match="ETHORA_OUTBOX_KEY"):
            await applied(platform, store)
        await _due_now(store)
        await applied(platform, store, seal=PasswordSeal("n" * 40, "k" * 40))
        passwords = {one.uuid: one.password for one in platform.sandbox.store.app(platform.sandbox.app_id).users}
        assert passwords["ann"] == "canary-password-1"


async def test_a_worker_runs_beside_an_application(store: Store) -> None:
    async with platform_of("ethora") as platform:
        events: list[object] = []
        worker = Worker(lambda: platform.client, store, on_event=events.append)
        async with worker.lifespan(object()):
            await want(store, (lambda connection: outbox.want_user(connection, user("ann"), traceparent="00-1"),))
            await until(lambda: people_of(platform))
        finished = [event for event in events if isinstance(event, outbox.IntentFinished)]
        assert [(one.kind, one.id, one.state, one.traceparent) for one in finished] == [("user", "ann", "done", "00-1")]
        assert outbox.TurnFinished in {type(event) for event in events}
    with pytest.raises(ConfigError):
        Worker(None, store, lease=10, deadline=10)


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_worker_beside_an_application_waits_for_the_secret_store(
    sqlite_url: str, sealed: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be away when the application starts, or when the first password is to be decrypted."""
    monkeypatch.setattr(worker_module, "_PLATFORM", RetryPolicy(base=0.01, cap=0.01))
    monkeypatch.setattr("ethora_async.outbox.settling._SHORT", 0.01)
    store = SqliteStore(sqlite_url.removeprefix("sqlite:///"))
    await store.init()
    async with platform_of("ethora") as platform:
        environment: dict[str, str] = platform.sandbox.environment
        memory = MemoryProvider({**environment, "ETHORA_OUTBOX_KEY": "k" * 40})
        memory.fail(SecretUnavailableError("the store is down", "memory"))
        away = CachedProvider(memory, failure_ttl=0.01, failure_ttl_max=0.01)
        client = EthoraClient.from_secrets(away)
        wanted = user("ann", password="canary-password-1") if sealed else user("ann")
        seal = PasswordSeal("k" * 40)
        await want(store, (lambda connection: outbox.want_user(connection, wanted, seal=seal),))
        events: list[object] = []
        worker = Worker(
            platform.client if sealed else client, store, seal=away if sealed else None, on_event=events.append
        )

        async def tried_again() -> bool:
            return sum(isinstance(event, outbox.TurnFinished) for event in events) > 1

        async with worker.lifespan():
            await until(tried_again)
            memory.mend()
            await until(lambda: people_of(platform))
        assert not (await store.status()).dead
        await client.aclose()
    await store.aclose()
    told = [record.message for record in caplog.records if record.name == "ethora_async.outbox"]
    assert len(told) == 1
    assert "the store is down; trying again" in told[0]


@pytest.mark.parametrize("missing", [{"ETHORA_CHAT_APP_ID": "a"}, {}])
async def test_a_worker_beside_an_application_ends_when_a_setting_is_wrong(
    sqlite_url: str, missing: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(sqlite_url.removeprefix("sqlite:///"))
    await store.init()
    await want(store, (outbox.want_user, user("ann")))
    client = EthoraClient.from_secrets(StaticProvider(missing))

    async def ended() -> bool:
        return any("has ended: ConfigError" in record.message for record in caplog.records)

    async with Worker(client, store).lifespan():
        await until(ended)
    await client.aclose()
    await store.aclose()


async def test_a_worker_without_tables_says_so_at_once(sqlite_url: str) -> None:
    with pytest.raises(ConfigError, match="ethora outbox init"):
        async with Worker(None, sqlite_url):
            raise AssertionError


@pytest.mark.parametrize(("lost", "held"), [(502, True), (429, False)])
@pytest.mark.parametrize("wanted", [{"title": "Room"}, None])
async def test_a_newer_intent_waits_for_a_request_that_lost_its_reply_though_its_repetition_succeeded(
    lost: int, held: bool, wanted: dict[str, Any] | None, tmp_path: Path
) -> None:
    """A gateway may still deliver the first request; one that was refused is over."""
    time, sent = [1000.0], list[str]()

    def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response(200, {}, b'{"results": [], "total": 0}')
        sent.append(request.method)
        return Response(lost if len(sent) == 1 else 200, {}, b"{}")

    store = SqliteStore(tmp_path / "app.db", clock=lambda: time[0])
    await store.init()
    room = LaneKey("chat", "room")
    client = EthoraClient(
        app_id="a" * 24,
        secret="s" * 40,
        api_url="https://api.example.com",
        transport=MemoryTransport(answer),
        retry=RetryPolicy(base=0.001),
    )
    async with client:
        worker = Worker(client, store)
        await put(store, (room, wanted))
        await worker.run_once()
        assert len(sent) == 2
        await put(store, (room, {"title": "Room"} if wanted is None else None))
        await worker.run_once()
        newer = "POST" if wanted is None else "DELETE"
        assert (newer in sent) is not held
        time[0] += DEADLINE + 0.1
        await worker.run_once()
        assert sent[-1] == newer
        assert (await store.status()).waiting == {}
    await store.aclose()
