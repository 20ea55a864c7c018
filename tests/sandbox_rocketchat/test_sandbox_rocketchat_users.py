"""Users, their errors, and pages (docs/platforms/rocketchat.md#error-replies, #users, #pages)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rocket_helpers import Rest

    from ethora_async.sandbox import RocketChatSandbox

NEW = {"username": "bob", "name": "Bob", "email": "bob@example.com", "password": "pw"}
FORBIDDEN = "User does not have the permissions required for this action [error-unauthorized]"


async def test_a_user_is_made_found_and_changed(rest: Rest) -> None:
    made = await rest.make_user("ada", roles=["user", "bot"], bio="Countess", customFields={"team": "x"})
    assert made["emails"] == [{"address": "ada@example.com", "verified": False}]
    assert (made["roles"], made["bio"], made["customFields"]) == (["user", "bot"], "Countess", {"team": "x"})
    for query in ({"userId": made["_id"]}, {"username": "ADA"}, {"email": "ada@example.com"}):
        assert (await rest.get("users.info", **query)).body["user"]["_id"] == made["_id"]
    body = {"userId": made["_id"], "data": {"name": "Augusta", "username": "augusta", "email": "a@b.c"}}
    reply = await rest.post("users.update", body)
    assert reply.body["user"]["name"] == "Augusta"
    assert (await rest.get("users.info", username="ada")).status == 400
    assert (await rest.get("users.info", username="augusta")).body["user"]["emails"][0]["address"] == "a@b.c"
    assert await rest.make_user("ada")


async def test_nobody_is_a_bad_request_without_a_code(rest: Rest) -> None:
    reply = await rest.get("users.info", username="nobody")
    assert (reply.status, reply.body) == (400, {"success": False, "error": "User not found."})


@pytest.mark.parametrize(("query"), [{}, {"username": "a", "userId": "b"}, {"username": "a", "page": "1"}])
async def test_a_user_is_named_in_exactly_one_way(rest: Rest, query: Any) -> None:
    reply = await rest.get("users.info", **query)
    assert (reply.status, reply.body["errorType"]) == (400, "error-invalid-params")


@pytest.mark.parametrize(
    ("options", "known"),
    [({"version": "8.3"}, 0), ({"version": "8.4"}, 1), ({"version": "8.5"}, 2)],
    ids=["8.3", "8.4", "8.5"],
)
async def test_further_ways_came_with_8_4_and_8_5(rest: Rest, known: int) -> None:
    await rest.make_user("ada", freeSwitchExtension="100")
    replies = [
        await rest.get("users.info", email="ada@example.com"),
        await rest.get("users.info", freeSwitchExtension="100"),
    ]
    assert [reply.status for reply in replies] == [200] * known + [400] * (2 - known)


async def test_rooms_come_along_when_asked_for(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    await rest.post("channels.create", {"name": "town", "members": ["ada"]})
    user = (await rest.get("users.info", userId=ada["_id"], includeUserRooms="true")).body["user"]
    assert [(room["name"], room["t"], room["roles"]) for room in user["rooms"]] == [
        ("general", "c", []),
        ("town", "c", []),
    ]
    assert "rooms" not in (await rest.get("users.info", userId=ada["_id"])).body["user"]


async def test_only_who_may_sees_the_private_fields(rest: Rest) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_user("bob")
    assert "emails" not in (await rest.get("users.info", userId=bob["_id"], who=ada)).body["user"]
    assert "emails" in (await rest.get("users.info", userId=ada.id, who=ada)).body["user"]
    seen = json.dumps((await rest.get("users.info", userId=ada.id)).body)
    assert "resume" not in seen
    assert ada.token not in seen


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "ADA"}, "error-field-unavailable"),
        ({"email": "Ada@Example.com"}, "error-field-unavailable"),
        ({"username": "b b"}, "error-input-is-not-a-valid-field"),
        ({"username": ""}, "error-the-field-is-required"),
        ({"email": "nowhere"}, "error-invalid-email"),
        ({"roles": ["king"]}, "error-action-not-allowed"),
        ({"nick": "x"}, "invalid-params"),
        ({"roles": None}, "invalid-params"),
        ({"password": 5}, "invalid-params"),
        ({"name": "<b>"}, None),
    ],
)
async def test_a_bad_user_is_refused_and_not_made(rest: Rest, change: Any, code: str | None) -> None:
    await rest.make_user("ada")
    reply = await rest.post("users.create", {**NEW, **change})
    assert (reply.status, reply.body["success"], reply.body.get("errorType")) == (400, False, code)
    assert len(rest.sandbox.store.users) == 2
    if code == "error-field-unavailable":
        value = next(iter(change.values()))
        assert reply.body["details"] == {"field": value if "username" in change else value.lower()}
        assert reply.body["error"].endswith("is already in use :( [error-field-unavailable]")


async def test_a_password_is_asked_for_even_when_a_random_one_is_set(rest: Rest) -> None:
    body = {key: value for key, value in NEW.items() if key != "password"}
    assert (await rest.post("users.create", {**body, "setRandomPassword": True})).status == 400
    assert (await rest.post("users.create", {**NEW, "setRandomPassword": True})).status == 200
    assert (await rest.post("login", {"user": "bob", "password": "pw"}, who=None)).status == 401
    (mail,) = rest.sandbox.outbox
    assert (mail.to, mail.kind) == ("bob@example.com", "password")
    await rest.log_in("bob", mail.value)


@pytest.mark.parametrize(
    ("options", "kinds"),
    [({"version": "7.13"}, ["invalid-params"] * 2), ({"version": "8.0"}, ["invalid-params", "error-invalid-params"])],
    ids=["7.13", "8.0"],
)
async def test_schema_failures_differ_for_body_query_and_generation(rest: Rest, kinds: list[str]) -> None:
    replies = [await rest.post("users.create", {}), await rest.get("users.info")]
    assert [reply.body["errorType"] for reply in replies] == kinds
    legacy = rest.sandbox.version.startswith("7")
    assert all(reply.body["error"].endswith(" [invalid-params]") is legacy for reply in replies)
    assert "\n" in replies[0].body["error"]


async def test_without_the_permission_nothing_goes(rest: Rest) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_user("bob")
    reply = await rest.post("users.create", {**NEW, "username": "x", "email": "x@y.z"}, who=ada)
    assert (reply.status, reply.body["errorType"]) == (400, "error-action-not-allowed")
    assert reply.body["details"] == {"method": "insertOrUpdateUser", "action": "Adding_user"}
    reply = await rest.post("users.delete", {"userId": bob["_id"]}, who=ada)
    assert (reply.status, reply.body) == (403, {"success": False, "error": FORBIDDEN})
    assert (
        await rest.post("users.setActiveStatus", {"userId": bob["_id"], "activeStatus": False}, who=ada)
    ).status == 403
    body = {"userId": bob["_id"], "data": {"name": "Eve"}}
    assert (await rest.post("users.update", body, who=ada)).body["errorType"] == "error-action-not-allowed"


async def test_an_update_makes_nobody(rest: Rest) -> None:
    reply = await rest.post("users.update", {"userId": "nobody", "data": {"name": "x"}})
    assert (reply.status, reply.body["errorType"]) == (400, "error-invalid-user")
    assert reply.body["error"] == "Invalid user [error-invalid-user]"


async def test_a_new_password_ends_the_old_sessions(rest: Rest) -> None:
    await rest.make_user("ada")
    ada = await rest.log_in("ada")
    assert (await rest.post("users.update", {"userId": ada.id, "data": {"password": "new"}})).status == 200
    assert (await rest.get("me", who=ada)).status == 401
    await rest.log_in("ada", "new")


async def test_pages_clamp_large_counts_and_tell_the_total(rest: Rest, sandbox: RocketChatSandbox) -> None:
    for number in range(119):
        sandbox.add_user(f"u{number:03}")
    default = (await rest.get("users.list")).body
    assert (len(default["users"]), default["count"], default["offset"], default["total"]) == (50, 50, 0, 120)
    clamped = (await rest.get("users.list", count=1000, offset=10)).body
    assert (len(clamped["users"]), clamped["count"], clamped["offset"]) == (100, 100, 10)
    assert len((await rest.get("users.list", count=0)).body["users"]) == 120
    sandbox.settings["API_Allow_Infinite_Count"] = False
    assert len((await rest.get("users.list", count=0)).body["users"]) == 50
    names = [user["username"] for user in (await rest.get("users.list", count=3)).body["users"]]
    assert names == ["admin", "u000", "u001"]
    last = (await rest.get("users.list", count=50, offset=115)).body
    assert (last["count"], last["total"]) == (5, 120)
    sort = json.dumps({"username": -1})
    assert (await rest.get("users.list", count=1, sort=sort)).body["users"][0]["username"] == "u118"
    assert (await rest.get("users.list", count="many")).body["errorType"] == "error-invalid-params"


async def test_a_sole_owner_is_deleted_only_when_confirmed(rest: Rest) -> None:
    ada = await rest.make_member("ada")
    await rest.make_user("bob")
    await rest.post("channels.create", {"name": "shared", "members": ["bob"]}, who=ada)
    alone = (await rest.post("groups.create", {"name": "alone"}, who=ada)).body["group"]
    direct = (await rest.post("im.create", {"username": "bob"}, who=ada)).body["room"]
    reply = await rest.post("users.delete", {"userId": ada.id})
    assert (reply.status, reply.body["error"], reply.body["errorType"]) == (400, "[user-last-owner]", "user-last-owner")
    assert reply.body["details"] == {"shouldChangeOwner": ["shared"], "shouldBeRemoved": ["alone"]}
    reply = await rest.post("users.delete", {"userId": ada.id, "confirmRelinquish": True})
    assert sorted(reply.body["deletedRooms"]) == sorted([alone["_id"], direct["_id"]])
    store = rest.sandbox.store
    assert store.rooms.with_name("alone") is None
    (owner,) = store.rooms.with_name("shared").owners()  # type: ignore[union-attr]
    assert owner.user.username == "bob"
    assert (await rest.get("me", who=ada)).status == 401


@pytest.mark.parametrize("options", [{"version": "6.0"}], ids=["6.0"])
async def test_older_servers_do_not_list_the_rooms_that_went(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    assert (await rest.post("users.delete", {"username": ada["username"]})).body == {"success": True}


async def test_switching_an_account_off_wipes_its_tokens(rest: Rest) -> None:
    ada = await rest.make_member("ada")
    reply = await rest.post("users.setActiveStatus", {"userId": ada.id, "activeStatus": False})
    assert reply.body["user"] == {"_id": ada.id, "active": False}
    assert (await rest.get("me", who=ada)).status == 401
    assert rest.sandbox.store.users.with_id(ada.id).tokens == []  # type: ignore[union-attr]


async def test_unknown_paths_and_methods_are_told_apart(rest: Rest) -> None:
    reply = await rest.get("users.nonsense")
    assert (reply.status, reply.body) == (404, {"success": False, "error": "Resource not found"})
    assert (await rest.get("users.create")).status == 405
    assert (await rest.get("/nowhere")).status == 404


async def test_settings_take_values_of_their_kind(rest: Rest) -> None:
    for body in ({"value": "ten"}, {"value": True}, {"value": None}, {}):
        assert (await rest.post("settings/API_Default_Count", body)).status == 400
    assert (await rest.post("settings/API_Default_Count", {"value": 1})).body == {"success": True}
    assert (await rest.get("users.list")).body["count"] == 1
    assert (await rest.get("settings/Nonsense")).status == 400
    assert (await rest.post("settings/UTF8_User_Names_Validation", {"value": "["})).status == 200
    assert await rest.make_user("ada")
    ada = await rest.log_in("ada")
    assert (await rest.get("settings/API_Default_Count", who=ada)).status == 403


async def test_the_version_is_told_in_short_to_strangers_and_whole_to_administrators(rest: Rest) -> None:
    short = (await rest.get("/api/info", who=None)).body
    assert (short["version"], short["success"], "info" in short) == ("8.8", True, False)
    whole = (await rest.get("/api/info")).body
    assert (whole["version"], whole["info"]["version"]) == ("8.8.1", "8.8.1")
    assert (await rest.get("/api/v1/info", who=None)).status == 404


@pytest.mark.parametrize(
    ("options", "told"), [({"version": "6.5"}, True), ({"version": "7.0"}, False)], ids=["6.5", "7.0"]
)
async def test_old_servers_hand_out_more_than_they_should(rest: Rest, told: bool) -> None:
    assert ("services" in await rest.make_user("ada")) is told


async def test_another_users_status_takes_a_permission(rest: Rest) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_member("bob")
    for named in ({"userId": bob.id}, {"username": "bob"}, {"user": "bob"}):
        refused = await rest.post("users.setStatus", {"status": "busy", "message": "mine", **named}, who=ada)
        assert refused.status == 403
        assert (await rest.post("users.setStatus", {"status": "away", **named})).status == 200
        assert (await rest.get("users.getStatus", username="bob")).body["status"] == "away"
        assert (await rest.get("users.getStatus", username="ada")).body.get("message") != "mine"
        await rest.post("users.setStatus", {"status": "online", "message": " x" * 100, **named}, who=bob)
        shown = (await rest.get("users.getStatus", username="bob")).body
        assert (shown["status"], len(shown["message"])) == ("online", 120)
    unknown = await rest.post("users.setStatus", {"status": "busy", "username": "nobody"})
    assert unknown.body["errorType"] == "error-invalid-user"
