"""The page in a real browser: what it shows, by keyboard alone, readable by everyone."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from chromium_browser import Page, browser
from npm_packages import CACHE, installed, npm_install

from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, ImbaChatSandbox, RocketChatSandbox
from ethora_async.sandbox.ethora.store import ChatData
from ethora_async.sandbox.wire import text_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
PICTURES = os.environ.get("ETHORA_PICTURES")
"""A folder for the pictures in the docs: `ETHORA_PICTURES=docs/_static pytest tests/sandbox_ui`."""
AXE = "4.10.3"
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "/": 191}
ROWS = [
    {"id": name, "email": f"{name}@example.com", "first_name": name.capitalize(), "last_name": "Byron"}
    for name in ("ada", "bob")
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def axe() -> str:
    async def install(directory: Path) -> None:
        await npm_install(directory, json.dumps({"dependencies": {"axe-core": AXE}}))

    folder = await installed(CACHE / f"axe-core-{AXE}-1", install)
    return (folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(app_id="app123") as sandbox:
        await sandbox.seed_users(ROWS)
        store = sandbox.store
        app = store.app("app123")
        people = [user for user in app.users if user.uuid in ("ada", "bob")]
        chat = store.create_chat(app, ChatData("Order 1", "group", "o1"), time.time(), members=people)
        store.post(chat, "Where is <img src=x onerror=alert(1)>?", time.time(), sender=people[0])
        yield sandbox


async def opened(page: Page, sandbox: Any, place: str = "") -> None:
    await page.call("Page.navigate", url="about:blank")
    await page.call("Page.navigate", url=sandbox.console_url + place)
    await page.until("document.getElementById('live')?.dataset.state === 'on'")


async def press(page: Page, key: str) -> None:
    text = {"Enter": "\r", " ": " ", "/": "/"}.get(key)
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        code = {" ": "Space", "/": "Slash"}.get(key, key)
        number = KEYS[key]
        await page.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, **more)


async def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        if await page.value(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        await press(page, "Tab")
    pytest.fail(f"{selector} cannot be reached by Tab")


async def test_records_and_requests_appear_by_themselves(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    assert await page.value("document.title") == "Ethora sandbox"
    assert await page.value("document.querySelectorAll('#table tbody tr').length") == 3
    await sandbox.seed_users([{**ROWS[0], "id": "eve", "email": "eve@example.com", "first_name": "Eve"}])
    async with aiohttp.ClientSession(sandbox.url) as session, session.get("/v1/users/my?token=canary"):
        pass
    await page.until("document.getElementById('table').textContent.includes('Eve Byron')")
    await page.until("document.getElementById('requests').textContent.includes('/v1/users/my?token=***')")
    assert page.console == []


async def test_what_people_wrote_is_text_and_never_markup(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox, "#messages")
    await page.until("document.getElementById('table').textContent.includes('<img src=x')")
    assert await page.value("document.querySelectorAll('main img, main b').length") == 0


async def test_it_is_used_by_keyboard_alone(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    await press(page, "Tab")
    assert await page.value("document.activeElement.textContent") == "Skip to the records"
    await tab_to(page, "#tabs a[href='#chats']")
    await press(page, "Enter")
    await page.until("document.querySelector('#tabs a[aria-current]').hash === '#chats'")
    await tab_to(page, "#table a")
    await press(page, "Enter")
    await page.until("!document.getElementById('detail').hidden")
    await page.until("document.getElementById('detail-title').textContent === 'Order 1'")
    await page.until("document.activeElement.id === 'detail'")
    await press(page, "Escape")
    await page.until("document.getElementById('detail').hidden")
    await press(page, "/")
    assert await page.value("document.activeElement.id") == "search"
    await tab_to(page, "input[role=switch][data-key='switch down']")
    await press(page, " ")
    await page.until("document.getElementById('active').textContent.includes('answer 503')")
    assert [fault.route for fault in sandbox.faults.active] == ["*"]
    # The list was drawn anew: the switch still has the focus.
    assert await page.value("document.activeElement.dataset.key") == "switch down"
    await press(page, " ")
    await page.until("document.getElementById('active').children.length === 0")
    assert sandbox.faults.active == ()


async def test_a_search_narrows_the_rows(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    await page.value("document.getElementById('search').focus()")
    await page.call("Input.insertText", text="bob")
    await page.until("document.querySelectorAll('#table tbody tr').length === 1")
    await page.call("Input.insertText", text=" nobody")
    await page.until("document.getElementById('table').textContent.includes('Nothing holds')")


async def test_a_fault_that_cannot_be_read_says_why(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    await page.value("document.getElementById('spec').focus()")
    await page.call("Input.insertText", text="GET /ping: colour=red")
    await press(page, "Enter")
    await page.until("document.getElementById('problem').textContent.includes('colour=red')")
    assert sandbox.faults.active == ()


async def test_a_user_leads_to_the_chat_once_there_is_one(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox, "#users/app123_ada")
    await page.until("document.getElementById('detail-title').textContent === 'Ada Byron'")
    assert await page.value("document.getElementById('chat').hidden") is True
    assert sandbox.console is not None

    async def chat(_: Any) -> Any:
        return text_answer("chat", 200)

    sandbox.console.add_page("chat", chat)
    await page.until("!document.getElementById('chat').hidden")
    link = await page.value("document.getElementById('chat').href")
    assert link == f"{sandbox.console_url}chat?user=app123_ada"


async def test_it_says_when_the_sandbox_is_gone_and_comes_back_with_it(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    await sandbox.aclose()
    await page.until("document.getElementById('live').dataset.state === 'off'")
    await sandbox.start()
    await page.until("document.getElementById('live').dataset.state === 'on'")


async def violations(page: Page, axe: str) -> list[str]:
    # The page's own policy lets no foreign script in: the debugger may.
    await page.value(axe + ";0")
    run = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    found = await page.value(
        f"{run}.then((r) => r.violations.map((v) => `${{v.id}}: ${{v.nodes.map((n) => n.html).join(' | ')}}`))"
    )
    return list(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "place"), [(1440, "#users/app123_ada"), (400, "#messages")])
async def test_it_is_readable_by_everyone(
    scheme: str, width: int, place: str, page: Page, axe: str, sandbox: EthoraSandbox
) -> None:
    sandbox.faults.fail("GET /ping", times=None)
    sandbox.faults.latency(0.0)
    async with aiohttp.ClientSession(sandbox.url) as session:
        for path in ("/ping", "/v1/users/my", "/api-docs"):
            async with session.get(path):
                pass
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    await page.call("Emulation.setEmulatedMedia", features=features)
    await page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    await opened(page, sandbox, place)
    await page.until("document.querySelectorAll('#requests tbody tr').length === 3")
    assert await violations(page, axe) == []
    assert await page.value("document.documentElement.scrollWidth <= innerWidth") is True


@pytest.mark.parametrize("platform", [RocketChatSandbox, AvayaSandbox, ImbaChatSandbox])
async def test_every_platforms_page_is_readable(platform: Any, page: Page, axe: str) -> None:
    async with platform() as sandbox:
        await opened(page, sandbox)
        assert await violations(page, axe) == []
        assert page.console == []


@pytest.mark.parametrize(("scheme", "place"), [("light", "#users"), ("dark", "#chats/app123_o1")])
async def test_its_picture_for_the_docs(scheme: str, place: str, page: Page, sandbox: EthoraSandbox) -> None:
    sandbox.faults.latency(0.0)
    async with aiohttp.ClientSession(sandbox.url) as session:
        for path in ("/ping", "/v1/users/my", "/v1/apps/get-config?domainName=app"):
            async with session.get(path):
                pass
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await page.call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
    await opened(page, sandbox, place)
    await page.until("document.querySelectorAll('#requests tbody tr').length === 3")
    picture = base64.b64decode((await page.call("Page.captureScreenshot", format="png"))["data"])
    assert picture.startswith(b"\x89PNG")
    if PICTURES is not None:
        with open(os.path.join(PICTURES, f"sandbox-{scheme}.png"), "wb") as file:  # noqa: ASYNC230
            file.write(picture)
