"""The same service, mounted in every framework, without leaks."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from configured_django import configure_django
from scim_helpers import PATCH, TOKEN, served, user

from ethora_async import outbox
from ethora_async.web import Request, Routes
from ethora_async.web.aiohttp import chat_app
from ethora_async.web.asgi import ASGIApp
from ethora_async.web.scim import ScimDirectory, ScimEndpoint, ScimTokens
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}


@asynccontextmanager
async def _endpoint(url: str) -> AsyncIterator[ScimEndpoint]:
    tokens = ScimTokens(MemoryProvider({"ETHORA_SCIM_TOKEN": TOKEN}))
    async with ScimDirectory(url) as directory:
        yield ScimEndpoint(directory, tokens)
    await tokens.aclose()


async def _create(ask: Callable[..., Any], prefix: str = "/scim/v2") -> dict[str, Any]:
    status, body = await ask("POST", f"{prefix}/Users", json.dumps(user("ann")).encode())
    assert status == 201, body
    created: dict[str, Any] = json.loads(body)
    location = created["meta"]["location"]
    status, body = await ask("GET", location[location.index(prefix) :], b"")
    assert (status, json.loads(body)["id"]) == (200, created["id"])
    return created


async def test_mounted_in_aiohttp(sqlite_url: str) -> None:
    async with _endpoint(sqlite_url) as endpoint:
        app = web.Application()
        app.add_subapp("/scim/v2", chat_app(Routes(scim=endpoint, scim_path="")))
        async with TestClient(TestServer(app)) as client:

            async def ask(method: str, path: str, data: bytes) -> tuple[int, bytes]:
                async with client.request(method, path, data=data, headers=BEARER) as reply:
                    return reply.status, await reply.read()

            created = await _create(ask)
            assert created["meta"]["location"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("mounted", [True, False])
async def test_mounted_under_asgi(sqlite_url: str, mounted: bool) -> None:
    from starlette.applications import Starlette

    async with _endpoint(sqlite_url) as endpoint:
        app: Any = ASGIApp(Routes(scim=endpoint))
        if mounted:
            app = Starlette()
            app.mount("/scim/v2", ASGIApp(Routes(scim=endpoint, scim_path="")))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://chat.example.com", headers=BEARER) as client:

            async def ask(method: str, path: str, data: bytes) -> tuple[int, bytes]:
                headers = {"X-Forwarded-Proto": "https"}
                reply = await client.request(method, path, content=data, headers=headers)
                return reply.status_code, reply.content

            created = await _create(ask)
            assert created["meta"]["location"] == f"https://chat.example.com/scim/v2/Users/{created['id']}"


async def test_mounted_in_django(sqlite_url: str) -> None:
    configure_django()
    from django.test import AsyncRequestFactory

    from ethora_async.web.django import chat_view

    async with _endpoint(sqlite_url) as endpoint:
        view: Any = chat_view(Routes(scim=endpoint, scim_path=""))

        async def ask(method: str, path: str, data: bytes) -> tuple[int, bytes]:
            make = AsyncRequestFactory().generic
            request = make(method, path, data, content_type="application/scim+json", headers=BEARER)
            answer = await view(request, tail=path.removeprefix("/scim/v2/"))
            return answer.status_code, answer.content

        await _create(ask)


async def test_beside_other_routes(sqlite_url: str) -> None:
    async with _endpoint(sqlite_url) as endpoint:
        routes = Routes(scim=endpoint, prefix="/chat")
        for path, status in (("/scim/v2/Users", 401), ("/scim/v2", 401), ("/scim/v2x", 404), ("/chat/token", 404)):
            assert (await routes.handle(Request.of("GET", path))).status == status


# Secrets


async def test_neither_token_nor_password_appears_anywhere(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-of-a-password-0123456789"
    caplog.set_level(logging.DEBUG)
    seal = outbox.PasswordSeal("a key of the outbox of thirty-two characters or more")
    for options in ({}, {"seal": seal}):
        async with served(sqlite_url, **options) as scim:
            who = f"ann{len(options)}"
            reply = await scim.ask("POST", "/Users", user(who, password=canary))
            assert reply.status == 201
            change = {"op": "replace", "path": "password", "value": canary}
            changed = await scim.ask(
                "PATCH", f"/Users/{reply.data['id']}", {"schemas": [PATCH], "Operations": [change]}
            )
            bad = await scim.ask("POST", "/Users", {**user("bob"), "password": canary, "active": "nonsense"})
            refused = await scim.ask("GET", "/Users", token=f"{TOKEN}x")
            wanted = await scim.intents()
            assert [row[3].get("sealed_password") is not None for row in wanted][-1] is bool(options)
            said = json.dumps([reply.data, changed.data, bad.data, refused.data, wanted])
            assert canary not in said
            assert TOKEN not in said
            assert TOKEN not in repr(scim.directory) + repr(ScimTokens(MemoryProvider({"ETHORA_SCIM_TOKEN": TOKEN})))
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    stored = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    output = caplog.text + "".join(capfd.readouterr())
    for secret in (canary, TOKEN):
        assert secret.encode() not in stored
        assert secret not in output


async def test_a_bug_shows_no_secret(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the log nor in the frames of what was raised: nothing is raised to the framework."""
    async with served(sqlite_url) as scim:
        scim.directory.storage_options = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        reply = await scim.ask("POST", "/Users", user("ann", password="canary-of-a-password"))
        assert (reply.status, reply.data["status"]) == (500, "500")
    assert "ZeroDivisionError" in caplog.text
    assert "canary" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_url_with_a_password_is_not_shown(postgres_url: str) -> None:
    directory = ScimDirectory(postgres_url)
    shown = repr(directory) + "".join(repr(connection) + connection.name for _, connection in directory._places)  # type: ignore[attr-defined]
    assert "canary" not in shown
    with pytest.raises((TypeError, pickle.PicklingError, AttributeError)):
        pickle.dumps(directory)


async def test_an_unreachable_database_is_named_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    directory = ScimDirectory("postgresql://ann:canary-in-a-url@127.0.0.1:1/none")
    with pytest.raises(outbox.OutboxDatabaseError) as caught:
        await directory.check()
    await directory.aclose()
    assert "canary" not in str(caught.value) + repr(caught.value) + caplog.text
    frames = caught.traceback
    assert not [frame for frame in frames if "canary" in repr(frame.frame.f_locals)]


def test_scim2_is_loaded_by_nobody_who_does_not_serve_it() -> None:
    code = (
        "import sys, ethora_async.web.routes, ethora_async.web.scim.endpoint, ethora_async.web.scim.directory;"
        " print([name for name in sys.modules if name.startswith(('scim2', 'pydantic'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
