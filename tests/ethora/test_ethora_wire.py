"""The exact requests (docs/platforms/ethora.md#users, #chats, #plain-or-prefixed)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, Scripted, ok, person, reply

from ethora_async import EthoraClient, InvalidInputError, MongoId, NewChat
from ethora_async.platforms.ethora.users.api import UserChange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async.platforms.ethora.in_app import InApp
    from ethora_async.testing.users import FakeClock

ROW = {"uuid": "u1", "email": "u1@example.com", "firstName": "Ann", "lastName": "Lee"}
EMPTY_LIST = {"items": [], "total": 0}
USER = {"result": {"xmppUsername": f"{APP}_u1"}}

CALLS: list[tuple[str, Callable[[EthoraClient], Awaitable[Any]], Any, tuple[str, str, dict[str, str], Any]]] = [
    (
        "users.create",
        lambda ethora: ethora.users.create_many([person("u1", email="u1@example.com")]),
        {"results": [ROW]},
        ("POST", "/v2/users/batch", {}, {"bypassEmailConfirmation": True, "usersList": [ROW]}),
    ),
    (
        "users.create with everything",
        lambda ethora: ethora.users.create_many(
            [person("u1", password="pass-word", profile_image="https://example.com/a.png")]
        ),
        {"results": [ROW]},
        (
            "POST",
            "/v2/users/batch",
            {},
            {
                "bypassEmailConfirmation": True,
                "usersList": [{**ROW, "password": "pass-word", "profileImage": "https://example.com/a.png"}],
            },
        ),
    ),
    (
        "users.get",
        lambda ethora: ethora.users.get("u1"),
        USER,
        ("GET", "/v2/chats/users", {"xmppUsername": f"{APP}_u1"}, None),
    ),
    (
        "users.get, odd characters",
        lambda ethora: ethora.users.get("ü&x=1"),
        USER,
        ("GET", "/v2/chats/users", {"xmppUsername": f"{APP}_ü&x=1"}, None),
    ),
    (
        "users.get, record id",
        lambda ethora: ethora.users.get(MongoId(RECORD)),
        USER,
        ("GET", "/v2/chats/users", {"userId": RECORD}, None),
    ),
    (
        "users.list",
        lambda ethora: ethora.users.list(limit=20, offset=40),
        EMPTY_LIST,
        ("GET", "/v2/chats/users", {"limit": "20", "offset": "40"}, None),
    ),
    (
        "chats.members",
        lambda ethora: ethora.chats.members(f"{APP}_c1@conference.x"),
        EMPTY_LIST,
        ("GET", "/v2/chats/users", {"limit": "500", "offset": "0", "chatName": f"{APP}_c1"}, None),
    ),
    (
        "users.chats",
        lambda ethora: ethora.users.chats(f"{APP}_a b/ü?", include_members=True),
        EMPTY_LIST,
        (
            "GET",
            f"/v2/apps/{APP}/users/a%20b%2F%C3%BC%3F/chats",
            {"limit": "500", "offset": "0", "includeMembers": "true"},
            None,
        ),
    ),
    (
        "users.update",
        lambda ethora: ethora.users.update_many([UserChange(id="u1", first_name="Bea", profile_image="")]),
        {"results": []},
        (
            "PATCH",
            "/v2/chats/users",
            {},
            {"users": [{"xmppUsername": f"{APP}_u1", "firstName": "Bea", "profileImage": ""}]},
        ),
    ),
    (
        "users.delete",
        lambda ethora: ethora.users.delete_many(["u1", f"{APP}_u2", 3]),
        {"ok": True},
        ("DELETE", "/v1/users/batch", {}, {"usersIdList": ["u1", "u2", "3"]}),
    ),
    (
        "chats.create",
        lambda ethora: ethora.chats.create("c1", title="Chat", members=["u1", MongoId(RECORD), "u1"]),
        {"result": {"name": f"{APP}_c1"}},
        (
            "POST",
            "/v2/chats",
            {},
            {"uuid": "c1", "title": "Chat", "type": "group", "members": [f"{APP}_u1", RECORD]},
        ),
    ),
    (
        "chats.create, public and described",
        lambda ethora: ethora.chats.create_many([NewChat(id="c1", title="Chat", access="public", description="")]),
        {"result": {"name": f"{APP}_c1"}},
        ("POST", "/v2/chats", {}, {"uuid": "c1", "title": "Chat", "type": "public", "description": ""}),
    ),
    (
        "chats.create without an id",
        lambda ethora: ethora.chats.create(title="Chat"),
        {"result": {"name": f"{APP}_{RECORD}"}},
        ("POST", "/v2/chats", {}, {"title": "Chat", "type": "group"}),
    ),
    (
        "chats.update",
        lambda ethora: ethora.chats.update("a b/../ü", title=" New ", description=""),
        {"ok": True},
        ("PATCH", f"/v2/apps/{APP}/chats/{APP}_a%20b%2F..%2F%C3%BC", {}, {"title": "New", "description": ""}),
    ),
    (
        "chats.delete",
        lambda ethora: ethora.chats.delete("c1"),
        {"ok": True},
        ("DELETE", "/v1/chats", {}, {"name": f"{APP}_c1"}),
    ),
    (
        "chats.list",
        lambda ethora: ethora.chats.list(include_members=True, limit=1),
        EMPTY_LIST,
        ("GET", f"/v2/apps/{APP}/chats", {"limit": "1", "offset": "0", "includeMembers": "true"}, None),
    ),
    (
        "chats.grant",
        lambda ethora: ethora.chats.grant("c1", ["u1", "u2", MongoId(RECORD)]),
        {"ok": True},
        (
            "POST",
            "/v2/chats/users-access",
            {},
            {"chatName": f"{APP}_c1", "members": [f"{APP}_u1", f"{APP}_u2", RECORD]},
        ),
    ),
    (
        "chats.revoke",
        lambda ethora: ethora.chats.revoke("c1", 7),
        {"ok": True},
        ("DELETE", "/v2/chats/users-access", {}, {"chatName": f"{APP}_c1", "members": [f"{APP}_7"]}),
    ),
    (
        "chats.grant_many",
        lambda ethora: ethora.chats.grant_many([("c1", "u1"), (f"{APP}_c1", "u2")]),
        {"ok": True},
        (
            "POST",
            "/v2/chats/users-access",
            {},
            {"chatName": f"{APP}_c1", "members": [f"{APP}_u1", f"{APP}_u2"]},
        ),
    ),
    ("ping", lambda ethora: ethora.ping(), None, ("GET", "/ping", {}, None)),
]


@pytest.mark.parametrize(("act", "data", "expected"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
async def test_a_call_sends_exactly_this(
    act: Callable[[EthoraClient], Awaitable[Any]], data: Any, expected: tuple[Any, ...], clock: FakeClock
) -> None:
    wire = Scripted(clock, ok(data))
    await act(wire.client)
    sent = wire.only
    assert (sent.method, sent.path, sent.query, sent.body) == expected


CHILD = "f" * 24
OTHER_CALLS: list[tuple[Callable[[InApp], Awaitable[Any]], Any, tuple[str, str]]] = [
    (lambda child: child.users.create_many([person("u1")]), {"results": []}, ("POST", "users/batch")),
    (lambda child: child.users.update_many([UserChange(id="u1", last_name="")]), {}, ("PATCH", "chats/users")),
    (lambda child: child.users.delete("u1"), {}, ("DELETE", "users/batch")),
    (lambda child: child.users.chats("u1"), EMPTY_LIST, ("GET", "users/u1/chats")),
    (lambda child: child.chats.create("c1", title="Chat"), {}, ("POST", "chats")),
    (lambda child: child.chats.create(title="Chat"), {"name": f"{CHILD}_{RECORD}"}, ("POST", "chats")),
    (lambda child: child.chats.update("c1", title="New"), {}, ("PATCH", f"chats/{CHILD}_c1")),
    (lambda child: child.chats.delete("c1"), {}, ("DELETE", "chats")),
    (lambda child: child.chats.list(), EMPTY_LIST, ("GET", "chats")),
    (lambda child: child.chats.grant("c1", "u1"), {}, ("POST", "chats/users-access")),
    (lambda child: child.chats.revoke("c1", "u1"), {}, ("DELETE", "chats/users-access")),
]


@pytest.mark.parametrize(("act", "data", "expected"), OTHER_CALLS)
async def test_another_app_is_asked_by_paths_and_names_of_its_own(
    act: Callable[[InApp], Awaitable[Any]], data: Any, expected: tuple[str, str], clock: FakeClock
) -> None:
    wire = Scripted(clock, ok(data))
    await act(wire.client.in_app(CHILD))
    assert (wire.only.method, wire.only.path) == (expected[0], f"/v2/apps/{CHILD}/{expected[1]}")
    assert APP not in str(wire.only.body)
    assert (await wire.client.tokens.verify(wire.transport.requests[0].headers["x-custom-token"])).app_id == APP


async def test_a_job_of_another_app_is_asked_for_there(clock: FakeClock) -> None:
    done = ok({"state": "completed", "result": {"results": [{"status": "created", "xmppUsername": f"{CHILD}_u1"}]}})
    wire = Scripted(clock, reply(202, {"jobId": "j1"}), done)
    assert (await wire.client.in_app(CHILD).users.create_many([person("u1")])).counts == {"created": 1}
    assert wire.sent[1].path == f"/v2/apps/{CHILD}/users/batch/j1"


async def test_every_request_but_the_ping_is_signed_in_both_headers(clock: FakeClock) -> None:
    wire = Scripted(clock, ok(EMPTY_LIST))
    await wire.client.users.list()
    await wire.client.ping()
    signed, ping = wire.transport.requests
    assert signed.headers["Authorization"] == f"Bearer {signed.headers['x-custom-token']}"
    assert signed.headers["User-Agent"].startswith("ethora-async/")
    assert {"Authorization", "x-custom-token"}.isdisjoint(ping.headers)


@pytest.mark.parametrize("id", [".", "..", " .. "])
async def test_ids_that_name_another_place_in_a_url_are_refused(id: str, clock: FakeClock) -> None:
    wire = Scripted(clock, ok(EMPTY_LIST))
    with pytest.raises(InvalidInputError, match="another"):
        await wire.client.users.chats(id)
    assert not wire.sent


async def test_a_chat_without_an_id_is_never_made_twice(clock: FakeClock) -> None:
    wire = Scripted(clock, reply(503), ok({"result": {"name": f"{APP}_c1"}}))
    with pytest.raises(Exception, match="503") as caught:
        await wire.client.chats.create(title="Chat")
    assert getattr(caught.value, "effect", None) == "unknown"
    assert len(wire.sent) == 1


async def test_a_chat_with_an_id_is_asked_for_again(clock: FakeClock) -> None:
    wire = Scripted(clock, reply(503), reply(422, {"error": "Chat already exists", "code": "CHAT_ALREADY_EXISTS"}))
    outcome = await wire.client.chats.create("c1", title="Chat")
    assert (outcome.status, outcome.attempts, len(wire.sent)) == ("existed", 2, 2)


async def test_a_batch_holds_what_its_size_says(clock: FakeClock) -> None:
    wire = Scripted(clock, ok({"results": []}))
    await wire.client.users.create_many([person(f"u{n}") for n in range(25)], batch_size=10, concurrency=1)
    assert [len(sent.body["usersList"]) for sent in wire.sent] == [10, 10, 5]
