"""The local Avaya, checked by hand-made requests (docs/platforms/avaya.md#access-token, #generate-jwt, #errors)."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sandbox_avaya_parts import INTEGRATION, claims, generate, guest, send, token

from ethora_async.sandbox import AvayaSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[AvayaSandbox]:
    async with AvayaSandbox(account_id="ABCDEF", integration_id=INTEGRATION, clock=clock.now) as made:
        yield made


async def test_an_access_token_in_the_documented_form(sandbox: AvayaSandbox) -> None:
    status, body, headers = await token(sandbox)
    assert status == 200
    assert (body["expires_in"], body["token_type"]) == (900, "Bearer")
    assert len(body["access_token"]) > 40
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert (await token(sandbox))[1]["access_token"] != body["access_token"]


async def test_a_chat_token_of_four_parts_with_the_documented_claims(sandbox: AvayaSandbox, clock: FakeClock) -> None:
    status, body, _ = await generate(sandbox, guest(ttl=20))
    assert (status, list(body)) == (201, ["jwtToken"])
    parts = body["jwtToken"].split(".")
    assert (len(parts), parts[0]) == (4, "jwt")
    assert claims(body["jwtToken"], 1) == {"alg": "RS256"}
    told = claims(body["jwtToken"], 2)
    assert set(told) == {"iss", "sub", "integrationId", "exp", "jti"}
    assert told["exp"] == int(clock.now()) + 1200
    assert told["integrationId"] == INTEGRATION
    again = (await generate(sandbox, guest(ttl=20)))[1]["jwtToken"]
    assert claims(again, 2)["jti"] != told["jti"]


async def test_what_it_remembers_of_a_token(sandbox: AvayaSandbox, clock: FakeClock) -> None:
    identifiers = {"emailAddresses": ["ann@example.com"]}
    body = guest(verifiedCustomer=True, customerName="Ann", customerIdentifiers=identifiers)
    value = (await generate(sandbox, body))[1]["jwtToken"]
    (minted,) = sandbox.minted
    assert sandbox.log_in(value) is minted
    assert (minted.customer_id, minted.verified, minted.name, minted.ttl) == ("c1", True, "Ann", 15)
    assert minted.identifiers == identifiers
    assert value not in repr(minted)
    clock.advance(900)
    with pytest.raises(PermissionError, match="expired"):
        sandbox.log_in(value)
    with pytest.raises(PermissionError, match="changed"):
        sandbox.log_in(value.removeprefix("jwt."))


async def test_a_guests_identifiers_are_ignored(sandbox: AvayaSandbox) -> None:
    status, _, _ = await generate(sandbox, guest(customerIdentifiers={"emailAddresses": ["a@b.c"]}))
    assert (status, sandbox.minted[0].identifiers) == (201, None)


TOKEN_REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "no app key": ({"appkey": None}, 401),
    "another app key": ({"appkey": "x"}, 401),
    "another secret": ({"client_secret": "x"}, 401),
    "no secret": ({"client_secret": None}, 401),
    "another client": ({"client_id": "x"}, 401),
    "another grant": ({"grant_type": "password"}, 400),
    "no grant": ({"grant_type": None}, 400),
    "another account": ({"account": "ZZZZZZ"}, 404),
}


@pytest.mark.parametrize(("changes", "status"), TOKEN_REFUSALS.values(), ids=TOKEN_REFUSALS.keys())
async def test_what_the_token_endpoint_refuses(sandbox: AvayaSandbox, changes: dict[str, Any], status: int) -> None:
    given, body, headers = await token(sandbox, **changes)
    assert (given, body["status"]) == (status, status)
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert headers["content-type"] == "application/problem+json"
    assert ("[Appkey]" in body["detail"]) == ("appkey" in changes)


async def test_the_token_endpoint_takes_forms_alone(sandbox: AvayaSandbox) -> None:
    url = f"{sandbox.url}/api/auth/v1/ABCDEF/protocol/openid-connect/token"
    headers = {"appkey": sandbox.app_key, "Content-Type": "application/json"}
    status, _, _ = await send(url, b"{}", headers)
    assert status == 415


VIOLATIONS: dict[str, tuple[dict[str, Any], str, int]] = {
    "no integration": ({"integrationId": ...}, "integrationId", 20002),
    "null integration": ({"integrationId": None}, "integrationId", 20002),
    "no UUID": ({"integrationId": "x" * 36}, "integrationId", 20006),
    "no customer": ({"customerId": ...}, "customerId", 20002),
    "an empty customer": ({"customerId": ""}, "customerId", 20006),
    "a number for a customer": ({"customerId": 5}, "customerId", 20006),
    "a customer too long": ({"customerId": "x" * 257}, "customerId", 20006),
    "a name too long": ({"customerName": "x" * 71}, "customerName", 20006),
    "a flag as text": ({"verifiedCustomer": "true"}, "verifiedCustomer", 20006),
    "14 minutes": ({"ttl": 14}, "ttl", 20006),
    "61 minutes": ({"ttl": 61}, "ttl", 20006),
    "minutes as text": ({"ttl": "30"}, "ttl", 20006),
    "minutes as a flag": ({"ttl": True}, "ttl", 20006),
    "no identifiers": ({"customerIdentifiers": {}}, "customerIdentifiers", 20006),
    "11 names": ({"customerIdentifiers": {f"k{n}": ["v"] for n in range(11)}}, "customerIdentifiers", 20006),
    "a name of 51": ({"customerIdentifiers": {"k" * 51: ["v"]}}, "customerIdentifiers", 20006),
    "text for a list": ({"customerIdentifiers": {"k": "v"}}, "customerIdentifiers.k", 20006),
    "six values": ({"customerIdentifiers": {"k": list("abcdef")}}, "customerIdentifiers.k", 20006),
    "an empty value": ({"customerIdentifiers": {"k": [""]}}, "customerIdentifiers.k", 20006),
}


@pytest.mark.parametrize(("changes", "field", "code"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
async def test_every_constraint_of_the_contract(
    sandbox: AvayaSandbox, changes: dict[str, Any], field: str, code: int
) -> None:
    status, body, _ = await generate(sandbox, guest(**changes))
    assert status == 400
    assert [(one["field"], one["code"]) for one in body["violations"]] == [(field, code)]
    assert sandbox.minted == []


async def test_what_just_keeps_the_constraints_is_taken(sandbox: AvayaSandbox) -> None:
    fine = guest(
        integrationId=INTEGRATION.upper(),
        customerId="x" * 256,
        customerName="",
        verifiedCustomer=True,
        customerIdentifiers={f"{n}" + "k" * 49: ["v" * 256] * 5 for n in range(10)},
        ttl=60,
        unknown="passed over",
    )
    assert (await generate(sandbox, fine))[0] == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
async def test_a_malformed_payload(sandbox: AvayaSandbox, body: bytes) -> None:
    assert (await generate(sandbox, body))[0] == 400


async def test_both_401s_the_wrong_account_and_other_refusals(sandbox: AvayaSandbox, clock: FakeClock) -> None:
    status, body, _ = await generate(sandbox, guest(), appkey="x")
    assert (status, "[Appkey]" in body["detail"]) == (401, True)
    status, body, _ = await generate(sandbox, guest(), bearer="x")
    assert (status, "[Access-Token]" in body["detail"]) == (401, True)
    status, body, _ = await generate(sandbox, guest(), account="ZZZZZZ")
    assert (status, body["status"], "ZZZZZZ" in body["detail"]) == (400, "400", True)
    assert (await generate(sandbox, guest(), content_type="text/plain"))[0] == 415
    unknown = guest(integrationId="00000000-0000-4000-8000-000000000000")
    assert (await generate(sandbox, unknown))[0] == 400
    assert (await generate(sandbox, guest(integrationId=sandbox.add_integration())))[0] == 201
    assert (await send(f"{sandbox.url}/nowhere", b"", {}, "GET"))[0] == 404
    old = (await token(sandbox))[1]["access_token"]
    clock.advance(900)
    assert (await generate(sandbox, guest(), bearer=old))[0] == 401
    assert (await generate(sandbox, b"x" * (9 * 1024 * 1024)))[0] == 413


async def test_rotation_with_and_without_the_previous(sandbox: AvayaSandbox) -> None:
    first, key = sandbox.client_secret, sandbox.app_key
    sandbox.rotate_client_secret("second-secret", keep_previous=True)
    assert [(await token(sandbox, client_secret=one))[0] for one in (first, "second-secret")] == [200, 200]
    sandbox.rotate_client_secret("third-secret", keep_previous=False)
    assert [(await token(sandbox, client_secret=one))[0] for one in ("second-secret", "third-secret")] == [401, 200]
    sandbox.rotate_app_key("second-key", keep_previous=False)
    assert [(await token(sandbox, appkey=one))[0] for one in (key, "second-key")] == [401, 200]
    bearer = (await token(sandbox))[1]["access_token"]
    sandbox.revoke_access_tokens()
    assert (await generate(sandbox, guest(), bearer=bearer))[0] == 401


async def test_the_knobs_of_its_own(sandbox: AvayaSandbox, clock: FakeClock) -> None:
    sandbox.faults.oauth_errors = True
    status, body, _ = await token(sandbox, client_secret="x")
    assert (status, body["error"]) == (401, "invalid_client")
    sandbox.faults.unstated_lifetime = True
    assert "expires_in" not in (await token(sandbox))[1]
    sandbox.faults.bare_tokens = True
    sandbox.faults.token_shift = -700.0
    value = (await generate(sandbox, guest()))[1]["jwtToken"]
    assert value.count(".") == 2
    assert claims(value, 1)["exp"] == int(clock.now() + 200)


async def test_faults_speak_avayas_language_unless_told_otherwise(sandbox: AvayaSandbox) -> None:
    sandbox.faults.load("POST /api/digital/chat/v1/accounts/{accountId}/tokens: status=429 retry_after=7 times=1")
    status, body, headers = await generate(sandbox, guest())
    assert (status, body["status"], body["title"]) == (429, 429, "Too Many Requests")
    assert (headers["content-type"], headers["retry-after"]) == ("application/problem+json", "7")
    sandbox.faults.fail(status=500, body={"title": "Mine"}, content_type="application/json")
    status, body, headers = await token(sandbox)
    assert (status, body, headers["content-type"]) == (500, {"title": "Mine"}, "application/json")
    assert (await generate(sandbox, guest()))[0] == 201


async def test_state_outlasts_an_outage_and_a_restart(sandbox: AvayaSandbox) -> None:
    value = (await generate(sandbox, guest()))[1]["jwtToken"]
    url = sandbox.url
    await sandbox.aclose()
    await sandbox.start()
    assert (sandbox.url, sandbox.log_in(value).customer_id) == (url, "c1")


async def test_many_at_once_each_get_a_token_of_their_own(sandbox: AvayaSandbox) -> None:
    replies = await asyncio.gather(*(generate(sandbox, guest(customerId=str(n))) for n in range(25)))
    assert len({body["jwtToken"] for _, body, _ in replies}) == 25
    assert {one.customer_id for one in sandbox.minted} == {str(n) for n in range(25)}


async def test_no_secret_is_in_its_log_or_its_text(sandbox: AvayaSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    value = (await generate(sandbox, guest()))[1]["jwtToken"]
    shown = f"{caplog.text} {sandbox!r} {vars(sandbox)!r} {sandbox.requests}"
    assert "/protocol/openid-connect/token" in shown
    assert not any(secret in shown for secret in (value, sandbox.client_secret, sandbox.app_key))
    assert sandbox.environment["AVAYA_CLIENT_SECRET"] == sandbox.client_secret


def test_it_needs_nothing_of_the_clients() -> None:
    script = (
        "import sys; from ethora_async.sandbox import AvayaSandbox; print(*[m for m in sys.modules if 'ethora' in m])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    closed = ("ethora_async.platforms", "ethora_async.engine", "ethora_async.tokens", "ethora_async.transport")
    assert "ethora_async.sandbox.avaya.server" in ran.stdout
    assert not any(module.startswith(closed) for module in ran.stdout.split())
