"""The local ImbaChat: its requests to a site, and the tokens it accepts (docs/platforms/imbachat.md)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import logging
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from ethora_async import ImbaChatClient, UserInfo
from ethora_async.sandbox import ImbaChatSandbox
from ethora_async.sandbox.imbachat.asking import SiteError, basic
from ethora_async.sandbox.imbachat.tokens import TokenRefusedError, user_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ethora_async.testing.users import FakeClock

KEY = "unit-test-key-not-a-real-secret-0001"
VECTOR = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"
    ".eyJleHAiOjE3MDAwMDM2MDAsInVzZXJfaWQiOjF9"
    ".emPvL7ksZ5NeV7HrbU6TX9wPjxqdIsn232OZs8ouz5o"
)


def signed(claims: Any, header: Any = None, key: str = KEY) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header or {"typ": "JWT", "alg": "HS256"}, claims)
    ]
    mark = hmac.new(key.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(mark).rstrip(b"=").decode()])


@asynccontextmanager
async def site(answer: Callable[[web.BaseRequest], Any]) -> AsyncIterator[str]:
    """Run a web site that answers every request alike; yield its origin."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        given = answer(request)
        return await given if hasattr(given, "__await__") else given

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_the_contracts_vector_is_taken() -> None:
    assert user_of(VECTOR, KEY, 1_700_003_599.9) == 1


REFUSED: dict[str, tuple[str, str]] = {
    "ended": (VECTOR, "expired"),
    "another key": (signed({"exp": 1_800_000_000, "user_id": 1}, key="x"), "Secret key"),
    "none for an algorithm": (signed({"exp": 1_800_000_000, "user_id": 1}, {"alg": "none"}), "HS256"),
    "another algorithm": (signed({"exp": 1_800_000_000, "user_id": 1}, {"alg": "HS512"}), "HS256"),
    "no end": (signed({"user_id": 1}), "expired"),
    "an end as text": (signed({"exp": "1800000000", "user_id": 1}), "expired"),
    "no user": (signed({"exp": 1_800_000_000}), "no user"),
    "user 0": (signed({"exp": 1_800_000_000, "user_id": 0}), "no user"),
    "a user as text": (signed({"exp": 1_800_000_000, "user_id": "1"}), "no user"),
    "a flag for a user": (signed({"exp": 1_800_000_000, "user_id": True}), "no user"),
    "claims no object": (signed([1]), "not a JSON object"),
    "two parts": ("a.b", "three parts"),
    "nothing": ("", "three parts"),
    "too long": ("a" * 5000, "three parts"),
    "no base64": ("@.@.@", "base64url"),
    "padded": (f"{VECTOR}=", "base64url"),
    "not ASCII": ("é.é.é", "base64url"),
    "cut": (VECTOR[:-5], "Secret key"),
}


