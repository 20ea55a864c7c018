"""The vendor's published chat component, unmodified, in two Chromiums on the sandbox.

`@ethora/chat-component` is under the AGPL: it is installed from npm when the test runs, and no part of it is here.
It knows one host only; Chromium is told that the host is this machine.
"""

from __future__ import annotations

import asyncio
import struct
import tarfile
import zlib
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import pytest
from aiohttp import web
from chromium_browser import Page, binary, browser
from npm_packages import CACHE, installed, need_npm, npm, npm_install, run

from ethora_async import EthoraClient
from ethora_async.sandbox import Certificate, EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.slow

COMPONENT = "@ethora/chat-component"
VERSION = "24.12.34"
API, XMPP = "api.ethoradev.com", "xmpp.ethoradev.com"
PAGE = '<!doctype html><meta charset="utf-8"><div id="root" style="height: 90vh"></div><script src="/page.js"></script>'
SCRIPT = """
import React from "react";
import { createRoot } from "react-dom/client";
import { Chat } from "@ethora/chat-component";
const token = new URLSearchParams(location.search).get("token");
createRoot(document.getElementById("root")).render(<Chat config={{ jwtLogin: { enabled: true, token } }} />);
"""
INPUT = "document.querySelector('input[placeholder=\"Type message\"]')"


async def install(directory: Path) -> None:
    """Put the component and what it takes to show it into a folder, and make one script of them."""
    await npm_install(directory, '{"private": true}', "react@18", "react-dom@18", "esbuild@0.28")
    # Its dist imports nothing but react. What it says that it depends on is 360 MB, npm itself among it.
    name = await npm("pack", "--silent", "--pack-destination", str(directory), f"{COMPONENT}@{VERSION}")
    home = directory / "node_modules" / COMPONENT
    with tarfile.open(directory / name.strip()) as archive:
        archive.extractall(directory, filter="data")
    home.parent.mkdir()
    (directory / "package").rename(home)
    (directory / "page.jsx").write_text(SCRIPT)
    code, _, err = await run(
        str(directory / "node_modules/.bin/esbuild"),
        str(directory / "page.jsx"),
        "--bundle",
        f"--outfile={directory / 'page.js'}",
        '--define:process.env.NODE_ENV="production"',
    )
    assert code == 0, err


@asynccontextmanager
async def pages(folder: Path) -> AsyncIterator[str]:
    """A web server with the page, at this URL."""
    app = web.Application()

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def script(_: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / "page.js")

    app.router.add_get("/", index)
    app.router.add_get("/page.js", script)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def shows(text: str) -> str:
    """Whether the page shows a text, in JavaScript."""
    return f"!!document.body?.innerText.includes({text!r})"


async def type_in(page: Page, text: str) -> None:
    """Type into the field for messages."""
    await page.value(f"{INPUT}.focus()")
    await page.call("Input.insertText", text=text)


async def send(page: Page, text: str = "") -> None:
    """Send a message, or what was typed."""
    await type_in(page, text)
    for kind, letter in (("keyDown", "\r"), ("keyUp", "")):
        await page.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text=letter
        )


async def click(page: Page, text: str, button: str = "left") -> None:
    """Click on the last element with this text."""
    find = f"[...document.querySelectorAll('*')].filter(one => one.innerText?.trim() === {text!r}).at(-1)"
    await page.until(f"!!({find})")
    x, y = await page.value(
        f"(() => {{ const r = ({find}).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        await page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)


def picture() -> bytes:
    """A PNG, green."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = 40
    rows = zlib.compress((b"\0" + b"\0\x80\0" * size) * size)
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@attrs.frozen
class Talk:
    """Two people with a chat open in front of each."""

    sandbox: EthoraSandbox
    ethora: EthoraClient
    alice: Page
    robert: Page


@asynccontextmanager
async def talking(tmp_path: Path) -> AsyncIterator[Talk]:
    """Import two users with our SDK, make a chat, mint tokens, and open the component with them."""
    need_npm()
    binary()
    home = await installed(CACHE / f"chat-component-{VERSION}-1", install)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(EthoraSandbox(certificate=Certificate()))
        assert sandbox.tls_url is not None
        plain, secure = (one.rpartition(":")[2] for one in (sandbox.url, sandbox.tls_url))
        url = await stack.enter_async_context(pages(home))
        ethora = await stack.enter_async_context(
            EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url)
        )
        for id, name in (("alice", "Alice"), ("robert", "Robert")):
            await ethora.users.create(id, email=f"{id}@example.com", first_name=name, last_name="Liddell")
        await ethora.chats.create("order-1", title="Order 1", members=["alice", "robert"])
        rules = (
            f"MAP {API}:443 127.0.0.1:{secure}, MAP {API}:80 127.0.0.1:{plain}, MAP {XMPP}:5443 127.0.0.1:{secure}, "
            "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        )
        flags = (f"--host-resolver-rules={rules}", "--ignore-certificate-errors", "--window-size=1200,900")
        opened: list[Page] = []
        for id in ("alice", "robert"):
            page = await stack.enter_async_context(browser(tmp_path / id, *flags))
            token = await ethora.tokens.for_user(id)
            await page.call("Page.navigate", url=f"{url}?token={token.value}")
            opened.append(page)
        for page in opened:
            await page.until(f"!!{INPUT}")
            await page.until(shows("Order 1"))
        yield Talk(sandbox, ethora, *opened)


async def test_two_people_talk_in_the_vendors_component(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        alice, robert = talk.alice, talk.robert
        await send(alice, "Hello Robert")
        await robert.until(shows("Hello Robert"))

        await type_in(robert, "Hello Alice")
        await alice.until(shows("Robert is typing"))
        await send(robert)
        await alice.until(shows("Hello Alice"))

        await talk.ethora.broadcasts.send("For everybody", chats=["order-1"])
        for page in (alice, robert):
            await page.until(shows("For everybody"))

        await click(alice, "Hello Robert", "right")
        await click(alice, "Delete")
        await alice.until(shows("Delete Message") + " || " + shows("Are you sure"))
        await click(alice, "Delete")
        await robert.until("!" + shows("Hello Robert"))

        image = tmp_path / "green.png"
        image.write_bytes(picture())
        await attach(alice, image)
        shown = "[...document.images].some(one => one.src.includes('/files/') && one.naturalWidth === 40)"
        for page in (alice, robert):
            await page.until(shown)

        await talk.ethora.chats.revoke("order-1", ["robert"])
        await send(robert, "May I still?")
        await send(alice, "We go on")
        await alice.until(shows("We go on"))
        chat = talk.sandbox.store.app(talk.sandbox.app_id).chats.find("order-1")
        assert chat is not None
        assert [message.body for message in chat.messages] == [
            "deleted", "Hello Alice", "For everybody", "media", "We go on",
        ]  # fmt: skip
        assert not await alice.value(shows("May I still?"))
        assert not await robert.value(shows("We go on"))

        # Last: after a reload the component may open a second connection, which joins no room, and write through that.
        await alice.call("Page.reload")
        for text in ("Hello Alice", "For everybody", "We go on"):
            await alice.until(shows(text))


async def attach(page: Page, file: Path) -> None:
    """Choose a file, and send it."""
    document = await page.call("DOM.getDocument")
    node = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="input[type=file]")
    await page.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])
    await page.until("[...document.images].some(one => one.src.startsWith('blob:'))")
    await send(page)
    await asyncio.sleep(0)
