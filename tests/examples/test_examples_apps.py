"""Every example starts as its docstring says, and works."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from example_helpers import EXAMPLES, PASSWORD, answering, running, sandbox_process, visitor
from ports import free_port

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

UVICORN = ("-m", "uvicorn", "--app-dir", str(EXAMPLES), "--log-level", "warning", "--port")
APPS: dict[str, Callable[[int], tuple[str, ...]]] = {
    "aiohttp": lambda _: (str(EXAMPLES / "aiohttp_app.py"),),
    "fastapi": lambda port: (*UVICORN, str(port), "fastapi_app:app"),
    "django": lambda port: (*UVICORN, str(port), "--lifespan", "off", "django_app:app"),
    "django runserver": lambda port: (str(EXAMPLES / "django_app.py"), "runserver", "--noreload", str(port)),
}

SOME_SLOW = [pytest.param(name, marks=pytest.mark.slow) if name.startswith("django") else name for name in APPS]
"""Django takes seconds to start."""
READY = {"fastapi": "/health/readyz"}


@asynccontextmanager
async def started(name: str, settings: dict[str, str]) -> AsyncIterator[str]:
    port = free_port()
    with running(*APPS[name](port), env={**settings, "PORT": str(port)}) as process:
        url = f"http://127.0.0.1:{port}"
        await answering(url, process)
        yield url


async def log_in(visitor: Any, name: str, password: str = PASSWORD) -> int:
    headers = {}
    if name.startswith("django"):
        async with visitor.get("/") as page:
            headers["X-CSRFToken"] = page.cookies["csrftoken"].value
    async with visitor.post("/login", json={"user": "ann", "password": password}, headers=headers) as reply:
        return int(reply.status)


@pytest.mark.parametrize("name", SOME_SLOW)
async def test_an_application_gives_its_users_tokens_that_the_platform_takes(
    name: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    async with started(name, settings) as url, visitor(url) as ann, EthoraClient.from_env() as ethora:

        async def ask(body: dict[str, str]) -> tuple[int, Any]:
            async with ann.post("/chat/token", json=body) as reply:
                return reply.status, await reply.json()

        assert (await ask({}))[0] == 401
        assert await log_in(ann, name, "a guess") == 401
        assert (await ask({}))[0] == 401
        assert await log_in(ann, name) == 200
        status, data = await ask({})
        assert (status, data["user_id"]) == (200, "ann")
        session = await ethora.sessions.exchange(data["token"])
        assert session.user.first_name == "Ann"
        assert (await ask({"room": "1043"}))[0] == 403
        assert (await ask({"user": "bob"}))[0] == 400


@pytest.mark.parametrize("name", SOME_SLOW)
async def test_an_application_uses_its_client_and_tells_whether_it_is_ready(
    name: str, settings: dict[str, str]
) -> None:
    async with started(name, settings) as url, visitor(url) as anybody:
        for _ in range(3):  # under runserver each request has an event loop of its own
            async with anybody.get("/orders/1042/members") as reply:
                assert (reply.status, await reply.json()) == (200, ["ann", "bob"])
        async with anybody.get(READY.get(name, "/chat/readyz")) as reply:
            assert (reply.status, (await reply.json())["status"]) == (200, "ready")


@pytest.mark.slow
def test_provisioning_twice_creates_nothing_twice() -> None:
    with sandbox_process() as settings:
        for expected in ("users: 3 created\nchats: 2 created\n", "users: 3 existed\nchats: 2 existed\n"):
            with running(str(EXAMPLES / "provision.py"), env=settings) as process:
                output, _ = process.communicate()
            assert (output, process.returncode) == (expected, 0)


def test_provisioning_without_settings_says_what_is_missing() -> None:
    with running(str(EXAMPLES / "provision.py"), env={}) as process:
        output, _ = process.communicate()
    assert process.returncode == 1
    assert output.startswith("error: ETHORA_CHAT_")
    assert "Traceback" not in output
