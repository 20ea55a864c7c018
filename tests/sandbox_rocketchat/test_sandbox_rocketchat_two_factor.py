"""The second factor, by authenticator, mail and password (docs/platforms/rocketchat.md#second-factor)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from rocket_helpers import ADMIN_PASSWORD, Ddp, Rest, Who

from ethora_async.sandbox.rocketchat.two_factor import totp

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import RocketChatSandbox


def ask(method: str, **more: Any) -> Any:
    return pytest.mark.parametrize("options", [{"two_factor": method, **more}], ids=[method])


def code(value: str, method: str) -> dict[str, str]:
    return {"X-2fa-code": value, "X-2fa-method": method}


async def change(rest: Rest, headers: dict[str, str] | None = None, *, who: Who | str = "admin") -> Any:
    body = {"userId": rest.admin.id, "data": {"name": "Changed"}}
    return await rest.post("users.update", body, headers=headers, who=who)


def test_the_codes_are_those_of_the_standard() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B, cut to six digits
    assert [totp(secret, now) for now in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


async def test_it_is_off_unless_asked_for(rest: Rest) -> None:
    assert (await change(rest)).status == 200


@ask("totp")
async def test_an_authenticator_is_asked_for_and_then_remembered(rest: Rest, clock: Clock) -> None:
    reply = await change(rest)
    assert (reply.status, reply.body["error"], reply.body["errorType"]) == (
        400,
        "TOTP Required [totp-required]",
        "totp-required",
    )
    assert reply.body["details"] == {"method": "totp", "codeGenerated": False, "availableMethods": ["totp"]}
    wrong = await change(rest, code("000000", "totp"))
    assert (wrong.body["error"], wrong.body["errorType"]) == ("TOTP Invalid [totp-invalid]", "totp-invalid")
    assert (await change(rest, code(rest.sandbox.totp_code(), "totp"))).status == 200
    clock.now += 1799
    assert (await change(rest)).status == 200
    clock.now += 1
    assert (await change(rest)).body["errorType"] == "totp-required"


@ask("totp")
async def test_the_memory_is_tied_to_user_agent_and_token(rest: Rest) -> None:
    assert (await change(rest, code(rest.sandbox.totp_code(), "totp"))).status == 200
    assert (await change(rest, {"User-Agent": "other"})).body["errorType"] == "totp-required"
    other = Who(rest.admin.id, rest.sandbox.add_personal_token("admin", "other"))
    assert (await change(rest, who=other)).body["errorType"] == "totp-required"
    excused = Who(rest.admin.id, rest.sandbox.add_personal_token("admin", "free", bypass_two_factor=True))
    assert (await change(rest, who=excused)).status == 200


@ask("email")
async def test_a_call_without_a_code_sends_the_mail(rest: Rest) -> None:
    reply = await change(rest)
    assert reply.body["details"] == {
        "method": "email",
        "codeGenerated": True,
        "availableMethods": ["email"],
        "codeExpires": "2023-11-14T23:13:20.000Z",
        "emailOrUsername": "admin",
    }
    again = await change(rest)
    assert again.body["details"]["codeGenerated"] is False
    (mail,) = rest.sandbox.outbox
    assert (mail.to, mail.kind) == ("admin@sandbox.localhost", "code")
    assert (await change(rest, code(mail.value, "email"))).status == 200


@ask("email", version="7.5")
async def test_older_servers_tell_a_list_of_expiries_and_a_count(rest: Rest) -> None:
    details = (await change(rest)).body["details"]
    assert (details["codeExpires"], details["codeCount"]) == (["2023-11-14T23:13:20.000Z"], 1)


@ask("email")
async def test_a_code_by_mail_is_used_up_and_grows_old(rest: Rest, clock: Clock) -> None:
    await change(rest)
    value = rest.sandbox.outbox[0].value
    clock.now += 3600
    assert (await change(rest, code(value, "email"))).body["errorType"] == "totp-invalid"
    await change(rest)
    fresh = rest.sandbox.outbox[1].value
    assert (await change(rest, code(fresh, "email"))).status == 200
    other = Who(rest.admin.id, rest.sandbox.add_personal_token("admin", "other"))
    assert (await change(rest, code(fresh, "email"), who=other)).body["errorType"] == "totp-invalid"


@ask("email")
async def test_the_mail_can_be_asked_for_again_and_hides_who_exists(rest: Rest) -> None:
    for name in ("admin", "admin@sandbox.localhost", "nobody"):
        reply = await rest.post("users.2fa.sendEmailCode", {"emailOrUsername": name}, who=None)
        assert reply.body == {"success": True}
    assert len(rest.sandbox.outbox) == 2
    assert (await change(rest, code(rest.sandbox.outbox[1].value, "email"))).status == 200


@ask("password")
async def test_the_password_is_the_last_resort_and_goes_hashed(rest: Rest) -> None:
    details = (await change(rest)).body["details"]
    assert details == {"method": "password", "codeGenerated": False, "availableMethods": []}
    assert (await change(rest, code(ADMIN_PASSWORD, "password"))).body["errorType"] == "totp-invalid"
    hashed = hashlib.sha256(ADMIN_PASSWORD.encode()).hexdigest()
    assert (await change(rest, code(hashed, "password"))).status == 200


@ask("password")
async def test_without_the_fallback_nothing_is_asked(rest: Rest, sandbox: RocketChatSandbox) -> None:
    sandbox.settings["Accounts_TwoFactorAuthentication_Enforce_Password_Fallback"] = False
    assert (await change(rest)).status == 200


@ask("password")
async def test_a_fresh_account_without_a_method_is_excused_for_a_while(rest: Rest, clock: Clock) -> None:
    await rest.make_user("eve", roles=["admin"])
    eve = await rest.log_in("eve")
    body = {"userId": eve.id, "data": {"name": "Eva"}}
    clock.now += 1799
    assert (await rest.post("users.update", body, who=eve)).status == 200
    clock.now += 1
    assert (await rest.post("users.update", body, who=eve)).body["errorType"] == "totp-required"


@ask("totp")
async def test_a_login_asks_for_it_as_well(rest: Rest, sandbox: RocketChatSandbox) -> None:
    body = {"user": "admin", "password": ADMIN_PASSWORD}
    reply = await rest.post("login", body, who=None)
    assert (reply.status, reply.body["error"], reply.body["details"]["method"]) == (401, "totp-required", "totp")
    wrong = await rest.post("login", {**body, "code": "000000"}, who=None)
    assert (wrong.status, wrong.body["error"]) == (401, "totp-invalid")
    assert (await rest.post("login", {**body, "code": sandbox.totp_code()}, who=None)).status == 200
    reply = await rest.post("login", body, who=None, headers=code(sandbox.totp_code(), "totp"))
    assert reply.status == 200


@ask("totp", version="9.0")
async def test_from_9_on_a_login_cannot_tell_a_missing_code_from_a_wrong_password(rest: Rest) -> None:
    reply = await rest.post("login", {"user": "admin", "password": ADMIN_PASSWORD}, who=None)
    assert (reply.status, reply.body) == (401, {"success": False, "error": "unauthorized"})


@ask("password")
async def test_the_password_is_no_second_factor_for_a_login(rest: Rest) -> None:
    await rest.log_in("admin", ADMIN_PASSWORD)


@ask("totp")
async def test_ddp_logins_wrap_the_code(rest: Rest, sandbox: RocketChatSandbox) -> None:
    digest = hashlib.sha256(ADMIN_PASSWORD.encode()).hexdigest()
    login = {"user": {"username": "admin"}, "password": {"digest": digest, "algorithm": "sha-256"}}
    async with await Ddp.connect(rest) as ddp:
        error = (await ddp.call("login", login))["error"]
        assert (error["error"], error["details"]["method"]) == ("totp-required", "totp")
        reply = await ddp.call("login", {"totp": {"login": login, "code": sandbox.totp_code()}})
        assert reply["result"]["type"] == "password"


@pytest.mark.parametrize(
    ("options", "status"),
    [({"two_factor": "totp"}, 200), ({"two_factor": "totp", "two_factor_creation": True}, 400)],
    ids=["without", "with"],
)
async def test_making_users_and_tokens_may_ask_for_it_too(rest: Rest, status: int) -> None:
    body = {"username": "ada", "name": "Ada", "email": "a@b.c", "password": "pw"}
    assert (await rest.post("users.create", body)).status == status
    token = {"userId": rest.admin.id, "secret": rest.sandbox.secret}
    assert (await rest.post("users.createToken", token)).status == status


@ask("totp")
async def test_settings_and_personal_tokens_ask_for_it(rest: Rest) -> None:
    for name, body in (
        ("settings/Site_Name", {"value": "x"}),
        ("users.generatePersonalAccessToken", {"tokenName": "x"}),
        ("users.regeneratePersonalAccessToken", {"tokenName": "tests"}),
        ("users.removePersonalAccessToken", {"tokenName": "tests"}),
        ("users.2fa.disableEmail", {}),
        ("users.resetTOTP", {"userId": rest.admin.id}),
    ):
        assert (await rest.post(name, body)).body["errorType"] == "totp-required", name
    assert (await rest.get("settings/Site_Name")).body["value"] == "Rocket.Chat"


@ask("totp")
async def test_an_authenticator_can_be_reset(rest: Rest, sandbox: RocketChatSandbox) -> None:
    headers = code(sandbox.totp_code(), "totp")
    assert (await rest.post("users.resetTOTP", {"userId": rest.admin.id}, headers=headers)).status == 200
    assert sandbox.totp_secret is None
    with pytest.raises(RuntimeError, match="no authenticator"):
        sandbox.totp_code()


@ask("totp")
async def test_the_environment_tells_the_secrets(sandbox: RocketChatSandbox) -> None:
    assert sandbox.environment["ROCKETCHAT_TOTP_SECRET"] == sandbox.totp_secret
    assert sandbox.environment["ROCKETCHAT_CREATE_TOKENS_SECRET"] == sandbox.secret


@ask("email")
async def test_email_can_be_switched_off_and_on(rest: Rest, sandbox: RocketChatSandbox) -> None:
    await change(rest)
    headers = code(sandbox.outbox[0].value, "email")
    assert (await rest.post("users.2fa.disableEmail", headers=headers)).status == 200
    assert sandbox.admin.email_two_factor is False
    assert (await rest.post("users.2fa.enableEmail")).status == 200
    assert sandbox.admin.email_two_factor is True


@ask("email")
async def test_five_wrong_codes_use_a_mail_up(rest: Rest, sandbox: RocketChatSandbox) -> None:
    await change(rest)
    for _ in range(5):
        assert (await change(rest, code("wrong", "email"))).body["errorType"] == "totp-invalid"
    value = sandbox.outbox[0].value
    reply = await change(rest, code(value, "email"))
    assert (reply.status, reply.body["errorType"], reply.body["details"]["method"]) == (
        400,
        "totp-max-attempts",
        "email",
    )
    await rest.post("users.2fa.sendEmailCode", {"emailOrUsername": "admin"}, who=None)
    assert (await change(rest, code(sandbox.outbox[1].value, "email"))).status == 200
