"""Serve the page at `/_sandbox/`, and its data.

Only pages of this origin get an answer. The Host header must be an address, `localhost` or the host that the
sandbox was told to listen on: a name that an attacker's DNS points at this machine is refused.
"""

from __future__ import annotations

import hashlib
import ipaddress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from aiohttp.hdrs import CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LOCATION, ORIGIN
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.ui.switches import Switches
from ethora_async.sandbox.ui.view import as_json, moment
from ethora_async.sandbox.wire import HTML, JSON, Reply, text_reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.faults import Faults
    from ethora_async.sandbox.logs import RequestLog
    from ethora_async.sandbox.ui.view import PlatformView

    Page = Callable[[BaseRequest], Awaitable[Reply]]

ROOT = "/_sandbox/"
CHAT = "chat"
CSS = "text/css; charset=utf-8"
JAVASCRIPT = "text/javascript; charset=utf-8"
ASSETS = {"": ("index.html", HTML), "base.css": ("base.css", CSS), "console.css": ("console.css", CSS),
          "console.js": ("console.js", JAVASCRIPT)}  # fmt: skip
USUAL_ROWS = 100
MOST_ROWS = 1_000
SHOWN_REQUESTS = 100
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Console:
    """Answers requests below `/_sandbox/`, which are neither logged nor affected by faults."""

    def __init__(self, view: PlatformView, faults: Faults, log: RequestLog, host: str) -> None:
        self._view = view
        self._log = log
        self._host = host.lower()
        self._switches = Switches(faults, view.knobs)
        self._pages: dict[str, Page] = {}

    def serves(self, path: str) -> bool:
        """Return whether a path belongs to the page."""
        return path.startswith(ROOT) or path == ROOT[:-1]

    def add_page(self, name: str, page: Page) -> None:
        """Serve one more page at `/_sandbox/<name>`. One called `chat` is linked from every user."""
        self._pages[name] = page

    async def answer(self, request: BaseRequest, path: str, query: str) -> Reply:
        """Answer one request."""
        refusal = self._refuse(request)
        if refusal is not None:
            return _plain(refusal, 403)
        name = path.removeprefix(ROOT)
        if path == ROOT[:-1]:
            return Reply(308, b"", HTML, {**HEADERS, LOCATION: ROOT})
        if name in self._pages:
            return await self._pages[name](request)
        if name == "faults" and request.method == "POST":
            return await self._change(request)
        if request.method not in ("GET", "HEAD"):
            return _plain("Use GET.", 405)
        if name == "state":
            return self._state(request, query)
        if name not in ASSETS:
            return _plain("There is no such page.", 404)
        file, kind = ASSETS[name]
        return Reply(200, _asset(file), kind, dict(HEADERS))

    def _refuse(self, request: BaseRequest) -> str | None:
        """Return the refusal of a request; None if it comes from the page's own origin."""
        host = request.headers.get(HOST, "")
        if not self._is_local(host):
            return "This page answers under the sandbox's own address only."
        origin = request.headers.get(ORIGIN)
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "Only this page itself may send this request."
        # A link on another page may open this one in its own tab: the other page cannot read it.
        followed = request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "document"
        if not followed and request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
            return "Open this page by its address."
        return None

    def _is_local(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in ("localhost", self._host) or name.endswith(".localhost"):
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _state(self, request: BaseRequest, query: str) -> Reply:
        asked = {key: values[-1] for key, values in parse_qs(query).items()}
        body = orjson.dumps(self._shown(asked))
        tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers = {**HEADERS, ETAG: tag}
        if request.headers.get(IF_NONE_MATCH) == tag:
            return Reply(304, b"", JSON, headers)
        return Reply(200, body, JSON, headers)

    def _shown(self, asked: dict[str, str]) -> dict[str, Any]:
        view = self._view
        counts = view.counts()
        key = asked.get("table", "")
        key = key if key in counts else next(iter(counts))
        limit = _limit(asked.get("limit", ""))
        opened, _, record = asked.get("open", "").partition("/")
        return {
            "platform": view.platform,
            "facts": view.facts(),
            "tables": [{"key": one, "title": title, "count": count} for one, (title, count) in counts.items()],
            "key": key,
            "table": as_json(view.table(key, asked.get("search", ""), limit)),
            "open": asked.get("open", ""),
            "detail": as_json(view.detail(opened, unquote(record))) if record else None,
            "requests": [
                {
                    "number": one.number,
                    "time": moment(one.at)[11:],
                    "method": one.method,
                    "target": one.target,
                    "status": one.status,
                    "ms": round(one.seconds * 1000, 1),
                    "token": one.token,
                }
                for one in reversed(self._log.latest(SHOWN_REQUESTS))
            ],
            "chat": f"{ROOT}{CHAT}?user=" if CHAT in self._pages else None,
            **self._switches.state(),
        }

    async def _change(self, request: BaseRequest) -> Reply:
        # A form on another page cannot send this type without a preflight, which is refused above.
        if request.headers.get(CONTENT_TYPE, "").partition(";")[0].strip() != "application/json":
            return _plain("Send JSON.", 415)
        try:
            sent: object = orjson.loads(await request.read())
        except HTTPRequestEntityTooLarge:
            return _plain("The request is too large.", 413)
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            return _plain("Send a JSON object.", 400)
        try:
            self._apply(sent)
        except (ValueError, OverflowError) as error:
            return _plain(str(error), 422)
        return Reply(200, b"{}", JSON, dict(HEADERS))

    def _apply(self, sent: dict[str, Any]) -> None:
        match sent:
            case {"switch": str(key), "on": bool(on)}:
                self._switches.switch(key, on=on)
            case {"add": str(spec)}:
                self._switches.add(spec)
            case {"set": str(name), "value": value}:
                self._switches.set(name, value)
            case {"remove": int(number)}:
                self._switches.remove(number)
            case {"clear": True}:
                self._switches.clear()
            case _:
                msg = "These keys are not known."
                raise ValueError(msg)


def _limit(text: str) -> int:
    """Return the number of rows to show; Python does not read numbers of any length."""
    if not text.isdecimal():
        return USUAL_ROWS
    return min(max(int(text), 1), MOST_ROWS) if len(text) < 10 else MOST_ROWS


@cache
def _asset(name: str) -> bytes:
    return files("ethora_async.sandbox.ui").joinpath("assets", name).read_bytes()


def _plain(text: str, status: int) -> Reply:
    return text_reply(text, status, headers=dict(HEADERS))
