"""The server side of the chat page: who may use it, the tokens it returns, and the secrets it never shows."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest
from ui_helpers import Caller

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.tokens import peek

ROWS = [
    {"id": name, "email": f"{name}@example.com", "first_name": name.capitalize(), "last_name": "Byron"}
    for name in ("ada", "bob")
]
ASSETS = ("chat.js", "elements.js", "emoji.js", "room.js", "xmpp.js", "live.js", "chat.css", "live.css", "base.css")


@pytest.fixture
async def sandbox():
    async with EthoraSandbox(app_id="app_with_123", secret="canary-secret-of-the-app") as sandbox:
        await sandbox.seed_users(ROWS)
        yield sandbox


@pytest.fixture
def ask(sandbox: EthoraSandbox) -> Caller:
    return Caller(sandbox)


async def minted(sandbox: EthoraSandbox, user: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.console_url}chat-token", params={"user": user}) as reply,
    ):
        assert reply.status == 200
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in reply.headers
        token: str = (await reply.json())["token"]
        return token


async def exchanged(sandbox: EthoraSandbox, token: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}/v1/users/client", headers={"x-custom-token": token}) as reply,
    ):
        assert reply.status == 200
        user: dict[str, Any] = (await reply.json())["user"]
        return user


async def test_the_page_consists_of_files_of_the_package_alone(ask: Caller) -> None:
    status, text, headers = await ask("GET", "chat?user=app_with_123_ada")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert "style=" not in text
    assert re.findall(r"https?:", text) == []
    for name in ASSETS:
        status, text, headers = await ask("GET", name)
        assert (status, headers["Content-Type"].partition("/")[0]) == (200, "text")
        assert not re.search(r"innerHTML\s*=[^=]|insertAdjacentHTML|document\.write|eval\(", text)
        assert not [url for url in re.findall(r"https?://[^\s\"'`)]+", text) if "jabber.org" not in url]


async def test_the_page_of_two_users_frames_this_server_alone(ask: Caller) -> None:
    status, _, headers = await ask("GET", "live?user=app_with_123_ada&user=app_with_123_bob")
    assert status == 200
    assert "frame-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_a_token_of_the_user_is_made_for_the_page(sandbox: EthoraSandbox) -> None:
    token = await minted(sandbox, "app_with_123_ada")
    payload = peek(token)
    assert payload is not None
    assert payload["data"] == {"type": "client", "appId": "app_with_123", "userId": "ada"}
    assert payload["exp"] - payload["iat"] == 3600
    assert (await exchanged(sandbox, token))["xmppUsername"] == "app_with_123_ada"


async def test_the_tokens_are_those_of_the_back_end_once_it_says_so(sandbox: EthoraSandbox) -> None:
    async with EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client:
        made: list[str] = []

        async def mint(user: str) -> str:
            made.append((await client.tokens.for_user(user, ttl=60)).value)
            return made[-1]

        sandbox.mint_chat_tokens_with(mint)
        assert await minted(sandbox, "app_with_123_bob") == made[0]
        assert (await exchanged(sandbox, made[0]))["uuid"] == "bob"
        # Users of another app are not this back end's.
        child = sandbox.add_app("child", app_id="child1", parent=sandbox.app_id)
        await sandbox.seed_users(ROWS[:1], app_id=child.id)
        assert (await exchanged(sandbox, await minted(sandbox, "child1_ada")))["uuid"] == "ada"
        assert len(made) == 1
        sandbox.mint_chat_tokens_with(None)
        await minted(sandbox, "app_with_123_bob")
        assert len(made) == 1


async def test_a_new_secret_signs_the_next_token(sandbox: EthoraSandbox) -> None:
    sandbox.rotate_secret("another-secret-of-it", keep_previous=False)
    await exchanged(sandbox, await minted(sandbox, "app_with_123_ada"))


@pytest.mark.parametrize("user", ["", "ada", "app_with_123_nobody", "other_ada", "app_with_123_" + "x" * 2000, "é\x00"])
async def test_who_does_not_exist_has_no_chat(user: str, sandbox: EthoraSandbox) -> None:
    async with aiohttp.ClientSession() as session:
        for method, page in (("GET", "chat"), ("GET", "live"), ("POST", "chat-token")):
            async with session.request(method, f"{sandbox.console_url}{page}", params={"user": user}) as reply:
                assert reply.status == 404
                assert "no such user" in await reply.text()


async def test_other_pages_get_no_token(ask: Caller) -> None:
    path = "chat-token?user=app_with_123_ada"
    for headers in (
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        status, text, _ = await ask("POST", path, **headers)
        assert status == 403
        assert "eyJ" not in text
    for method, name in (("GET", path), ("POST", "chat?user=app_with_123_ada"), ("PUT", "chat.js"), ("DELETE", "live")):
        assert (await ask(method, name))[0] == 405


async def test_no_secret_and_no_token_is_in_the_page_or_in_what_is_logged(
    sandbox: EthoraSandbox, ask: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    token = await minted(sandbox, "app_with_123_ada")
    user = await exchanged(sandbox, token)
    _, page, _ = await ask("GET", "chat?user=app_with_123_ada")
    told = page + repr(await ask.state()) + repr(list(sandbox.requests)) + caplog.text + repr(sandbox)
    for secret in ("canary-secret-of-the-app", token, user["xmppPassword"]):
        assert secret not in told


def test_a_chat_of_nobody_has_no_address() -> None:
    with pytest.raises(ValueError, match="Name a user"):
        EthoraSandbox().chat_url()


async def test_addresses_carry_any_id(sandbox: EthoraSandbox) -> None:
    one = sandbox.chat_url("a.b-c", chat="order #1/é")
    assert one == f"{sandbox.url}/_sandbox/chat?user=app_with_123_a.b-c#room/app_with_123_order%20%231%2F%C3%A9"
    assert sandbox.chat_url("ada", "bob").endswith("/_sandbox/live?user=app_with_123_ada&user=app_with_123_bob")


async def test_without_the_page_there_is_no_chat() -> None:
    async with EthoraSandbox(ui=False) as sandbox:
        for path in ("chat", "chat-token", "live", "chat.js"):
            assert (await Caller(sandbox)("GET", path))[0] in (401, 404)
