"""Token checks (docs/platforms/ethora.md#tokens, #error-replies)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_helpers import APP, SECRET, Api, client_token, row, scoped, server_token, sign

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

SERVER_VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJkYXRhIjp7ImFwcElkIjoiYXBwMTIzIiwidHlwZSI6InNlcnZlciJ9LCJpYXQiOjE3MDAwMDAw"
    "MDB9.Aton2zgbIC6C8vViqQFEXNICDPVOPX4zCCapvCZxYuo"
)
CLIENT_VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJkYXRhIjp7InR5cGUiOiJjbGllbnQiLCJ1c2VySWQiOiIxMTExMTExMS0xMTExLTQxMTEtODEx"
    "MS0xMTExMTExMTExMTEiLCJhcHBJZCI6ImFwcDEyMyJ9LCJpYXQiOjE3MDAwMDAwMDB9.D4Z9QXY0yeC6Ir0cCfawK-SxeSSpZxCDrq8Xw137GME"
)
PROBE = ("GET", "/v2/chats/users")
DATA = {"appId": APP, "type": "server"}
VERIFY = (401, "authorization token verify error", None)
WRONG_TYPE = (400, "Invalid token type", "INVALID_TOKEN_TYPE")


def outcome(reply):
    return reply.status, reply.body.get("error"), reply.body.get("code")


async def test_the_vectors_of_the_contract_are_accepted(api: Api) -> None:
    assert (await api(*PROBE, token=SERVER_VECTOR)).status == 200
    await api.make_users("11111111-1111-4111-8111-111111111111")
    reply = await api("POST", "/v1/users/client", token=CLIENT_VECTOR)
    assert (reply.status, reply.body["user"]["uuid"]) == (200, "11111111-1111-4111-8111-111111111111")


@pytest.mark.parametrize("prefix", ["", "Bearer ", "JWT ", "Bearer JWT ", "bearer jwt "])
@pytest.mark.parametrize("header", ["Authorization", "x-custom-token"])
@pytest.mark.parametrize("key", [SECRET, scoped(SECRET, "server")], ids=["raw", "scoped"])
async def test_both_headers_prefixes_and_secrets_open_the_door(prefix, header, key, api: Api) -> None:
    reply = await api(*PROBE, token=None, headers={header: prefix + sign({"data": DATA}, key)})
    assert reply.status == 200


async def test_the_custom_header_comes_before_authorization(api: Api) -> None:
    reply = await api(*PROBE, token=server_token(), headers={"Authorization": "Bearer rubbish"})
    assert reply.status == 200


async def test_an_empty_custom_header_leaves_it_to_authorization(api: Api) -> None:
    headers = {"x-custom-token": "Bearer ", "Authorization": server_token()}
    assert (await api(*PROBE, token=None, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (sign({"data": DATA}, "wrong"), VERIFY),
        (sign({"data": DATA}, scoped(SECRET, "client")), VERIFY),
        (sign({"data": DATA}, scoped("other", "server")), VERIFY),
        (sign({"data": DATA}, SECRET, {"alg": "none"}), VERIFY),
        (sign({"data": DATA}, SECRET, {"alg": "HS512", "typ": "JWT"}), VERIFY),
        (sign({"data": DATA}, SECRET, {"alg": "HS256", "crit": ["x"], "x": 1}), VERIFY),
        (server_token()[:-2] + "xx", VERIFY),
        ("rubbish", VERIFY),
        ("a.b.c", VERIFY),
        (sign([1], SECRET), VERIFY),
        (sign({"data": {**DATA, "type": "admin"}}, SECRET), VERIFY),
        (sign({"data": {**DATA, "type": ["server"]}}, SECRET), VERIFY),
        (sign({"data": {"appId": APP, "userId": "u1"}}, scoped(SECRET, "client")), VERIFY),
        (sign({"data": {}}, SECRET), VERIFY),
        (sign({"appId": APP, "type": "server"}, SECRET), WRONG_TYPE),
        (sign({"data": "x"}, SECRET), WRONG_TYPE),
        (client_token("u1"), WRONG_TYPE),
        (server_token(app="nowhere"), (400, "App not found", "APP_NOT_FOUND")),
        (sign({"data": {"appId": [1], "type": "server"}}, SECRET), (400, "App not found", "APP_NOT_FOUND")),
    ],
)
async def test_a_token_that_does_not_fit_is_refused(token, expected, api: Api) -> None:
    assert outcome(await api(*PROBE, token=token)) == expected


async def test_a_server_token_does_not_open_user_routes(api: Api) -> None:
    assert outcome(await api("GET", "/v1/users/me")) == WRONG_TYPE
    assert outcome(await api("POST", "/v1/users/client")) == WRONG_TYPE


async def test_a_user_token_does_not_open_b2b_only_routes(api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    assert outcome(await api("GET", "/v1/apps/users", token=token)) == WRONG_TYPE


@pytest.mark.parametrize(("end", "status"), [(1, 200), (0, 401), (-1, 401)])
async def test_exp_is_checked_when_there_is_one(end: int, status: int, api: Api, clock: Clock) -> None:
    assert (await api(*PROBE, token=server_token(exp=clock.now + end))).status == status


@pytest.mark.parametrize("end", ["soon", None, True, [1]])
async def test_an_exp_that_is_no_number_is_refused(end, api: Api) -> None:
    assert outcome(await api(*PROBE, token=server_token(exp=end))) == VERIFY


async def test_memory_of_tokens_is_bounded_and_costs_no_correctness(
    api: Api, sandbox: EthoraSandbox, clock: Clock, monkeypatch
) -> None:
    monkeypatch.setattr("ethora_async.sandbox.ethora.tokens.REMEMBERED", 3)
    for second in range(10):
        assert (await api(*PROBE, token=server_token(iat=second))).status == 200
    assert len(sandbox.store.app(APP).keys._sets["server"]._passed) <= 3


async def test_a_token_that_passed_still_ends_at_its_exp(api: Api, clock: Clock) -> None:
    token = server_token(exp=clock.now + 60)
    assert (await api(*PROBE, token=token)).status == 200
    clock.now += 61
    assert (await api(*PROBE, token=token)).status == 401


async def test_a_rotation_that_keeps_the_old_secret_takes_both(api: Api, sandbox: EthoraSandbox) -> None:
    assert (await api(*PROBE)).status == 200
    sandbox.rotate_secret("new-secret", keep_previous=True)
    assert (await api(*PROBE)).status == 200
    assert (await api(*PROBE, token=server_token(secret="new-secret"))).status == 200
    assert sandbox.secret == "new-secret"


async def test_a_rotation_that_drops_the_old_secret_ends_its_tokens_at_once(api: Api, sandbox: EthoraSandbox) -> None:
    assert (await api(*PROBE)).status == 200
    sandbox.rotate_secret("new-secret", keep_previous=False)
    assert outcome(await api(*PROBE)) == VERIFY
    assert (await api(*PROBE, token=server_token(secret="new-secret"))).status == 200


async def test_a_parents_server_token_works_on_its_child_app_and_not_the_other_way_round(
    api: Api, sandbox: EthoraSandbox
) -> None:
    child = sandbox.add_app("shop", app_id="child1", secret="child-secret", parent=APP)
    other = sandbox.add_app("rival", app_id="other1", secret="other-secret", parent=None)
    childs = server_token(app="child1", secret="child-secret")
    path = "/v2/apps/{}/users/batch"
    body = {"usersList": [row("u1")]}
    assert (await api("POST", path.format("child1"), body)).status == 202
    assert (await api("POST", path.format("child1"), body, token=childs)).status == 202
    assert outcome(await api("POST", path.format(APP), body, token=childs)) == (403, "Forbidden", "FORBIDDEN")
    assert (await api("POST", path.format("other1"), body)).status == 403
    assert outcome(await api("POST", path.format("nowhere"), body)) == (404, "App not found", "APP_NOT_FOUND")
    assert child.users.find("u1") is not None
    assert other.users.find("u1") is None
    assert sandbox.store.app(APP).users.find("u1") is None


@pytest.mark.parametrize("options", [{"lenient": True}])
async def test_a_lenient_sandbox_takes_client_tokens_without_a_type(api: Api) -> None:
    await api.make_users("u1")
    token = sign({"data": {"appId": APP, "userId": "u1"}}, SECRET)
    assert (await api("POST", "/v1/users/client", token=token)).status == 200


FLAT = {"email": " U1@Example.com", "type": "client", "appId": APP}


@pytest.mark.parametrize("options", [{"legacy_tokens": True}])
async def test_the_flat_token_of_older_guides_works_behind_its_switch(api: Api) -> None:
    await api.make_users("u1")
    assert (await api("POST", "/v1/users/client", token=sign(FLAT, SECRET))).status == 200
    assert outcome(await api("POST", "/v1/users/client", token=sign(FLAT, "wrong"))) == VERIFY
    stranger = sign({**FLAT, "email": "nobody@example.com"}, SECRET)
    assert outcome(await api("POST", "/v1/users/client", token=stranger))[2] == "USER_NOT_FOUND"


async def test_the_flat_token_is_the_wrong_type_without_the_switch(api: Api) -> None:
    assert outcome(await api("POST", "/v1/users/client", token=sign(FLAT, SECRET))) == WRONG_TYPE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = st.dictionaries(st.sampled_from(["data", "exp", "iat", "email", "type", "appId"]), JSON, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(claims=CLAIMS, data=st.dictionaries(st.sampled_from(["appId", "type", "userId", "sessionId"]), JSON), nested=...)
async def test_no_claims_whatever_break_the_check(api: Api, claims, data, nested: bool) -> None:
    payload = {**claims, "data": data} if nested else claims
    for key in (SECRET, "wrong"):
        assert (await api(*PROBE, token=sign(payload, key))).status in (200, 400, 401)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=30), min_size=1, max_size=4))
async def test_no_rubbish_breaks_the_check(api: Api, parts) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
    assert (await api(*PROBE, token=token)).status == 401


async def test_a_token_of_bytes_that_are_no_text_is_refused(api: Api) -> None:
    assert outcome(await api(*PROBE, token="\udcff\udcfe.x.y")) == VERIFY


def test_the_signer_of_these_tests_writes_the_vectors_claims() -> None:
    payload = json.loads(base64.urlsafe_b64decode(SERVER_VECTOR.split(".")[1] + "=="))
    assert payload == {"data": DATA, "iat": 1_700_000_000}
