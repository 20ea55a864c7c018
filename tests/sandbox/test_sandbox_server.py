"""The server itself: lifecycle, log output, and secrets that it never shows."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aiohttp
import pytest
from sandbox_helpers import APP, SECRET, Api, client_token, row, server_token

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CANARY = "canary-7f3a9"


@pytest.fixture
async def plain() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox() as sandbox:
        yield sandbox


async def test_a_sandbox_makes_what_it_is_not_given(plain: EthoraSandbox) -> None:
    assert len(plain.app_id) == 24
    assert len(plain.secret) == 64
    assert plain.environment == {
        "ETHORA_CHAT_API_URL": plain.url,
        "ETHORA_CHAT_APP_ID": plain.app_id,
        "ETHORA_CHAT_APP_SECRET": plain.secret,
    }
    other = EthoraSandbox()
    assert (other.secret, other.app_id, other.admin_password) != (plain.secret, plain.app_id, plain.admin_password)


async def test_the_url_is_known_once_it_listens() -> None:
    sandbox = EthoraSandbox()
    with pytest.raises(RuntimeError, match="not listening"):
        _ = sandbox.url
    await sandbox.start()
    await sandbox.start()
    assert sandbox.url.startswith("http://127.0.0.1:")
    await sandbox.aclose()
    await sandbox.aclose()


@pytest.mark.parametrize(
    ("host", "origin"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:"), ("localhost", "http://")]
)
async def test_the_url_leads_to_the_address_that_is_bound(host: str, origin: str) -> None:
    async with EthoraSandbox(host=host) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        assert sandbox.url.startswith(origin)
        assert (await Api(session)("GET", "/ping")).status == 200


async def test_state_and_port_outlast_an_outage(sandbox: EthoraSandbox, api: Api) -> None:
    await api.make_users("u1")
    url = sandbox.url
    await sandbox.aclose()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("GET", "/ping")
    await sandbox.start()
    assert sandbox.url == url
    assert (await api("GET", "/v2/chats/users?userId=u1")).status == 200


async def test_a_port_that_is_taken_is_an_error_and_nothing_stays_open(plain: EthoraSandbox) -> None:
    second = EthoraSandbox(port=int(plain.url.rsplit(":", 1)[1]))
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.aclose()


async def test_closing_does_not_wait_for_idle_or_busy_connections(plain: EthoraSandbox, monkeypatch) -> None:
    waiting = asyncio.Event()

    async def sleep(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("ethora_async.sandbox.front.asyncio", SimpleNamespace(sleep=sleep))
    async with aiohttp.ClientSession(plain.url) as session:
        assert (await Api(session)("GET", "/ping")).status == 200
        plain.faults.latency(3600)
        busy = asyncio.create_task(Api(session)("POST", "/v1/chats", {}))
        await waiting.wait()
        async with asyncio.timeout(30):
            await plain.aclose()
        with pytest.raises(aiohttp.ClientConnectionError):
            await busy


async def test_nothing_leaks() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        async with EthoraSandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            assert (await Api(session)("GET", "/ping")).status == 200
        del sandbox, session
        gc.collect()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_every_reply_carries_a_request_id_and_errors_repeat_it(api: Api) -> None:
    first, second = await api("GET", "/ping"), await api("GET", "/v2/users/batch/none")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.body == {
        "success": False,
        "error": "Job not found",
        "code": "JOB_NOT_FOUND",
        "requestId": second.headers["x-request-id"],
    }


async def test_requests_are_kept_for_tests_and_told_to_a_listener() -> None:
    heard: list[tuple[str, str, int]] = []
    async with EthoraSandbox(on_request=heard.append) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        async with session.get("/ping?x=1"):
            pass
        async with session.post("/v1/chats"):
            pass
        expected = [("GET", "/ping", 200), ("POST", "/v1/chats", 401)]
        assert list(sandbox.requests) == heard == expected
        assert sandbox.requests.maxlen is not None


@pytest.mark.parametrize("options", [{"admin_password": CANARY + "-admin"}])
async def test_secrets_show_up_nowhere(api: Api, sandbox: EthoraSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.rotate_secret(CANARY, keep_previous=True)
    child = sandbox.add_app("shop", secret=CANARY + "-child", parent=APP)
    tokens = [server_token(secret=CANARY), server_token(secret="wrong")]
    for token in tokens:
        await api("POST", "/v1/users/batch", {"usersList": [row("u1", password=CANARY)]}, token=token)
        await api("GET", f"/v2/chats/users?token={token}&x-custom-token={token}&userId=u1", token=token)
        await api("GET", f"/nowhere?api_key={token}&jwt={token}", token=token)
    session = (await api("POST", "/v1/users/client", token=client_token("u1", secret=CANARY))).body
    login = {"email": sandbox.admin_email, "password": CANARY + "-admin", "appId": APP}
    await api("POST", "/v1/users/login-with-email", login, token=None)
    await api("POST", "/v1/users/login/refresh", token=session["refreshToken"])
    user = sandbox.store.app(APP).users.find("u1")
    assert user.password == CANARY
    shown = " ".join(map(repr, [sandbox, sandbox.store, sandbox.faults, child, user, list(sandbox.requests)]))
    shown += str(sandbox) + f"{child}" + caplog.text
    for secret in (CANARY, SECRET, *tokens, session["token"], session["refreshToken"]):
        assert secret not in shown
    assert "/v2/chats/users?token=***&x-custom-token=***&userId=u1 200" in caplog.text


async def test_a_request_line_cannot_forge_a_log_line(sandbox: EthoraSandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ethora_async.sandbox")
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /a\x1b[31m HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()
    assert not any("\x1b" in record.getMessage() for record in caplog.records if record.name.startswith("ethora"))


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(api: Api, sandbox: EthoraSandbox) -> None:
    async with aiohttp.ClientSession(sandbox.url) as session:
        call = session.post(
            "/v1/users/batch",
            json={"usersList": [row("u1")]},
            headers={"x-custom-token": server_token()},
            expect100=True,
        )
        async with asyncio.timeout(30), call as reply:
            assert reply.status == 200


async def test_an_absolute_request_line_is_served(sandbox: EthoraSandbox) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET http://proxy.example/ping?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert sandbox.requests[-1] == ("GET", "/ping", 200)


def test_two_apps_cannot_share_an_id_or_a_domain_name() -> None:
    sandbox = EthoraSandbox(app_id=APP)
    with pytest.raises(ValueError, match="already has an app"):
        sandbox.add_app("other", app_id=APP, parent=None)
    with pytest.raises(ValueError, match="already has an app"):
        sandbox.add_app("app", parent=None)
    with pytest.raises(KeyError):
        sandbox.add_app("other", parent="nowhere")
    assert [app.id for app in sandbox.store.apps] == [APP]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_package_loads_its_parts_on_first_use() -> None:
    assert run("import sys, ethora_async.sandbox; print('aiohttp' in sys.modules)") == "False"
    with pytest.raises(AttributeError, match="nothing"):
        _ = __import__("ethora_async.sandbox", fromlist=["sandbox"]).nothing


def test_the_sandbox_shares_nothing_with_the_client_side() -> None:
    own = run(
        "import sys; before = set(sys.modules); from ethora_async.sandbox import EthoraSandbox, Faults, Store;"
        "print(sorted(n for n in sys.modules if n.startswith('ethora_async.') and '.sandbox' not in n))"
    )
    assert [name for name in own.strip("[]").replace("'", "").split(", ") if name] in ([], ["ethora_async._version"])
