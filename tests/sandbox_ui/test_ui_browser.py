"""The page in a real browser: what it shows, by keyboard alone, readable by everyone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from browser_helpers import look, picture, press, tab_to, violations

from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, ImbaChatSandbox, RocketChatSandbox
from ethora_async.sandbox.ethora.store import ChatData

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chromium_browser import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROWS = [
    {"id": name, "email": f"{name}@example.com", "first_name": name.capitalize(), "last_name": "Byron"}
    for name in ("ada", "bob")
]


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(app_id="app123", admin_email="ops@example.com") as sandbox:
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


async def test_a_user_leads_to_the_chat_as_this_user(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox, "#users/app123_ada")
    await page.until("document.getElementById('detail-title').textContent === 'Ada Byron'")
    await page.until("!document.getElementById('chat').hidden")
    link = await page.value("document.getElementById('chat').href")
    assert link == sandbox.chat_url("ada") == f"{sandbox.console_url}chat?user=app123_ada"


async def test_it_says_when_the_sandbox_is_gone_and_comes_back_with_it(page: Page, sandbox: EthoraSandbox) -> None:
    await opened(page, sandbox)
    await sandbox.aclose()
    await page.until("document.getElementById('live').dataset.state === 'off'")
    await sandbox.start()
    await page.until("document.getElementById('live').dataset.state === 'on'")


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
    await look(page, scheme, width)
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
    chat = sandbox.store.app(sandbox.app_id).chats.find("o1")
    assert chat is not None
    for message in chat.messages:
        message.body = "Where is my parcel?"  # what the other tests need would puzzle readers of the docs
    await look(page, scheme, 1280, 800)
    await opened(page, sandbox, place)
    await page.until("document.querySelectorAll('#requests tbody tr').length === 3")
    await picture(page, f"sandbox-{scheme}")
