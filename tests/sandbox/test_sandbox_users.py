"""Creating, reading, changing and deleting users (docs/platforms/ethora.md#users, #names-and-ids)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_helpers import APP, Api, row

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

BATCH = "/v1/users/batch"


def users_of(sandbox: EthoraSandbox) -> list[str]:
    return [user.uuid for user in sandbox.store.app(APP).users if not user.platform_owned]


async def test_v1_creates_at_once_and_answers_with_full_records(api: Api, sandbox: EthoraSandbox) -> None:
    body = {"usersList": [row("u1", email=" ADA@Example.com ", password="pass1234")], "bypassEmailConfirmation": True}
    reply = await api("POST", BATCH, body)
    assert (reply.status, reply.body["ok"], reply.body["success"]) == (200, True, True)
    (user,) = reply.body["results"]
    assert user["xmppUsername"] == "app123_u1"
    assert user["email"] == "ada@example.com"
    assert user["emails"][0] == {
        "loginType": "email", "email": "ada@example.com", "verified": True, "_id": user["_id"],
    }  # fmt: skip
    assert len(user["_id"]) == 24
    assert user["xmppPassword"]
    assert user["createdAt"] == "2023-11-14T22:13:20.000Z"
    assert users_of(sandbox) == ["u1"]


async def test_a_user_without_uuid_is_named_by_its_record_id(api: Api) -> None:
    nameless = {key: value for key, value in row("u1").items() if key != "uuid"}
    (user,) = (await api("POST", BATCH, {"usersList": [nameless]})).body["results"]
    assert user["xmppUsername"] == f"app123_{user['_id']}"
    assert (await api("GET", f"/v2/chats/users?userId={user['_id']}")).body["result"]["_id"] == user["_id"]


@pytest.mark.parametrize("sent", ["u1", "app123_u1", "app123_app123_u1", "  u1 "])
async def test_a_uuid_comes_in_plain_or_prefixed_and_is_never_doubled(sent: str, api: Api) -> None:
    (user,) = (await api("POST", BATCH, {"usersList": [row(sent, email="a@example.com")]})).body["results"]
    assert (user["uuid"], user["xmppUsername"]) == ("u1", "app123_u1")


async def test_only_the_prefix_with_its_underscore_is_a_prefix(api: Api) -> None:
    (user,) = (await api("POST", BATCH, {"usersList": [row("app1234")]})).body["results"]
    assert user["xmppUsername"] == "app123_app1234"


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (row("u2", email="U1@example.com"), "email"),
        (row("app123_u1", email="other@example.com"), "uuid"),
    ],
)
async def test_v1_refuses_the_whole_batch_for_one_duplicate(
    second: dict, code: str, api: Api, sandbox: EthoraSandbox
) -> None:
    await api.make_users("u1")
    for rows in ([row("u0"), second], [row("u0"), row("u9"), {**second, "uuid": "u0", "email": "u9@example.com"}]):
        reply = await api("POST", BATCH, {"usersList": rows})
        assert (reply.status, reply.body["code"]) == (422, "USER_ALREADY_EXISTS")
        assert "already exists" in reply.body["error"]
        assert users_of(sandbox) == ["u1"]
    first = await api("POST", BATCH, {"usersList": [second]})
    assert code in first.body["error"]


async def test_the_same_email_and_uuid_are_free_in_another_app(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.add_app("shop", app_id="child1", secret="child-secret", parent=APP)
    await api.make_users("u1")
    await api("POST", "/v2/apps/child1/users/batch", {"usersList": [row("u1")]})
    assert sandbox.store.app("child1").users.find("u1") is not sandbox.store.app(APP).users.find("u1")


async def test_a_single_user_may_come_without_an_email(api: Api) -> None:
    reply = await api("POST", "/v1/users", {"uuid": "u1", "firstName": "Ada", "lastName": "Byron"})
    assert (reply.status, reply.body["user"]["xmppUsername"], reply.body["user"]["email"]) == (201, "app123_u1", None)
    again = await api("POST", "/v1/users", {"uuid": "u1", "firstName": "Ada", "lastName": "Byron"})
    assert (again.status, again.body["code"]) == (422, "USER_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lastName": ""}, '"lastName" is not allowed to be empty'),
        ({"lastName": "B"}, '"lastName" length must be at least 2 characters long'),
        ({"firstName": "李"}, '"firstName" length must be at least 2 characters long'),
        ({"firstName": 7}, '"firstName" must be a string'),
        ({"firstName": None}, '"firstName" must be a string'),
        ({"role": "admin"}, '"role" is not allowed'),
        ({"email": "nobody"}, '"email" must be a valid email'),
        ({"email": "a b@example.com"}, '"email" must be a valid email'),
        ({"password": "abc"}, '"password" length must be at least 4 characters long'),
        ({"uuid": ""}, '"uuid" is not allowed to be empty'),
        ({"uuid": "app123_"}, '"uuid" is not allowed to be empty'),
        ({"uuid": 5}, '"uuid" must be a string'),
        ({"uuid": "a@b"}, '"uuid" fails to match the required pattern'),
        ({"uuid": "a b"}, '"uuid" fails to match the required pattern'),
        ({"uuid": "a\x00b"}, '"uuid" fails to match the required pattern'),
        ({"profileImage": "not a url"}, '"profileImage" must be a valid uri'),
        (
            {"profileImage": "https://x.org/a.png", "profileImageFileIndex": 0},
            '"usersList[1]" contains a conflict between exclusive peers [profileImage, profileImageFileIndex]',
        ),
    ],
)
@pytest.mark.parametrize("path", [BATCH, "/v2/users/batch", "/v2/apps/app123/users/batch"])
async def test_one_bad_row_refuses_the_whole_batch(path, change, message, api: Api, sandbox: EthoraSandbox) -> None:
    reply = await api("POST", path, {"usersList": [row("u1"), row("u2", **change)]})
    assert (reply.status, reply.body["code"], reply.body["error"]) == (422, "VALIDATION_ERROR", message)
    assert reply.body["success"] is False
    assert users_of(sandbox) == []


@pytest.mark.parametrize(
    ("body", "message", "where"),
    [
        ({}, '"usersList" is required', "usersList"),
        ([], '"value" must be of type object', ""),
        ({"usersList": {}}, '"usersList" must be an array', "usersList"),
        ({"usersList": []}, '"usersList" must contain at least 1 items', "usersList"),
        ({"usersList": ["x"]}, '"usersList[0]" must be of type object', "usersList[0]"),
        ({"usersList": [row("u1"), {}]}, '"email" is required', "usersList[1].email"),
        ({"usersList": [row("u1")], "x": 1}, '"x" is not allowed', "x"),
        (
            {"usersList": [row("u1")], "bypassEmailConfirmation": "maybe"},
            '"bypassEmailConfirmation" must be a boolean',
            "bypassEmailConfirmation",
        ),
    ],
)
async def test_the_validator_speaks_like_joi_and_says_where(body, message, where, api: Api) -> None:
    reply = await api("POST", BATCH, body)
    assert (reply.status, reply.body["error"], reply.body["details"]["path"]) == (422, message, where)


@pytest.mark.parametrize(("count", "status"), [(100, 200), (101, 422)])
async def test_a_batch_holds_at_most_a_hundred(count: int, status: int, api: Api) -> None:
    reply = await api("POST", BATCH, {"usersList": [row(f"u{index}") for index in range(count)]})
    assert reply.status == status
    if status == 422:
        assert reply.body["error"] == '"usersList" must contain less than or equal to 100 items'


@pytest.mark.parametrize("options", [{"lenient": True}])
async def test_a_lenient_sandbox_takes_short_names_and_no_last_name(api: Api) -> None:
    short = {"uuid": "7", "email": "a@example.com", "firstName": "X"}
    (user,) = (await api("POST", BATCH, {"usersList": [short]})).body["results"]
    assert (user["firstName"], user["lastName"]) == ("X", "")
    refused = await api("POST", BATCH, {"usersList": [row("u2", lastName="")]})
    assert refused.body["error"] == '"lastName" is not allowed to be empty'


async def test_lengths_are_counted_as_javascript_does(api: Api) -> None:
    assert (await api("POST", BATCH, {"usersList": [row("u1", firstName="𠮷")]})).status == 200


# Reading


@pytest.mark.parametrize(
    "query",
    [
        "xmppUsername=app123_u1",
        "xmppUsername=u1",
        "xmppUsername=app123_app123_u1",
        "xmppUsername=app123_u1%40xmpp.localhost",
        "xmppUsername=app123_u1%40xmpp.localhost%2Fphone",
        "userId=u1",
        "userId=app123_u1",
    ],
)
async def test_one_user_is_found_by_any_form_of_id(query: str, api: Api) -> None:
    await api.make_users("u1", "u2")
    reply = await api("GET", f"/v2/chats/users?{query}")
    assert (reply.status, reply.body["success"], reply.body["result"]["xmppUsername"]) == (200, True, "app123_u1")
    assert {"_id", "firstName", "lastName", "email", "tags", "profileImage"} <= reply.body["result"].keys()


@pytest.mark.parametrize(
    "path",
    [
        "/v2/chats/users?xmppUsername=app123_nobody",
        "/v2/chats/users?userId=other_u1",
        "/v2/chats/users?userId=65f000000000000000000000",
        "/v1/apps/users/app1234_u1",
        "/v2/apps/app123/users/nobody/chats",
    ],
)
async def test_an_unknown_user_is_404(path: str, api: Api) -> None:
    await api.make_users("u1")
    reply = await api("GET", path)
    assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")


async def test_a_24_hex_uuid_is_the_callers_own_id(api: Api) -> None:
    own = "0123456789abcdef01234567"
    await api.make_users(own)
    reply = await api("GET", f"/v2/chats/users?userId={own}")
    assert reply.body["result"]["uuid"] == own
    assert reply.body["result"]["_id"] != own


async def test_the_list_holds_everyone_the_owner_account_included(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2", "u3")
    body = (await api("GET", "/v2/chats/users")).body
    names = [user["xmppUsername"] for user in body["items"]]
    assert names[0].startswith("app123_owner-")
    assert names[1:] == ["app123_u1", "app123_u2", "app123_u3"]
    assert body["users"] == body["items"] == body["results"]
    assert (body["total"], body["limit"], body["offset"]) == (4, 100, 0)
    assert [user.platform_owned for user in sandbox.store.app(APP).users] == [True, False, False, False]


async def test_pages_cover_the_list_once(api: Api) -> None:
    await api.make_users(*(f"u{index}" for index in range(9)))
    seen = []
    for offset in range(0, 12, 4):
        body = (await api("GET", f"/v2/chats/users?limit=4&offset={offset}")).body
        assert body["total"] == 10
        seen += [user["uuid"] for user in body["items"]]
    assert seen[1:] == [f"u{index}" for index in range(9)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=abc", '"limit" must be a number'),
        ("limit=", '"limit" must be a number'),
        ("limit=1.5", '"limit" must be an integer'),
        ("limit=0", '"limit" must be greater than or equal to 1'),
        ("limit=501", '"limit" must be less than or equal to 500'),
        ("limit=1&limit=2", '"limit" must be a number'),
        ("offset=-1", '"offset" must be greater than or equal to 0'),
        ("offset=1e30", '"offset" must be a safe number'),
        ("offset=1e9999", '"offset" must be a safe number'),
        ("offset=" + "9" * 5000, '"offset" must be a safe number'),
        ("userId=", '"userId" is not allowed to be empty'),
    ],
)
async def test_paging_is_validated(query: str, message: str, api: Api) -> None:
    reply = await api("GET", f"/v2/chats/users?{query}")
    assert (reply.status, reply.body["error"]) == (422, message)


async def test_unknown_query_keys_are_passed_over(api: Api) -> None:
    assert (await api("GET", "/v2/chats/users?page=3&pageSize=9")).status == 200


async def test_the_members_of_a_chat_are_listed(api: Api) -> None:
    await api.make_users("u1", "u2", "u3")
    await api.make_chat("c1", "u3", "u1")
    body = (await api("GET", "/v2/chats/users?chatName=app123_c1")).body
    assert ([user["uuid"] for user in body["items"]], body["total"]) == (["u3", "u1"], 2)
    assert (await api("GET", "/v2/chats/users?chatName=app123_c1&userId=u1")).status == 200
    assert (await api("GET", "/v2/chats/users?chatName=app123_c1&userId=u2")).body["code"] == "USER_NOT_FOUND"
    assert (await api("GET", "/v2/chats/users?chatName=nowhere")).body["code"] == "CHAT_NOT_FOUND"


async def test_the_v1_look_up_takes_an_encoded_jid(api: Api) -> None:
    await api.make_users("u1")
    result = (await api("GET", "/v1/apps/users/app123_u1%40xmpp.localhost")).body["result"]
    assert {"_id", "xmppUsername", "firstName", "lastName", "description"} <= result.keys()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "Zoe Amy Mia"),
        ("order=desc", "Mia Amy Zoe"),
        ("orderBy=firsName", "Amy Mia Zoe"),
        ("orderBy=firsName&order=desc", "Zoe Mia Amy"),
        ("orderBy=lastName", "Mia Zoe Amy"),
    ],
)
async def test_the_v1_list_is_ordered_and_paged(query: str, expected: str, api: Api) -> None:
    names = [("u1", "Zoe", "Bb"), ("u2", "Amy", "Cc"), ("u3", "Mia", "Aa")]
    await api("POST", BATCH, {"usersList": [row(uuid, firstName=a, lastName=b) for uuid, a, b in names]})
    whole = (await api("GET", f"/v1/apps/users/?{query}")).body
    assert " ".join(user["firstName"] for user in whole["items"] if user["firstName"] != "Platform") == expected
    paged = []
    for offset in range(whole["total"] + 1):
        paged += (await api("GET", f"/v1/apps/users/?{query}&limit=1&offset={offset}")).body["items"]
    assert paged == whole["items"]


async def test_an_order_by_name_follows_changes(api: Api) -> None:
    await api.make_users("u1", "u2")
    path = "/v1/apps/users/?orderBy=lastName&limit=1"
    await api("GET", path)
    await api("PATCH", "/v2/chats/users", {"users": [{"xmppUsername": "u2", "lastName": "Aaa"}]})
    assert (await api("GET", path)).body["items"][0]["uuid"] == "u2"


# Changing


@pytest.mark.parametrize("path", ["/v2/chats/users", "/v2/apps/app123/chats/users", "/v1/chats/users"])
async def test_changes_are_answered_row_by_row(path: str, api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    await api.make_users("u1", "u2")
    clock.now += 60
    rows = [
        {"xmppUsername": "app123_app123_u1", "uuid": "app123_u1", "firstName": "Grace", "profileImage": ""},
        {"xmppUsername": "app123_nobody", "firstName": "Grace"},
        {"xmppUsername": "u2"},
    ]
    reply = await api("PATCH", path, {"users": rows})
    statuses = [(result["xmppUsername"], result["status"]) for result in reply.body["results"]]
    assert statuses == [("app123_u1", "updated"), ("app123_nobody", "not-found"), ("app123_u2", "skipped")]
    assert reply.body["results"][0]["user"]["xmppUsername"] == "app123_u1"
    user = sandbox.store.app(APP).users.find("u1")
    assert (user.first_name, user.last_name, user.profile_image) == ("Grace", "Byron", "")
    assert (user.updated_at, user.created_at) == (clock.now, clock.now - 60)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"email": "a@example.com"}, '"email" is not allowed'),
        ({"userId": "u1"}, '"userId" is not allowed'),
        ({"firstName": ""}, '"firstName" is not allowed to be empty'),
        ({"xmppUsername": ""}, '"xmppUsername" is not allowed to be empty'),
    ],
)
async def test_changes_are_validated(change: dict, message: str, api: Api) -> None:
    reply = await api("PATCH", "/v2/chats/users", {"users": [{"xmppUsername": "app123_u1", **change}]})
    assert (reply.status, reply.body["error"]) == (422, message)


async def test_a_change_has_one_to_a_hundred_rows(api: Api) -> None:
    rows = [{"xmppUsername": f"u{index}"} for index in range(101)]
    assert (await api("PATCH", "/v2/chats/users", {"users": rows})).status == 422
    assert (await api("PATCH", "/v2/chats/users", {"users": []})).status == 422
    assert (await api("PATCH", "/v2/chats/users", {"users": rows[:100]})).status == 200


# Deleting


@pytest.mark.parametrize("path", [BATCH, "/v2/apps/app123/users/batch"])
async def test_deletion_takes_any_form_of_id(path: str, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2", "u3", "u4")
    record_id = sandbox.store.app(APP).users.find("u3").id
    ids = ["u1", "app123_app123_u2", record_id, "u1"]
    reply = await api("DELETE", path, {"usersIdList": ids})
    assert (reply.status, reply.body["ok"]) == (200, True)
    assert users_of(sandbox) == ["u4"]


async def test_deletion_is_all_or_nothing(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2")
    reply = await api("DELETE", BATCH, {"usersIdList": ["u1", "nobody", "u2"]})
    assert (reply.status, reply.body["code"]) == (404, "USER_NOT_FOUND")
    assert users_of(sandbox) == ["u1", "u2"]


@pytest.mark.parametrize("ids", [[], [""], [7], None, "u1"])
async def test_a_deletion_is_validated(ids, api: Api) -> None:
    assert (await api("DELETE", BATCH, {"usersIdList": ids})).status == 422


async def test_a_deleted_user_leaves_every_chat_and_frees_email_and_uuid(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1", "u2")
    await api("DELETE", BATCH, {"usersIdList": ["u1"]})
    assert [user.uuid for user in sandbox.store.app(APP).chats.find("c1").members] == ["u2"]
    await api.make_users("u1")
    assert len(sandbox.store.app(APP).users.find("u1").chats) == 0


async def test_the_owner_account_cannot_be_deleted(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    owner = next(user for user in sandbox.store.app(APP).users if user.platform_owned)
    reply = await api("DELETE", BATCH, {"usersIdList": ["u1", owner.uuid]})
    assert (reply.status, reply.body["error"]) == (403, "Forbidden")
    assert users_of(sandbox) == ["u1"]


@pytest.mark.parametrize("options", [{"legacy_errors": True}])
async def test_the_legacy_switch_answers_v1_deletions_with_bare_text(api: Api) -> None:
    reply = await api("DELETE", BATCH, {"usersIdList": ["nobody"]})
    assert (reply.status, reply.body) == (422, "Users not found")
    assert reply.headers["Content-Type"].startswith("text/plain")
    newer = await api("DELETE", "/v2/apps/app123/users/batch", {"usersIdList": ["nobody"]})
    assert (newer.status, newer.body["code"]) == (404, "USER_NOT_FOUND")


async def test_users_without_admin_rights_do_not_administrate(api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    for method, path, body in (
        ("POST", BATCH, {"usersList": [row("u2")]}),
        ("DELETE", BATCH, {"usersIdList": ["u1"]}),
        ("PATCH", "/v2/chats/users", {"users": [{"xmppUsername": "u1"}]}),
        ("GET", "/v2/apps/app123/chats", None),
    ):
        assert (await api(method, path, body, token=token)).status == 403
    assert (await api("GET", "/v2/chats/users?userId=u1", token=token)).status == 200
