"""Users, apart from creating and changing them: unread counts, tags, profile, export, import, the synchronous batch."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, CHILD, OTHER_RECORD, RECORD, Scripted, SentRequest, ok, reply

from ethora_async import (
    ApiError,
    ConflictError,
    InvalidInputError,
    MongoId,
    NewUser,
    NotFoundError,
    ReplyLostError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.users.records import UserImport
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async import EthoraClient
    from ethora_async.testing.users import FakeClock

TAKEN = {"error": "User already exists", "code": "USER_ALREADY_EXISTS"}


def newcomer(id: str, **changes: Any) -> NewUser:
    fields = {"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee", **changes}
    return NewUser(**fields)


def imported(name: str) -> UserImport:
    return UserImport(email=f"{name}@example.com", first_name=name, last_name="Lee")


@pytest.mark.parametrize(
    "data",
    [
        {"results": [{"userId": "u1", "count": 3}, {"userId": "u2", "count": 0}]},
        {"items": [{"xmppUsername": f"{APP}_u1", "unreadCount": 3}, {"uuid": "u2", "unread": 0}]},
        {"result": {"results": [{"id": f"{APP}_u1@x.y", "total": 3}, {"userId": "u2", "count": 0}]}},
        {"counts": {"u1": 3, "u2": 0}},
        {"unreadCounts": {f"{APP}_u1": {"count": 3}, "u2": {"unread": 0, "capped": False}}},
        {"result": {"counts": {"u1": 3, "u2": 0}}},
        [{"userId": "u1", "count": 3}, {"userId": "u2", "count": 0}],
        {"results": [{"userId": "u1", "count": 3}, {"userId": "u2", "count": 0}, {"userId": "u3"}, {"count": 1}, 5]},
    ],
)
async def test_unread_counts_are_read_in_every_shape(clock: FakeClock, data: Any) -> None:
    script = Scripted(clock, ok(data))
    assert await script.client.users.unread_counts(["u1", f"{APP}_u2", "u1"]) == {"u1": 3, "u2": 0}
    body = {"userIds": ["u1", "u2"], "mode": "count"}
    assert script.only == SentRequest("POST", f"/v2/apps/{APP}/users/unread-counts", {}, body)


@pytest.mark.parametrize("key", ["hasUnread", "flag", "unread"])
async def test_unread_flags_are_true_or_false(clock: FakeClock, key: str) -> None:
    script = Scripted(clock, ok({"results": [{"userId": "u1", key: True}, {"userId": "u2", key: False}]}))
    flags = await script.client.in_app(CHILD).users.unread_counts(["u1", "u2"], mode="flag", cap=9)
    assert flags == {"u1": True, "u2": False}
    assert all(type(flag) is bool for flag in flags.values())
    body = {"userIds": ["u1", "u2"], "mode": "flag", "cap": 9}
    assert script.only == SentRequest("POST", f"/v2/apps/{CHILD}/users/unread-counts", {}, body)


async def test_many_unread_counts_are_split_into_requests(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"counts": {"u0": 1}}), ok({"counts": {"u100": 2}}))
    assert await script.client.users.unread_counts(f"u{at}" for at in range(101)) == {"u0": 1, "u100": 2}
    assert [len(asked.body["userIds"]) for asked in script.sent] == [100, 1]


@pytest.mark.parametrize("data", [None, 3, {}, {"results": "x"}, {"ok": True}])
async def test_unread_counts_in_no_known_shape_are_lost(clock: FakeClock, data: Any) -> None:
    with pytest.raises(ReplyLostError, match="no counts"):
        await Scripted(clock, ok(data)).client.users.unread_counts("u1")


@pytest.mark.parametrize(("method", "word"), [("set_tags", "set"), ("add_tags", "add"), ("remove_tags", "delete")])
async def test_tags_go_out_by_record_id(clock: FakeClock, method: str, word: str) -> None:
    script = Scripted(clock, ok({"ok": True}))
    users = script.client.in_app(CHILD).users
    report = await getattr(users, method)([MongoId(RECORD), MongoId(OTHER_RECORD)], [" vip ", "eu", "vip"])
    body = {"usersIdList": [RECORD, OTHER_RECORD], "tagsList": ["vip", "eu"]}
    assert script.only == SentRequest("POST", f"/v1/users/tags-{word}/{CHILD}", {}, body)
    assert str(report) == "2 updated"
    await getattr(users, method)(MongoId(RECORD), "vip")
    assert script.sent[-1].body == {"usersIdList": [RECORD], "tagsList": ["vip"]}


async def test_own_ids_are_looked_up_for_tags_and_the_look_up_ends_when_all_are_found(clock: FakeClock) -> None:
    def page(*rows: tuple[str, str]) -> Any:
        items = [{"_id": record, "xmppUsername": f"{CHILD}_{id}"} for id, record in rows]
        return ok({"items": items, "total": 9})

    listed = page(("u0", "f" * 24)), page(("u2", OTHER_RECORD), ("u1", RECORD))
    script = Scripted(clock, *listed, ok({"ok": True}))
    await script.client.in_app(CHILD).users.add_tags(["u1", MongoId("e" * 24), f"{CHILD}_u2"], "vip")
    assert [(asked.method, asked.path) for asked in script.sent] == [
        ("GET", f"/v1/users/{CHILD}"),
        ("GET", f"/v1/users/{CHILD}"),
        ("POST", f"/v1/users/tags-add/{CHILD}"),
    ]
    assert script.sent[-1].body["usersIdList"] == [RECORD, "e" * 24, OTHER_RECORD]


async def test_tags_of_somebody_who_is_not_there_are_not_sent(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"items": [{"xmppUsername": f"{APP}_u1"}], "total": 1}))
    for id in ("u1", "u2"):  # the first is listed, without a record id
        with pytest.raises(NotFoundError, match=id):
            await script.client.users.set_tags(id, [])
    assert {asked.method for asked in script.sent} == {"GET"}


async def test_setting_no_tags_takes_all_away(clock: FakeClock) -> None:
    script = Scripted(clock, ok())
    await script.client.users.set_tags(MongoId(RECORD), ())
    assert script.only.body == {"usersIdList": [RECORD], "tagsList": []}


async def test_a_profile_is_changed_and_cleared(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"user": {}}))
    changed = await script.client.in_app(CHILD).users.update_profile(
        f"{CHILD}_u 1", first_name=" Ann ", description="", fields={"phone": None}
    )
    body = {"firstName": "Ann", "description": "", "phone": None}
    assert script.only == SentRequest("PUT", f"/v1/users/{CHILD}/u%201", {}, body)
    assert (changed.status, changed.key) == ("updated", "u 1")


async def test_an_export_is_handed_over_as_it_came(clock: FakeClock) -> None:
    table = "id,name\nu1,Zoë\n".encode()
    script = Scripted(clock, reply(200, table, **{"content-type": "text/csv"}))
    assert await script.client.in_app(CHILD).users.export() == table
    assert script.only == SentRequest("GET", f"/v1/users/export/{CHILD}")


async def test_users_are_imported_by_e_mail(clock: FakeClock) -> None:
    rows = [
        {"_id": OTHER_RECORD, "email": "B@example.com", "xmppUsername": f"{CHILD}_{OTHER_RECORD}"},
        {"_id": RECORD, "email": "a@example.com", "xmppUsername": f"{CHILD}_{RECORD}", "xmppPassword": "hidden-word"},
    ]
    script = Scripted(clock, ok({"ok": True, "results": rows}))
    run = script.client.in_app(CHILD).users.import_many([imported("a"), imported("b"), imported("c")])
    outcomes = [outcome async for outcome in run]
    assert script.only == SentRequest(
        "POST",
        f"/v1/users/create-many-with-app-id/{CHILD}",
        {},
        {
            "usersList": [
                {"email": f"{name}@example.com", "firstName": name, "lastName": "Lee"} for name in ("a", "b", "c")
            ]
        },
    )
    assert [(outcome.key, outcome.status) for outcome in outcomes] == [
        ("a@example.com", "created"),
        ("b@example.com", "created"),
        ("c@example.com", "unknown"),
    ]
    assert [outcome.value.id for outcome in outcomes[:2]] == [RECORD, OTHER_RECORD]
    assert "hidden-word" not in repr(outcomes[0].value.extra)


async def test_an_import_is_split_around_those_who_exist(clock: FakeClock) -> None:
    def serve(*names: str) -> Any:
        return ok({"results": [{"email": f"{name}@example.com", "_id": RECORD} for name in names]})

    refused = reply(422, TAKEN)
    script = Scripted(clock, refused, serve("a", "b"), refused, serve("d"))
    run = script.client.users.import_many([imported(name) for name in "abcd"])
    assert [(one.key[0], one.status) async for one in run] == [
        ("a", "created"),
        ("b", "created"),
        ("c", "existed"),
        ("d", "created"),
    ]
    assert [len(asked.body["usersList"]) for asked in script.sent] == [4, 2, 1, 1]


async def test_the_synchronous_batch_is_one_request_and_no_job(clock: FakeClock) -> None:
    row = {"_id": RECORD, "uuid": "u1", "xmppUsername": f"{APP}_u1", "xmppPassword": "canary-password-x"}
    script = Scripted(clock, ok({"ok": True, "results": [row]}))
    password = "canary-password-y"
    with Canary("canary-password-x", password) as canary:
        run = script.client.users.create_many([newcomer("u1", password=password)], synchronous=True)
        (outcome,) = [outcome async for outcome in run]
    canary.check(run, outcome, outcome.value, outcome.value.extra)
    user = {"uuid": "u1", "email": "u1@example.com", "firstName": "Ann", "lastName": "Lee", "password": password}
    body = {"bypassEmailConfirmation": True, "usersList": [user]}
    assert script.only == SentRequest("POST", "/v1/users/batch", {}, body)
    assert (outcome.status, outcome.value.record_id) == ("created", RECORD)


@pytest.mark.parametrize(("status", "data"), [(422, TAKEN), (409, {"error": "exists"}), (422, "User already exists")])
async def test_who_exists_is_looked_up_and_the_others_go_through(clock: FakeClock, status: int, data: Any) -> None:
    refused = reply(status, data)
    known = ok({"result": {"_id": RECORD, "xmppUsername": f"{APP}_old"}})
    made = ok({"results": [{"uuid": "new", "xmppUsername": f"{APP}_new"}]})
    script = Scripted(clock, refused, refused, known, made)
    run = script.client.users.create_many([newcomer("old"), newcomer("new")], synchronous=True)
    assert [(one.key, one.status) async for one in run] == [("old", "existed"), ("new", "created")]
    assert script.sent[2] == SentRequest("GET", "/v2/chats/users", {"xmppUsername": f"{APP}_old"})


async def test_an_e_mail_address_of_somebody_else_is_a_conflict_there_too(clock: FakeClock) -> None:
    script = Scripted(clock, reply(422, TAKEN), reply(404, {"code": "USER_NOT_FOUND"}))
    report = await script.client.users.create_many([newcomer("u1")], synchronous=True)
    (outcome,) = report.failures
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ConflictError)
    assert outcome.error.code == "USER_ALREADY_EXISTS"


async def test_a_look_up_that_fails_leaves_the_user_failed(clock: FakeClock) -> None:
    script = Scripted(clock, reply(422, TAKEN), reply(403, {"error": "Forbidden", "requestId": "r9"}))
    report = await script.client.users.create_many([newcomer("u1")], synchronous=True)
    assert (str(report), report.failures[0].error.request_id) == ("1 failed", "r9")  # type: ignore[union-attr]


async def test_the_synchronous_batch_is_for_the_own_app_only(clock: FakeClock) -> None:
    script = Scripted(clock, ok())
    with pytest.raises(InvalidInputError) as caught:
        await script.client.in_app(CHILD).users.create_many([newcomer("u1")], synchronous=True)
    assert caught.value.field == "synchronous"
    assert script.sent == []


async def test_a_users_form_of_id_decides_how_it_is_looked_up(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"result": {"_id": RECORD, "xmppUsername": f"{APP}_u1"}}))
    for id in ("u1", f"{APP}_u1", f"{APP}_{APP}_u1", f"{APP}_u1@xmpp.x.y", MongoId(RECORD)):
        assert (await script.client.users.get(id)).id == "u1"
    assert [asked.query for asked in script.sent] == [{"xmppUsername": f"{APP}_u1"}] * 4 + [{"userId": RECORD}]


async def test_another_apps_user_is_looked_up_by_the_prefixed_name(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"result": {"_id": RECORD, "xmppUsername": f"{CHILD}_u/1"}}))
    assert (await script.client.in_app(CHILD).users.get("u/1")).id == "u/1"
    assert script.only == SentRequest("GET", f"/v1/apps/users/{CHILD}_u%2F1")


async def test_another_apps_user_is_not_looked_up_by_a_record_id(clock: FakeClock) -> None:
    script = Scripted(clock, ok())
    with pytest.raises(InvalidInputError, match="MongoId") as caught:
        await script.client.in_app(CHILD).users.get(MongoId(RECORD))
    assert caught.value.field == "id"
    assert script.sent == []


async def test_another_apps_users_are_listed_by_its_own_route(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"items": [{"xmppUsername": f"{CHILD}_u1"}], "total": 1, "orderBy": "email"}))
    assert [user.id async for user in script.client.in_app(CHILD).users.list(limit=10)] == ["u1"]
    assert script.only == SentRequest("GET", f"/v1/users/{CHILD}", {"limit": "10", "offset": "0"})


async def test_the_members_of_another_apps_chat_come_from_its_listing(clock: FakeClock) -> None:
    members = [{"xmppUsername": f"{CHILD}_u{at}"} for at in range(3)]
    chats = [{"name": f"{CHILD}_c0"}, {"name": f"{CHILD}_c1", "usersCnt": 3, "members": members}]
    script = Scripted(clock, ok({"results": chats, "total": 2}))
    other = script.client.in_app(CHILD)
    assert [user.id async for user in other.users.list(chat="c1")] == ["u0", "u1", "u2"]
    query = {"limit": "500", "offset": "0", "includeMembers": "true"}
    assert script.only == SentRequest("GET", f"/v2/apps/{CHILD}/chats", query)
    assert [user.id async for user in other.chats.members("c1", limit=2)] == ["u0", "u1", "u2"]
    page = await other.chats.members("c1", limit=2, offset=1)
    assert ([user.id for user in page.items], page.total) == (["u1", "u2"], 3)
    with pytest.raises(NotFoundError, match="c9"):
        await other.chats.members("c9")


@pytest.mark.parametrize(
    "chat", [{}, {"members": [], "usersCnt": 31}, {"members": [{"xmppUsername": f"{CHILD}_u1"}], "usersCnt": 2}]
)
async def test_members_that_the_listing_cuts_off_are_never_passed_off_as_all(
    clock: FakeClock, chat: dict[str, Any]
) -> None:
    script = Scripted(clock, ok({"results": [{"name": f"{CHILD}_c1", **chat}], "total": 1}))
    with pytest.raises(ReplyLostError, match="members of 'c1'"):
        await script.client.in_app(CHILD).chats.members("c1")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.users.unread_counts([]), "ids"),
        (lambda client: client.users.unread_counts(""), "ids"),
        (lambda client: client.users.unread_counts("u1", mode="most"), "mode"),
        (lambda client: client.users.unread_counts("u1", cap=0), "cap"),
        (lambda client: client.users.set_tags([], "vip"), "ids"),
        (lambda client: client.users.set_tags("u1", ["vip", " "]), "tags"),
        (lambda client: client.users.add_tags("u1", []), "tags"),
        (lambda client: client.users.remove_tags("u1", [3]), "tags"),
        (lambda client: client.users.update_profile("u1"), "first_name"),
        (lambda client: client.users.update_profile("", first_name="A"), "id"),
    ],
)
async def test_unfit_arguments_are_refused_before_sending(
    clock: FakeClock, call: Callable[[EthoraClient], Awaitable[Any]], field: str
) -> None:
    script = Scripted(clock, ok())
    with pytest.raises(InvalidInputError) as caught:
        await call(script.client)
    assert caught.value.field == field
    assert script.sent == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"email": "no"}, "email"), ({"first_name": ""}, "first_name"), ({"last_name": " "}, "last_name")],
)
def test_a_row_to_import_is_checked(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        UserImport(**{"email": "a@example.com", "first_name": "A", "last_name": "B", **fields})
    assert caught.value.field == field


async def test_too_large_a_batch_is_refused_at_once(clock: FakeClock) -> None:
    with pytest.raises(InvalidInputError, match="batch_size"):
        Scripted(clock, ok()).client.users.import_many([], batch_size=101)


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (400, {"error": "Invalid token type", "code": "INVALID_TOKEN_TYPE", "requestId": "r1"}, UnauthorizedError),
        (404, {"error": "x", "code": "USER_NOT_FOUND", "requestId": "r1"}, NotFoundError),
        (422, {"error": "x", "code": "VALIDATION_ERROR", "requestId": "r1"}, ValidationFailedError),
    ],
)
async def test_a_users_route_refuses_with_a_type(
    clock: FakeClock, status: int, data: dict[str, Any], kind: type[ApiError]
) -> None:
    script = Scripted(clock, reply(status, data))
    users = script.client.users
    for call in (
        users.set_tags(MongoId(RECORD), "vip"),
        users.update_profile("u1", first_name="A"),
        users.export(),
        users.unread_counts("u1"),
    ):
        with pytest.raises(kind) as caught:
            await call
        assert (caught.value.code, caught.value.request_id) == (data["code"], "r1")
    with suppress(UnauthorizedError):  # which ends a run
        report = await users.import_many([imported("a")])
        assert isinstance(report.failures[0].error, kind)
