"""The fake tells the truth: what the sync engine is proved on must itself be proved."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from fake_platform import PREFIX, Crash, FakePlatform, Fault
from fake_source import FakeSource, bad_row

from ethora_async.capabilities import ManagesChats, ManagesUsers
from ethora_async.errors import (
    ConfigError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    ValidationFailedError,
)
from ethora_async.records import NewChat, NewUser
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from ethora_async.bulk.run import Run
    from ethora_async.sync.sources.source import Source


def person(id: str, **fields: Any) -> NewUser:
    return NewUser(**{"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee", **fields})


def people(*ids: str) -> list[NewUser]:
    return [person(id) for id in ids]


async def statuses(run: Run[Any]) -> dict[str, str]:
    return {outcome.key: outcome.status async for outcome in run}


async def listed(records: AsyncIterable[Any]) -> list[str]:
    return [record.id async for record in records]


def test_it_has_what_the_sync_engine_asks_for() -> None:
    client = FakePlatform().client()
    with_users: ManagesUsers = client
    with_chats: ManagesChats = client
    assert isinstance(with_users, ManagesUsers)
    assert isinstance(with_chats, ManagesChats)


def test_all_clients_of_one_platform_show_the_same_and_of_another_not() -> None:
    platform = FakePlatform("one")
    assert repr(platform.client()) == repr(platform.client()) != repr(FakePlatform("other").client())


async def test_users_are_created_once_with_an_address_of_their_own() -> None:
    platform = FakePlatform()
    platform.seed_user("old", email="taken@example.com")
    client = platform.client()
    rows = [*people("u1", "u2", "old"), person(f"{PREFIX}u1"), person("u3", email="Taken@Example.com")]
    found = [(outcome.key, outcome.status, type(outcome.error)) async for outcome in client.users.create_many(rows)]
    assert sorted(found, key=str) == [
        ("old", "existed", type(None)),
        ("u1", "created", type(None)),
        ("u1", "existed", type(None)),
        ("u2", "created", type(None)),
        ("u3", "failed", ConflictError),
    ]
    assert platform.effects == {("create", "user", "u1"): 1, ("create", "user", "u2"): 1}
    assert await listed(client.users.list()) == ["old", "u1", "u2"]


async def test_users_are_changed_and_deleted() -> None:
    platform = FakePlatform()
    for id in ("u1", "u2"):
        platform.seed_user(id)
    client = platform.client()
    wanted = person("u1", first_name="Bea", last_name="Ray")
    changes = [
        client.users.change(wanted, frozenset({"first_name"})),
        client.users.change(person("u2"), frozenset({"first_name"})),
        client.users.change(person("nobody"), frozenset({"first_name"})),
    ]
    assert await statuses(client.users.update_many(changes)) == {"u1": "updated", "u2": "unchanged", "nobody": "failed"}
    assert (platform.users["u1"].first_name, platform.users["u1"].last_name) == ("Bea", "Lee")
    assert await statuses(client.users.delete_many(["u1", "nobody"])) == {"u1": "deleted", "nobody": "absent"}
    assert platform.effects == {("update", "user", "u1"): 1, ("delete", "user", "u1"): 1}
    for fields in ({"email"}, set[str]()):
        with pytest.raises(InvalidInputError, match="cannot change"):
            client.users.change(wanted, frozenset(fields))


async def test_chats_and_memberships_come_and_go() -> None:
    platform = FakePlatform()
    for id in ("u1", "u2"):
        platform.seed_user(id)
    client = platform.client()
    chats = [NewChat(id="c1", title="One", members=["u1"]), NewChat(id="c2", title="Two", members=["nobody"])]
    assert await statuses(client.chats.create_many(chats)) == {"c1": "created", "c2": "failed"}
    assert await statuses(client.chats.grant_many([("c1", "u2"), ("c1", "u1"), ("c1", "x"), ("c9", "u1")])) == {
        "c1/u2": "created",
        "c1/u1": "existed",
        "c1/x": "failed",
        "c9/u1": "failed",
    }
    assert await listed(client.chats.members("c1")) == ["u1", "u2"]
    assert (await client.chats.update("c1", description="New")).status == "updated"
    assert platform.state()[1] == {"c1": {"title": "One", "description": "New", "access": "private"}}
    with pytest.raises(NotFoundError):
        await client.chats.update("c9", title="New")
    assert await statuses(client.chats.revoke_many([("c1", "u2"), ("c1", "u2"), ("c9", "u1")])) == {
        "c1/u2": "absent",
        "c9/u1": "failed",
    }
    await client.users.delete_many(["u1"])
    assert platform.members["c1"] == set()
    assert await statuses(client.chats.delete_many(["c1", "c9"])) == {"c1": "deleted", "c9": "absent"}
    assert {effect[0]: count for effect, count in platform.effects.items() if effect[1] != "user"} == {
        "create": 1, "grant": 1, "update": 1, "revoke": 1, "delete": 1,
    }  # fmt: skip


async def test_the_platforms_own_records_are_told_and_refuse_to_change() -> None:
    platform = FakePlatform()
    platform.seed_user("owner-1", own=True)
    platform.seed_user("u1")
    platform.seed_chat("lobby", own=True, members=["u1"])
    client = platform.client()
    before = platform.own_state()
    own_user, own_chat = await client.users.reserved(), await client.chats.reserved()
    assert [own_user(user) async for user in client.users.list()] == [True, False]
    assert [own_chat(chat) async for chat in client.chats.list()] == [True]
    change = client.users.change(person("owner-1", first_name="Mallory"), frozenset({"first_name"}))
    for run in (
        client.users.update_many([change]),
        client.users.delete_many(["owner-1"]),
        client.chats.delete_many(["lobby"]),
        client.chats.revoke_many([("lobby", "u1")]),
        client.chats.grant_many([("lobby", "owner-1")]),
    ):
        assert set((await statuses(run)).values()) == {"failed"}
    assert len(platform.attacks) == 5
    assert not platform.effects
    assert platform.own_state() == before
    assert platform.state() == ({"u1": client.users.comparable(platform.users["u1"])}, {}, set())


@pytest.mark.parametrize("error", [ConflictError, ValidationFailedError, NotFoundError])
async def test_an_item_is_refused_as_often_as_asked(error: type[ConflictError]) -> None:
    platform = FakePlatform()
    platform.faults.append(Fault("users.create", error, key="u2", times=2))
    client = platform.client()
    for expected in ("failed", "failed", "created"):
        assert (await statuses(client.users.create_many(people("u1", "u2"))))["u2"] == expected
    assert platform.effects["create", "user", "u2"] == 1


async def test_a_lost_reply_is_unknown_and_its_effect_is_there() -> None:
    platform = FakePlatform()
    platform.faults += [Fault("users.create", ReplyLostError, key="u1"), Fault("users.create", NotSentError, key="u2")]
    platform.faults += [Fault("users.create", ReplyLostError, key="u3", took_effect=False)]
    found = await statuses(platform.client().users.create_many(people("u1", "u2", "u3")))
    assert found == {"u1": "unknown", "u2": "failed", "u3": "unknown"}
    assert [*platform.users] == ["u1"]


async def test_the_reply_of_a_refusal_can_be_lost_too() -> None:
    platform = FakePlatform()
    platform.faults.append(Fault("chats.grant", ReplyLostError))
    assert await statuses(platform.client().chats.grant_many([("c9", "u9")])) == {"c9/u9": "unknown"}


@pytest.mark.parametrize("operation", ["users.list", "users.reserved", "chats.list", "chats.reserved", "chats.members"])
async def test_reading_fails_as_asked(operation: Any) -> None:
    platform = FakePlatform()
    platform.seed_chat("c1")
    platform.faults.append(Fault(operation, NotSentError))
    part, _, verb = operation.partition(".")
    read = getattr(getattr(platform.client(), part), verb)
    for attempt in (1, 2):
        found = read("c1") if verb == "members" else read()
        if attempt == 1:
            with pytest.raises(NotSentError):
                await (found if verb == "reserved" else listed(found))
        else:
            await (found if verb == "reserved" else listed(found))


@pytest.mark.parametrize(("at", "after_effect", "made"), [(1, False, 0), (1, True, 1), (4, False, 3), (4, True, 4)])
async def test_a_crash_comes_at_its_step_and_the_client_stays_dead(at: int, after_effect: bool, made: int) -> None:
    platform = FakePlatform()
    seen: list[int] = []
    platform.crash(at, after_effect=after_effect, then=lambda: seen.append(len(platform.users)))
    client = platform.client(batch_size=2, concurrency=3)
    with pytest.raises(Crash):
        await client.users.create_many(people(*(f"u{number}" for number in range(12))))
    assert seen == [made]
    assert len(platform.users) == made  # the other workers came no further
    assert not platform.crash_is_due
    with pytest.raises(Crash):
        await client.users.reserved()
    again = await platform.client().users.create_many(people(*(f"u{number}" for number in range(12))))
    assert again.counts == {"created": 12 - made} | ({"existed": made} if made else {})
    assert set(platform.effects.values()) == {1}


async def test_a_listing_is_several_requests_and_may_crash_between_them() -> None:
    platform = FakePlatform(page=2)
    for number in range(5):
        platform.seed_user(f"u{number}")
    client = platform.client()
    assert len(await listed(client.users.list())) == 5
    assert platform.steps == {"users.list": 3}
    platform.crash(at=2)
    read = aiter(client.users.list())
    assert [(await anext(read)).id, (await anext(read)).id] == ["u0", "u1"]
    with pytest.raises(Crash):
        await anext(read)


async def test_what_is_gone_lingers_in_listings_only() -> None:
    platform = FakePlatform(lag=2)
    platform.seed_user("u1")
    platform.seed_chat("c1")
    platform.seed_chat("c2", members=["u1"])
    client = platform.client()
    await client.chats.revoke_many([("c2", "u1")])
    assert [await listed(client.chats.members("c2")) for _ in range(3)] == [["u1"], ["u1"], []]
    await client.users.delete_many(["u1"])
    await client.chats.delete_many(["c1"])
    assert [await listed(client.users.list()) for _ in range(3)] == [["u1"], ["u1"], []]
    assert await listed(client.chats.members("c1")) == []
    assert [await listed(client.chats.list()) for _ in range(3)] == [["c2", "c1"], ["c2", "c1"], ["c2"]]
    assert platform.state()[0] == {}
    assert await statuses(client.users.delete_many(["u1"])) == {"u1": "absent"}


async def test_a_record_made_again_is_listed_once() -> None:
    platform = FakePlatform(lag=9)
    platform.seed_user("u1")
    client = platform.client()
    await client.users.delete_many(["u1"])
    await client.users.create_many(people("u1"))
    assert await listed(client.users.list()) == ["u1"]


async def test_survive_ends_all_trouble() -> None:
    platform = FakePlatform(lag=9)
    platform.seed_user("u1")
    client = platform.client()
    await client.users.delete_many(["u1"])
    platform.faults.append(Fault("users.create", NotSentError, times=None))
    platform.crash(at=1)
    platform.survive()
    assert await listed(client.users.list()) == []
    assert await statuses(client.users.create_many(people("u2"))) == {"u2": "created"}


async def test_keys_are_known_after_the_first_call_and_have_one_form() -> None:
    client = FakePlatform().client()
    with pytest.raises(ConfigError):
        client.users.key("u1")
    await client.chats.reserved()
    assert {client.users.key(id) for id in ("u1", f"{PREFIX}u1", f"{PREFIX}{PREFIX}u1", " u1 ")} == {"u1"}
    assert client.chats.key(7) == "7"


async def test_a_created_record_compares_equal_to_what_was_wanted() -> None:
    platform = FakePlatform()
    client = platform.client()
    user = person("u1", email="Ann@Example.COM", profile_image="https://example.com/a.png")
    chat = NewChat(id="c1", title="One", description="", access="public")
    await client.users.create_many([user])
    await client.chats.create_many([chat])
    assert client.users.comparable(platform.users["u1"]) == client.users.comparable(user)
    assert client.chats.comparable(platform.chats["c1"]) == client.chats.comparable(chat)


async def test_a_run_gives_up_as_real_ones_do() -> None:
    platform = FakePlatform()
    platform.faults.append(Fault("users.create", NotSentError, times=None))
    run = platform.client(batch_size=1, concurrency=1).users.create_many(people(*(f"u{n}" for n in range(50))))
    with pytest.raises(NotSentError):
        await run
    assert run.report.counts == {"failed": 10}


async def read(source: Source[NewUser]) -> list[Row[NewUser] | BadRow]:
    return [row async for row in source.rows()]


async def test_a_source_is_read_again_from_the_start() -> None:
    bad = bad_row("u2", 3)
    source = FakeSource[NewUser]([person("u1"), bad, person("u3")])
    assert await read(source) == await read(source) == [
        Row(person("u1"), 2, "wanted.csv"), bad, Row(person("u3"), 4, "wanted.csv"),
    ]  # fmt: skip
    assert source.reads == 2
    assert (bad.error.file, bad.error.row, bad.error.column) == ("wanted.csv", 3, "email")


async def test_a_fingerprint_follows_every_row_and_every_password_and_shows_none() -> None:
    def variants() -> Iterable[list[NewUser | BadRow]]:
        yield []
        yield [person("u1")]
        yield [person("u1", password="first-password")]
        yield [person("u1", password="other-password")]
        yield [person("u1"), person("u2")]
        yield [person("u2"), person("u1")]
        yield [person("u1"), bad_row("u2", 3)]

    found = [await FakeSource[NewUser](rows).fingerprint() for rows in variants()]
    assert len(set(found)) == len(found)
    assert found == [await FakeSource[NewUser](rows).fingerprint() for rows in variants()]
    assert b"password" not in pickle.dumps(found)
