"""Tokens for others, their number and their life (docs/platforms/rocketchat.md#minting-tokens, #token-lifetime)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rocket_helpers import SECRET, Ddp, Rest, Who

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import RocketChatSandbox

DAY = 86_400.0
REFUSED = {"success": False, "error": "Not authorized [error-not-authorized]", "errorType": "error-not-authorized"}
SEVEN = pytest.mark.parametrize("options", [{"version": "7.13.7"}], ids=["7.13.7"])


def at(version: str, **more: Any) -> Any:
    return pytest.mark.parametrize("options", [{"version": version, **more}], ids=[version])


@SEVEN
@pytest.mark.parametrize("key", ["userId", "username", "user"])
async def test_7_takes_any_name_of_the_user(rest: Rest, key: str) -> None:
    ada = await rest.make_user("ada")
    reply = await rest.post("users.createToken", {key: ada["_id"] if key == "userId" else "ada"})
    assert reply.body["data"]["userId"] == ada["_id"]
    assert (await rest.get("me", who=Who(ada["_id"], reply.body["data"]["authToken"]))).body["username"] == "ada"


@SEVEN
async def test_7_refuses_what_it_cannot_find_and_who_may_not(rest: Rest) -> None:
    assert (await rest.post("users.createToken", {})).body["errorType"] == "error-user-param-not-provided"
    assert (await rest.post("users.createToken", {"userId": "x"})).body["errorType"] == "error-invalid-user"
    ada, bob = await rest.make_member("ada"), await rest.make_member("bob")
    assert (await rest.post("users.createToken", {"userId": bob.id}, who=ada)).body == REFUSED
    assert (await rest.post("users.createToken", {"userId": ada.id}, who=ada)).status == 200


@at("7.0", create_tokens=False)
async def test_7_needs_the_switch_in_its_environment(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    assert (await rest.post("users.createToken", {"userId": ada["_id"]})).body == REFUSED


@at("8.0.0")
async def test_8_takes_an_id_and_the_secret_and_nothing_else(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    for body in (
        {"userId": ada["_id"]},
        {"username": "ada", "secret": SECRET},
        {"userId": ada["_id"], "username": "ada", "secret": SECRET},
        {"userId": "", "secret": SECRET},
        {"userId": ada["_id"], "secret": ""},
    ):
        assert (await rest.post("users.createToken", body)).body["errorType"] == "invalid-params"
    assert (await rest.post("users.createToken", {"userId": ada["_id"], "secret": "wrong"})).body == REFUSED
    assert (await rest.post("users.createToken", {"userId": "x", "secret": SECRET})).body[
        "errorType"
    ] == "error-invalid-user"
    reply = await rest.post("users.createToken", {"userId": ada["_id"], "secret": SECRET})
    assert reply.body.keys() == {"data", "success"}
    assert reply.body["data"].keys() == {"userId", "authToken"}


@pytest.mark.parametrize(
    ("options", "status"), [({"version": "8.6"}, 200), ({"version": "8.7"}, 400)], ids=["8.6", "8.7"]
)
async def test_from_8_7_on_the_secret_alone_opens_only_ones_own_tokens(rest: Rest, status: int) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_user("bob")
    reply = await rest.post("users.createToken", {"userId": bob["_id"], "secret": SECRET}, who=ada)
    assert reply.status == status
    assert (await rest.post("users.createToken", {"userId": ada.id, "secret": SECRET}, who=ada)).status == 200


@at("8.0", create_tokens=False)
async def test_a_server_without_the_secret_refuses_the_same_way(rest: Rest) -> None:
    assert (await rest.post("users.createToken", {"userId": rest.admin.id, "secret": SECRET})).body == REFUSED


@at("7.13.7", fresh_user_bug=2)
async def test_the_first_tries_for_a_fresh_user_fail(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    body = {"userId": ada["_id"]}
    for _ in range(2):
        reply = await rest.post("users.createToken", body)
        assert reply.status == 400
        assert reply.body == {"success": False, "error": "Cannot read properties of undefined (reading 'tokens')"}
    assert (await rest.post("users.createToken", body)).status == 200
    # The failed try stored one as well.
    assert len(rest.sandbox.store.users.with_username("ada").tokens) == 2  # type: ignore[union-attr]


@at("7.13.7", fresh_user_bug=1)
async def test_who_logged_in_before_is_not_struck_by_that(rest: Rest) -> None:
    ada = await rest.make_user("ada")
    await rest.log_in("ada")
    assert (await rest.post("users.createToken", {"userId": ada["_id"]})).status == 200


@at("8.0", token_cap=3)
async def test_the_oldest_tokens_go_and_personal_ones_do_not_count(rest: Rest, clock: Clock) -> None:
    ada = await rest.make_member("ada")
    personal = Who(ada.id, rest.sandbox.add_personal_token("ada"))
    tokens = [ada]
    for _ in range(3):
        clock.now += 1
        tokens.append(await rest.make_token(ada.id))
    statuses = [(await rest.get("me", who=who)).status for who in (*tokens, personal)]
    assert statuses == [401, 200, 200, 200, 200]


def test_the_cap_is_fifty_unless_said_otherwise() -> None:
    from ethora_async.sandbox import RocketChatSandbox

    assert RocketChatSandbox()._platform.token_cap == 50


async def test_the_lifetime_is_a_public_setting(rest: Rest) -> None:
    reply = await rest.get("settings.public", who=None, _id="Accounts_LoginExpiration")
    assert reply.body["settings"] == [{"_id": "Accounts_LoginExpiration", "value": 90}]
    assert (reply.body["count"], reply.body["offset"], reply.body["total"]) == (1, 0, 1)
    both = await rest.get("settings.public", who=None, _id="Accounts_LoginExpiration,Site_Name")
    assert both.body["total"] == 2


@at("6.5")
async def test_before_7_settings_are_filtered_by_a_query_only(rest: Rest) -> None:
    everything = await rest.get("settings.public", who=None, _id="Accounts_LoginExpiration")
    assert everything.body["total"] > 5
    asked = await rest.get("settings.public", who=None, query='{"_id": "Accounts_LoginExpiration"}')
    assert [setting["value"] for setting in asked.body["settings"]] == [90]


async def test_rest_takes_an_expired_token_until_it_is_swept_and_ddp_tells_both_apart(rest: Rest, clock: Clock) -> None:
    clock.now -= clock.now % 600
    clock.now += 300
    ada = await rest.make_member("ada")
    clock.now += 90 * DAY
    assert (await rest.get("me", who=ada)).status == 200
    async with await Ddp.connect(rest) as ddp:
        error = (await ddp.call("login", {"resume": ada.token}))["error"]
        assert (error["error"], error["reason"]) == (403, "Your session has expired. Please log in again.")
        clock.now += 300
        error = (await ddp.call("login", {"resume": ada.token}))["error"]
        assert (error["error"], error["reason"]) == (403, "You've been logged out by the server. Please log in again.")
    assert (await rest.get("me", who=ada)).status == 401


async def test_a_new_lifetime_holds_for_old_tokens(rest: Rest, clock: Clock) -> None:
    ada = await rest.make_member("ada")
    clock.now += 2 * DAY
    assert (await rest.get("me", who=ada)).status == 200
    assert (await rest.post("settings/Accounts_LoginExpiration", {"value": 1})).status == 200
    clock.now += 600
    assert (await rest.get("me", who=ada)).status == 401
    assert (await rest.get("me")).status == 200  # a personal token never expires


@pytest.mark.parametrize("value", [0, -1, None, "soon", True])
def test_a_lifetime_without_sense_counts_as_ninety_days(sandbox: RocketChatSandbox, value: Any) -> None:
    sandbox.settings["Accounts_LoginExpiration"] = value
    assert sandbox.settings.token_lifetime == 90 * DAY


def test_a_setting_that_does_not_exist_is_an_error(sandbox: RocketChatSandbox) -> None:
    with pytest.raises(KeyError, match="no setting 'Typo'"):
        sandbox.settings["Typo"] = 1


async def test_logging_a_user_out_takes_personal_tokens_too(rest: Rest) -> None:
    ada = await rest.make_member("ada")
    personal = Who(ada.id, rest.sandbox.add_personal_token("ada"))
    reply = await rest.post("users.logout", {"userId": ada.id})
    assert reply.body == {"message": f"User {ada.id} has been logged out!", "success": True}
    assert [(await rest.get("me", who=who)).status for who in (ada, personal)] == [401, 401]
    assert (await rest.post("users.logout", {"userId": "nobody"})).body["errorType"] == "error-invalid-user-id"


async def test_a_logout_that_names_nobody_kills_the_caller(rest: Rest) -> None:
    assert (await rest.post("users.logout", {})).status == 200
    assert (await rest.get("me")).status == 401


@pytest.mark.parametrize(
    ("options", "word"), [({"version": "8.8"}, "unauthorized"), ({"version": "9.0"}, "forbidden")], ids=["8.8", "9.0"]
)
async def test_logging_others_out_needs_the_permission(rest: Rest, word: str) -> None:
    ada, bob = await rest.make_member("ada"), await rest.make_member("bob")
    reply = await rest.post("users.logout", {"userId": bob.id}, who=ada)
    assert (reply.status, reply.body) == (403, {"success": False, "error": word})


async def test_the_other_sessions_can_be_ended_and_tell_an_expiry(rest: Rest, clock: Clock) -> None:
    await rest.make_user("ada")
    one, other = await rest.log_in("ada"), await rest.log_in("ada")
    personal = Who(one.id, rest.sandbox.add_personal_token("ada"))
    reply = await rest.post("users.logoutOtherClients", who=one)
    assert (reply.body["token"], reply.body["tokenExpires"]) == (one.token, "2024-02-12T22:13:20.000Z")
    assert [(await rest.get("me", who=who)).status for who in (one, other, personal)] == [200, 401, 200]
    assert (await rest.post("users.logoutOtherClients", who=personal)).body["tokenExpires"] == ""
    assert (await rest.get("me", who=one)).status == 401
    last = await rest.log_in("ada")
    assert (await rest.post("users.removeOtherTokens", who=personal)).body == {"success": True}
    assert (await rest.get("me", who=last)).status == 401


async def test_personal_tokens_are_made_listed_renewed_and_removed(rest: Rest) -> None:
    ada = await rest.make_member("ada")
    body = {"tokenName": "ci"}
    made = (await rest.post("users.generatePersonalAccessToken", body, who=ada)).body["token"]
    assert (await rest.get("me", who=Who(ada.id, made))).status == 200
    again = await rest.post("users.generatePersonalAccessToken", body, who=ada)
    assert (again.status, again.body["errorType"]) == (400, "error-token-already-exists")
    (listed,) = (await rest.get("users.getPersonalAccessTokens", who=ada)).body["tokens"]
    assert (listed["name"], listed["bypassTwoFactor"]) == ("ci", False)
    renewed = (await rest.post("users.regeneratePersonalAccessToken", body, who=ada)).body["token"]
    assert [(await rest.get("me", who=Who(ada.id, text))).status for text in (made, renewed)] == [401, 200]
    assert (await rest.post("users.removePersonalAccessToken", body, who=ada)).body == {"success": True}
    assert (await rest.get("me", who=Who(ada.id, renewed))).status == 401
    gone = await rest.post("users.removePersonalAccessToken", body, who=ada)
    assert gone.body["errorType"] == "error-token-does-not-exists"
