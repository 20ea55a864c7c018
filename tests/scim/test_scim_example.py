"""The example, and the recorded cycles of Entra and Okta (made up) played against it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from aiohttp import ClientSession, CookieJar
from managed_platforms import chats_of, named_people_of, platform_of
from scim_helpers import TOKEN

from ethora_async import outbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDINGS = {path.stem: json.loads(path.read_text("utf-8")) for path in (EXAMPLES / "scim").glob("*.json")}


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def platform() -> AsyncIterator[Any]:
    async with platform_of("ethora") as made:
        yield made


@pytest.fixture
async def url(platform: Any, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The example, running."""
    for name, value in platform.sandbox.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ETHORA_SCIM_TOKEN", TOKEN)
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("DEMO_PASSWORD", "the-password-of-the-demo")
    app = _loaded(EXAMPLES / "scim_app.py").app
    config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def _token_status(url: str, email: str) -> int:
    async with ClientSession(url, cookie_jar=CookieJar(unsafe=True)) as browser:
        form = {"email": email, "password": "the-password-of-the-demo"}
        assert (await browser.post("/login", json=form)).status == 200
        return (await browser.post("/chat/token", json={})).status


@pytest.mark.parametrize("recording", sorted(RECORDINGS))
async def test_a_recorded_cycle_is_answered_and_the_chat_follows(
    recording: str, url: str, platform: Any, sqlite_url: str
) -> None:
    replay = _loaded(EXAMPLES / "scim" / "replay.py")
    names = await replay.replay(RECORDINGS[recording], f"{url}/scim/v2", TOKEN)
    async with asyncio.timeout(60):
        store = outbox.open_store(sqlite_url)
        # The example's worker does it.
        while (status := await store.status()).inbox or status.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await store.aclose()
    assert status.dead == {}
    if recording == "entra":
        email = f"ada-{names['run']}@contoso.example"
        assert await named_people_of(platform) == {names["ada"]: (email, "Ada")}
        assert await chats_of(platform) == {names["group"]: {names["ada"]}}
        assert await _token_status(url, email) == 200
        # Deleted: the application knows nobody by this address any more.
        assert await _token_status(url, f"grace-{names['run']}@contoso.example") == 401
    else:
        assert set(await named_people_of(platform)) == {names["alan"], names["joan"]}
        assert await chats_of(platform) == {names["group"]: {names["alan"]}}
        assert await _token_status(url, f"alan-{names['run']}@example.com") == 200
        assert await _token_status(url, f"joan-{names['run']}@example.com") == 403


async def test_a_wrong_answer_ends_the_replay(url: str) -> None:
    replay = _loaded(EXAMPLES / "scim" / "replay.py")
    wrong = [{"request": "GET /Users", "status": 200, "expect": {"totalResults": 7}}]
    with pytest.raises(SystemExit, match="totalResults is 0, not 7"):
        await replay.replay(wrong, f"{url}/scim/v2", TOKEN)
