"""The page of `--report` in a real browser: readable by everyone, on a phone and on paper."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from browser_helpers import look, picture, violations

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chromium_browser import Page

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
ROOT = Path(__file__).parents[2]
PATIENCE = 300.0
FIRST = ("Ada", "Robert", "Eve", "Chinedu", "Mei", "Zoë", "Łukasz", "Priya")
LAST = ("Byron", "Keller", "Moreau", "Okafor", "Lin", "Ångström", "Nowak", "Raman")
USERS, CHATS = 1500, 40


def lists(folder: Path) -> list[str]:
    """Realistic lists: users who exist under another name, unusable rows, duplicate addresses."""
    users = ["id,email,first_name,last_name"]
    users += [f"u-{n:04},user{n}@example.com,{FIRST[n % 8]},{LAST[n // 8 % 8]}" for n in range(USERS)]
    users[700] = "u-0699,not an address,Ada,Byron"
    users[900] = "u-0001,again@example.com,Ada,Byron"
    users[901] = "u 0900,space@example.com,Ada,Byron"
    users[1200:1203] = [f"u-120{n},taken{n}@example.com,A{n},B" for n in range(3)]
    users[50] = 'u-0049,user49@example.com,<script>alert(1)</script>,O\'Hara & "Sons"'
    chats = ["id,title,access", *(f"order-{1000 + n},Order {1000 + n},private" for n in range(CHATS))]
    members = ["chat,user", *(f"order-{1000 + n % CHATS},u-{n:04}" for n in range(0, USERS, 4))]
    for name, rows in (("users", users), ("chats", chats), ("members", members)):
        (folder / f"{name}.csv").write_text("\n".join([*rows, ""]), "utf-8")
    return [word for name in ("users", "chats", "members") for word in (f"--{name}", f"{name}.csv")]


async def ethora(folder: Path, sandbox: EthoraSandbox, *words: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ethora_async", *words, cwd=folder, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **sandbox.environment},
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reports(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """The reports of a plan, an apply with failures, and a comparison."""
    folder = tmp_path_factory.mktemp("reports")
    async with EthoraSandbox(app_id="app123", secret="secret-of-the-test") as sandbox:
        await sandbox.seed_users([
            {"id": f"u-{n:04}", "email": f"user{n}@example.com", "first_name": "Old", "last_name": "Name"}
            for n in range(40)
        ])  # fmt: skip
        await sandbox.seed_users([
            {"id": f"x{n}", "email": f"taken{n}@example.com", "first_name": "Some", "last_name": "Body"}
            for n in range(3)
        ])  # fmt: skip
        named = lists(folder)
        assert await ethora(folder, sandbox, "plan", *named, "--report", "plan.html") == 1
        sandbox.faults.latency(0.15)
        sandbox.faults.fail("POST /v2/chats", status=422, times=3)
        assert await ethora(folder, sandbox, "apply", "--yes", *named, "--report", "apply.html") == 1
        sandbox.faults.clear()
        assert await ethora(folder, sandbox, "verify", *named, "--report", "verify.html") == 4
        yield folder


async def opened(page: Page, file: Path) -> None:
    await page.call("Page.navigate", url=file.as_uri())
    await page.until("document.readyState === 'complete' && document.querySelector('h1') !== null")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 380])
@pytest.mark.parametrize("name", ["plan", "apply", "verify"])
async def test_it_is_readable_by_everyone(
    name: str, width: int, scheme: str, page: Page, axe: str, reports: Path
) -> None:
    await look(page, scheme, width)
    await opened(page, reports / f"{name}.html")
    # The page's own policy lets no script in: the debugger may.
    assert await violations(page, axe) == []
    assert await page.value("document.documentElement.scrollWidth <= innerWidth") is True
    assert await page.value("document.querySelectorAll('script, img, iframe, link[rel=stylesheet]').length") == 0


async def test_nothing_is_fetched_and_no_script_runs(page: Page, reports: Path) -> None:
    await opened(page, reports / "apply.html")
    assert await page.value("performance.getEntriesByType('resource').length") == 0
    assert await page.value("document.body.textContent.includes('<script>alert(1)</script>')") is True
    made = "Object.assign(document.createElement('script'), {textContent: 'window.hit = 1'})"
    await page.value(f"document.head.append({made})")
    assert await page.value("window.hit") is None


async def test_it_prints(page: Page, reports: Path) -> None:
    await opened(page, reports / "apply.html")
    data = base64.b64decode((await page.call("Page.printToPDF", printBackground=True))["data"])
    assert data.startswith(b"%PDF-")
    assert data.count(b"/Type /Page") >= 2


@pytest.mark.parametrize(
    ("picture_name", "name", "scheme", "width", "height"),
    [("report", "apply", "light", 1100, 1250), ("report-phone", "plan", "dark", 400, 860)],
)
async def test_its_picture_for_the_docs(
    picture_name: str, name: str, scheme: str, width: int, height: int, page: Page, reports: Path
) -> None:
    await look(page, scheme, width, height)
    await opened(page, reports / f"{name}.html")
    await picture(page, picture_name)
