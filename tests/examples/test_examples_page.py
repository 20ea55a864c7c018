"""The example page in a real browser: it logs in to the chat, and stays logged in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from chromium_browser import Page, binary, browser
from example_helpers import EXAMPLES, PASSWORD, answering, running
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TTL = 6
"""Seconds; the page is to ask again after half of it."""

WATCH = """
window.calls = [];
const fetched = window.fetch;
window.fetch = async (url, options) => {
  const call = {url: String(url), at: Date.now() / 1000, sent: options?.headers?.["x-custom-token"]};
  window.calls.push(call);
  const reply = await fetched(url, options);
  call.status = reply.status;
  if (url === "/chat/token" && reply.ok) Object.assign(call, await reply.clone().json());
  return reply;
};
"""
"""Notes what the page asks for, and when; changes nothing."""


@asynccontextmanager
async def site(settings: dict[str, str], port: int) -> AsyncIterator[str]:
    env = {**settings, "PORT": str(port), "CHAT_TOKEN_TTL": str(TTL)}
    with running(str(EXAMPLES / "aiohttp_app.py"), env=env) as process:
        url = f"http://127.0.0.1:{port}/page/index.html"
        await answering(url, process)
        yield url


async def opened(page: Page, url: str) -> None:
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    await page.call("Page.navigate", url=url)
    await page.until("document.readyState === 'complete' && (window.calls || []).some((call) => call.status === 401)")


async def log_in(page: Page) -> None:
    await page.value(
        f"""(() => {{
            const form = document.getElementById("login");
            form.user.value = "ann";
            form.password.value = "{PASSWORD}";
            form.requestSubmit();
        }})()"""
    )
    await page.until(STATE + " === 'in'")


STATE = "document.getElementById('state').dataset.state"
TEXT = "document.getElementById('{}').textContent"
KEPT = "[document.cookie, {...localStorage}, {...sessionStorage}, location.href, document.body.outerHTML]"
TOKENS = "window.calls.filter((call) => call.token)"


@pytest.mark.slow
async def test_the_page_logs_in_to_the_chat_and_renews_its_token_before_the_end(
    settings: dict[str, str], tmp_path: Path
) -> None:
    binary()
    async with site(settings, free_port()) as url, browser(tmp_path / "profile") as page:
        await opened(page, url)
        assert await page.value(TEXT.format("state")) == "logged out"

        await log_in(page)
        assert await page.value(TEXT.format("state")) == "logged in as Ann"
        await page.until(TEXT.format("rooms") + " === 'Order 1042'")

        await page.until(TEXT.format("renewals") + " === '2'")
        assert await page.value(STATE) == "in"
        await page.until(TEXT.format("rooms") + " === 'Order 1042'")

        tokens = await page.value(TOKENS)
        assert len({call["token"] for call in tokens}) == len(tokens) >= 3
        for before, after in pairwise(tokens):
            assert before["refresh_at"] - 1 <= after["at"] < before["expires_at"]
        exchanged = await page.value("window.calls.filter((call) => call.sent)")
        assert [call["sent"] for call in exchanged] == [call["token"] for call in tokens]
        assert {call["status"] for call in exchanged} == {200}

        kept = await page.value(f"JSON.stringify({KEPT})")
        assert not any(call["token"] in kept for call in tokens)
        assert page.console == []


@pytest.mark.slow
async def test_the_page_waits_for_a_back_end_that_is_gone_and_notices_that_nobody_is_logged_in_any_more(
    settings: dict[str, str], tmp_path: Path
) -> None:
    binary()
    port = free_port()
    async with browser(tmp_path / "profile") as page:
        async with site(settings, port) as url:
            await opened(page, url)
            await log_in(page)
        await page.until(STATE + " === 'waiting'")
        async with site(settings, port):  # which has forgotten everybody
            await page.until(STATE + " === 'out'")
        assert page.console == []
