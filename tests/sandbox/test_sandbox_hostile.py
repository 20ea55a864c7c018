"""Absurd input gets a clear 4xx, never a 500, and changes nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_helpers import APP, SECRET, Api, client_token, row, server_token

from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.gateway import TABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JSON_HEADERS = {"Content-Type": "application/json", "x-custom-token": server_token()}
BATCH = "/v2/users/batch"


@pytest.fixture
async def session(sandbox: EthoraSandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield session


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe\xfd",
        b'{"usersList": "\xff"}',
        b'{"usersList": "\\ud800"}',
        b"[" * 200_000,
        b'{"usersList": [NaN]}',
        b"{'a': 1}",
    ],
)
async def test_a_body_that_is_no_json_is_a_bad_request(body: bytes, session: aiohttp.ClientSession) -> None:
    async with session.post(BATCH, data=body, headers=JSON_HEADERS) as reply:
        assert reply.status == 400
        assert (await reply.json())["success"] is False


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true", b"1e999"])
async def test_json_that_is_no_object_is_invalid(body: bytes, session: aiohttp.ClientSession) -> None:
    async with session.post(BATCH, data=body, headers=JSON_HEADERS) as reply:
        assert reply.status in (400, 422)
        assert "error" in await reply.json()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_not_read(kind: str, session: aiohttp.ClientSession) -> None:
    headers = {**JSON_HEADERS, "Content-Type": kind}
    async with session.post(BATCH, data=b'{"usersList": []}', headers=headers) as reply:
        assert (reply.status, (await reply.json())["error"]) == (422, '"usersList" is required')


async def test_a_body_that_is_too_large_is_413(session: aiohttp.ClientSession) -> None:
    big = b'{"usersList": ["' + b"x" * (9 * 1024 * 1024) + b'"]}'
    async with session.post(BATCH, data=io.BytesIO(big), headers=JSON_HEADERS) as reply:
        assert (reply.status, (await reply.json())["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_hundred_users_with_long_values_fit(api: Api) -> None:
    rows = [row(f"u{index}", firstName="A" * 9_000) for index in range(100)]
    assert (await api("POST", BATCH, {"usersList": rows})).status == 202


async def test_text_of_any_kind_survives(api: Api) -> None:
    name = "O'Brien \x00 ܐ \U0001f600 \u202e"
    await api("POST", "/v1/users/batch", {"usersList": [row("ünïcode-日本", firstName=name, email="a@b.co")]})
    path = "/v1/apps/users/app123_%C3%BCn%C3%AFcode-%E6%97%A5%E6%9C%AC"
    assert (await api("GET", path)).body["result"]["firstName"] == name


ABSURD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["u1", "app123_u1", "app123_", "@", "app123_@x", "/", "c1", "public", "x@y.z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
KEYS = st.sampled_from(
    [
        *("usersList", "usersIdList", "users", "chatName", "members", "name", "title", "uuid", "type", "data"),
        *("email", "password", "appId", "refreshToken", "description", "picture", "chatJid", "firstName"),
        *("lastName", "xmppUsername", "profileImage", "profileImageFileIndex"),
    ]
)
BODIES = st.dictionaries(KEYS, ABSURD | st.lists(st.dictionaries(KEYS, ABSURD, max_size=6), max_size=3), max_size=6)
ASKED = ["limit", "offset", "includeMembers", "orderBy", "order", "userId", "chatName", "type", "domainName"]
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
QUERIES = st.dictionaries(st.sampled_from(ASKED), TEXT | st.integers().map(str), max_size=3)
CALLS = st.sampled_from([route for route in TABLE.routes if not route.path.endswith("logout")])
WORDS = st.sampled_from(["app123", "app123_u1", "u1", "c1", "%00", "%E2%80%AE", "x" * 300, "a%2Fb", "..", "-1"])


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_call_whatever_breaks_the_server(data: st.DataObject, api: Api, users_token: str) -> None:
    route = data.draw(CALLS)
    words = [data.draw(WORDS) if word.startswith("{") else word for word in route.path.split("/")]
    token = data.draw(st.sampled_from(["server", users_token, client_token("u1"), None]))
    query = data.draw(QUERIES)
    url = api._session._base_url.join(aiohttp.client.URL("/".join(words), encoded=True)).update_query(query)
    reply = await api(route.method, url, data.draw(BODIES | ABSURD), token=token)
    assert reply.status in (200, 201, 202, 400, 401, 403, 404, 422), reply


@pytest.fixture
async def users_token(api: Api) -> str:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1")
    return (await api.log_in("u1"))["token"]


async def test_another_sandbox_refuses_this_ones_tokens(api: Api) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    async with EthoraSandbox(app_id=APP, secret=SECRET) as other, aiohttp.ClientSession(other.url) as session:
        reply = await Api(session)("GET", "/v1/users/me", token=token)
    assert (reply.status, reply.body["error"]) == (401, "authorization token verify error")