@pytest.mark.parametrize(("token", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_token_of_a_users_is_not(token: str, reason: str) -> None:
    with pytest.raises(TokenRefusedError, match=reason):
        user_of(token, KEY, 1_700_003_600.0)


async def people(ids: Sequence[int]) -> list[UserInfo]:
    return [UserInfo(user_id=id, name=f"Person {id}") for id in ids if id < 100]


async def search(term: str) -> list[UserInfo]:
    return [UserInfo(user_id=7, name="Person 7")] if term == "Person 7/%" else []


@asynccontextmanager
async def world(clock: FakeClock, **options: Any) -> AsyncIterator[tuple[ImbaChatSandbox, ImbaChatClient, str]]:
    """A sandbox, a client that has its settings, and a site that the client answers for."""
    async with ImbaChatSandbox(clock=clock.now) as sandbox:
        settings = {name.removeprefix("IMBACHAT_").lower(): value for name, value in sandbox.environment.items()}
        settings["secret"] = settings.pop("secret_key")
        imbachat = ImbaChatClient(**settings, clock=clock)  # type: ignore[arg-type]
        handler = imbachat.user_info(people, **options)

        async def answer(request: web.BaseRequest) -> web.Response:
            path, _, query = request.raw_path.partition("?")
            given = await handler.handle(request.method, path, query, request.headers)
            return web.Response(status=given.status, body=given.body, headers=given.headers)

        async with site(answer) as origin:
            yield sandbox, imbachat, origin


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("/?user_ids=", "as configured"),
        ("/index.php?route=x&ids=", "as configured"),
        ("/", "as configured"),
        ("/users/", "as configured"),
        ("/getusers", "path"),
        ("/", "user_ids"),
        ("/?route=x", "ids"),
    ],
)
async def test_it_asks_in_every_form_and_our_handler_understands_it(clock: FakeClock, url: str, form: Any) -> None:
    prefix = "/index.php" if "index" in url else ""
    async with world(clock, prefix=prefix) as (sandbox, _, origin):
        sandbox.users_info_url = origin + url
        assert await sandbox.ask_users_info([7, 1, 500], form=form) == [
            {"user_id": 7, "name": "Person 7"},
            {"user_id": 1, "name": "Person 1"},
        ]
        sandbox.api_login = sandbox.api_login.upper()
        assert len(await sandbox.ask_users_info([7], form=form)) == 1
        sandbox.api_password += "x"
        with pytest.raises(SiteError, match=re.escape('HTTP 401: {"code":401,"version":1,"error":"Au')):
            await sandbox.ask_users_info([7], form=form)


async def test_searches_in_both_forms(clock: FakeClock) -> None:
    async with world(clock, search=search) as (sandbox, _, origin):
        sandbox.users_info_url = origin + "/?user_ids="
        for form in ("search", "searchusers"):
            assert await sandbox.search("Person 7/%", form=form) == [{"name": "Person 7", "user_id": 7}]
            assert await sandbox.search("nobody", form=form) == []
    async with world(clock) as (sandbox, _, origin):
        sandbox.users_info_url = origin
        for form in ("search", "searchusers"):
            with pytest.raises(SiteError, match="404"):
                await sandbox.search("x", form=form)


async def test_users_log_in_with_our_tokens_and_their_names_are_looked_up(clock: FakeClock) -> None:
    async with world(clock) as (sandbox, imbachat, origin):
        token = await imbachat.tokens.for_user(7)
        assert (await sandbox.log_in(token.value)).name == ""  # nobody to ask
        sandbox.users_info_url = origin + "/?user_ids="
        assert (await sandbox.log_in(token.value)).name == "Person 7"
        stranger = await imbachat.tokens.for_user(500)
        assert (await sandbox.log_in(stranger.value)).name == ""
        assert set(sandbox.online) == {7, 500}
        clock.advance(3600)
        with pytest.raises(PermissionError, match="expired"):
            await sandbox.log_in(token.value)


async def post(url: str, body: bytes) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, data=io.BytesIO(body)) as reply:
        return reply.status, await reply.json()


async def test_the_widgets_script_and_its_log_in(clock: FakeClock) -> None:
    async with world(clock) as (sandbox, imbachat, origin):
        sandbox.users_info_url = origin + "/users/"
        html = await imbachat.widget_snippet(await imbachat.tokens.for_user(7))
        url = html.split('src="')[1].split('"')[0]
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            script = await reply.text()
            assert (reply.status, reply.content_type) == (200, "text/javascript")
        assert "window.ImbaChat" in script
        parameters = html.split("window.ImbaChat.load(")[1].removesuffix(")})()</script>").encode()
        log_in = url.replace("/widget", "/login")
        assert await post(log_in, parameters) == (200, {"user_id": 7, "name": "Person 7"})
        assert await post(log_in, b"{}") == (200, {"user_id": None, "name": "guest"})
        assert (await post(log_in, b'{"token":"x.y.z"}'))[0] == 401
        assert (await post(log_in, b"nonsense"))[0] == 422
        assert (await post(log_in, b" " * (9 * 1024 * 1024)))[0] == 413
        assert (await post(f"{sandbox.url}/imbachat/v1/0/login", b"{}"))[0] == 404
        assert (set(sandbox.online), sandbox.guests) == ({7}, 1)
        sandbox.users_info_url = "http://127.0.0.1:1/"
        assert (await post(log_in, parameters))[0] == 502
        assert sandbox.requests[0].path.endswith("/widget")


