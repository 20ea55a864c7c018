"""The outbox examples start as they say, and the platform follows what they store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from example_helpers import EXAMPLES, answering, running
from ports import free_port

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from pathlib import Path

UVICORN = ("-m", "uvicorn", "--app-dir", str(EXAMPLES), "--log-level", "warning", "--port")
ANN = {"email": "ann-of-the-outbox@example.com", "first_name": "Ann", "last_name": "Outbox"}


async def there(ethora: EthoraClient, id: str, wanted: bool) -> None:
    async with asyncio.timeout(120):
        while (id in [user.id async for user in ethora.users.list()]) is not wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fastapi", "django"])
async def test_what_is_stored_comes_about_on_the_platform(
    kind: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    file, port = tmp_path / "shop.db", free_port()
    driver = "sqlite+aiosqlite" if kind == "fastapi" else "sqlite"
    env: Any = {**settings, "DATABASE_URL": f"{driver}:///{file}", "ETHORA_OUTBOX_DATABASE": f"sqlite:///{file}"}
    if kind == "django":
        with running(str(EXAMPLES / "outbox_django.py"), "migrate", env=env) as process:
            output, _ = process.communicate()
        assert process.returncode == 0, output
    lifespan = ("--lifespan", "off") if kind == "django" else ()
    url = f"http://127.0.0.1:{port}"
    with running(*UVICORN, str(port), *lifespan, f"outbox_{kind}:app", env=env) as process:
        await answering(url, process)
        async with EthoraClient.from_env() as ethora, aiohttp.ClientSession(url) as visitor:
            for method, path, body, wanted in (
                ("PUT", f"/people/{kind}-ann", ANN, True),
                ("DELETE", f"/people/{kind}-ann", None, False),
            ):
                async with visitor.request(method, path, json=body) as reply:
                    assert reply.status == 200
                if kind == "django":
                    with running("-m", "ethora_async", "outbox", "work", "--once", env=env) as worker:
                        output, _ = worker.communicate()
                    assert worker.returncode == 0, output
                await there(ethora, f"{kind}-ann", wanted)