BAD_ANSWERS: dict[str, tuple[web.Response, str]] = {
    "no JSON": (web.Response(body=b"<html>"), "no.* JSON array|not answer with a JSON array"),
    "no array": (web.json_response({"user_id": 1, "name": "x"}), "JSON array"),
    "no name": (web.json_response([{"user_id": 1}]), "User 0"),
    "an empty name": (web.json_response([{"user_id": 1, "name": "a"}, {"user_id": 2, "name": ""}]), "User 1"),
    "no id": (web.json_response([{"name": "x"}]), "User 0"),
    "a flag for an id": (web.json_response([{"user_id": True, "name": "x"}]), "User 0"),
    "no object": (web.json_response(["x"]), "User 0"),
    "a redirect": (web.Response(status=302, headers={"Location": "/elsewhere"}), "HTTP 302"),
    "a failure": (web.Response(status=500, text="oops"), "HTTP 500: oops"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
async def test_a_site_that_answers_badly_is_told_how(case: str) -> None:
    given, reason = BAD_ANSWERS[case]

    def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=given.status, body=given.body, headers=given.headers)

    async with site(answer) as origin, ImbaChatSandbox(users_info_url=origin + "/?ids=") as sandbox:
        with pytest.raises(SiteError, match=reason):
            await sandbox.ask_users_info([1])


async def test_a_string_for_an_id_is_taken_and_no_site_is_told() -> None:
    async with site(lambda _: web.json_response([{"user_id": "1", "name": "x"}])) as origin:
        sandbox = ImbaChatSandbox(users_info_url=origin + "/?ids=")
        assert await sandbox.ask_users_info([1]) == [{"user_id": "1", "name": "x"}]
        sandbox.users_info_url = None
        with pytest.raises(RuntimeError, match="users_info_url"):
            await sandbox.ask_users_info([1])


async def test_faults_strike_the_widget(clock: FakeClock) -> None:
    async with ImbaChatSandbox(widget_id=5, clock=clock.now) as sandbox:
        sandbox.faults.load("POST /imbachat/v1/{dev_id}/login: status=503 times=1")
        url = f"{sandbox.url}/imbachat/v1/5/login"
        assert [(await post(url, b"{}"))[0] for _ in range(2)] == [503, 200]


def test_the_rfcs_examples_of_basic_authentication() -> None:
    assert basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic("test", "123£") == "Basic dGVzdDoxMjPCow=="


async def test_the_environment_is_what_the_client_reads(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    async with ImbaChatSandbox(clock=clock.now) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        async with ImbaChatClient.from_env(clock=clock) as imbachat:
            token = await imbachat.tokens.for_user(7)
            assert sandbox.url in await imbachat.widget_snippet(token)
        assert (await sandbox.log_in(token.value)).user_id == 7


async def test_no_secret_is_in_its_log_or_its_text(caplog: pytest.LogCaptureFixture, clock: FakeClock) -> None:
    caplog.set_level(logging.DEBUG, logger="ethora_async")
    async with world(clock) as (sandbox, imbachat, origin):
        token = await imbachat.tokens.for_user(7)
        body = json.dumps({"token": token.value}).encode()
        await post(f"{sandbox.url}/imbachat/v1/{sandbox.widget_id}/login", body)
        sandbox.users_info_url = origin.replace("http://127.0.0.1", "http://127.0.0.2") + "0/"
        with pytest.raises(SiteError) as caught:
            await sandbox.ask_users_info([7])
        shown = f"{caplog.text} {sandbox!r} {sandbox.requests} {caught.value} {caught.value.__context__!r}"
        assert "/login" in shown
        secrets = (token.value, sandbox.secret_key, sandbox.api_password)
        assert not any(secret in shown for secret in secrets)
