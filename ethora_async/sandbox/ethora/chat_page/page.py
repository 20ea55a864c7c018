"""Serve the chat page, `/_sandbox/chat?user=<xmppUsername>`, and the one with several users side by side.

The page itself contains no secret. It requests its user's token here, as a front end requests it from its back end, and
exchanges it for a session over the platform's own routes.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from joserfc import jwt

from ethora_async.sandbox.ethora.tokens import ALGORITHM, derive_secret, import_key
from ethora_async.sandbox.ethora.xmpp.sasl import find_user
from ethora_async.sandbox.ui.console import CHAT, CSS, HEADERS, JAVASCRIPT, ROOT
from ethora_async.sandbox.wire import HTML, Reply, json_reply, text_reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import App, User
    from ethora_async.sandbox.ui.console import Console

    Minter = Callable[[str], Awaitable[str]]
    """Returns the chat token for a user's id, as a back end does."""

LIVE = "live"
TOKEN = "chat-token"  # noqa: S105 - a path
TTL = 3600
POLICY = "Content-Security-Policy"
SCRIPTS = ("chat.js", "elements.js", "emoji.js", "live.js", "room.js", "xmpp.js")
STYLES = ("chat.css", "live.css")
PAGE_HEADERS = HEADERS | {POLICY: HEADERS[POLICY].replace("frame-ancestors 'none'", "frame-ancestors 'self'")}
LIVE_HEADERS = HEADERS | {POLICY: f"{HEADERS[POLICY]}; frame-src 'self'"}


class ChatPage:
    """The chat of any user, for everybody who may see the console.

    minter: returns the tokens of the base app's users; by default the sandbox mints them with the app's secret.
    """

    def __init__(self, platform: Platform, base: Callable[[], App]) -> None:
        self.minter: Minter | None = None
        self._platform = platform
        self._base = base

    def add_to(self, console: Console) -> None:
        """Serve the pages and their assets."""
        console.add_page(CHAT, self._chat)
        console.add_page(TOKEN, self._token)
        console.add_page(LIVE, self._live)
        for names, kind in ((SCRIPTS, JAVASCRIPT), (STYLES, CSS)):
            for name in names:
                console.add_page(name, _static(name, kind))

    async def _chat(self, request: BaseRequest) -> Reply:
        name = request.query.get("user", "")
        return _reading(request) or self._missing(name) or Reply(200, _asset("chat.html"), HTML, dict(PAGE_HEADERS))

    async def _live(self, request: BaseRequest) -> Reply:
        refusal = _reading(request)
        missing = [self._missing(name) for name in request.query.getall("user", [""])]
        refusals = filter(None, [refusal, *missing])
        return next(refusals, None) or Reply(200, _asset("live.html"), HTML, dict(LIVE_HEADERS))

    async def _token(self, request: BaseRequest) -> Reply:
        """Mint a token of a user."""
        if request.method != "POST":
            return _plain("Use POST to get a token.", 405)
        user = self._find(request.query.get("user", ""))
        if user is None:
            return _plain("There is no such user.", 404)
        return json_reply({"token": await self._mint(user)}, headers=dict(HEADERS))

    async def _mint(self, user: User) -> str:
        if self.minter is not None and user.app is self._base():
            return await self.minter(user.uuid)
        now = int(self._platform.clock())
        data = {"type": "client", "appId": user.app.id, "userId": user.uuid}
        claims = {"data": data, "iat": now, "exp": now + TTL}
        return jwt.encode({"alg": ALGORITHM}, claims, import_key(derive_secret(user.app.secret, "client")))

    def _find(self, name: str) -> User | None:
        self._platform.store.agenda.settle(self._platform.clock())
        return find_user(self._platform, name)

    def _missing(self, name: str) -> Reply | None:
        if self._find(name) is not None:
            return None
        return _plain("There is no such user: pass ?user=<xmppUsername>, or choose one in the sandbox's page.", 404)


def page_path(app_id: str, users: Iterable[str], chat: str | None) -> str:
    """Return the path of the chat page of one user, or of several side by side; they and `chat` by their ids."""
    names = [f"{app_id}_{user}" for user in users]
    page = CHAT if len(names) == 1 else LIVE
    place = "" if chat is None else f"#room/{quote(f'{app_id}_{chat}', safe='')}"
    return f"{ROOT}{page}?{urlencode([('user', name) for name in names])}{place}"


def _reading(request: BaseRequest) -> Reply | None:
    return None if request.method in ("GET", "HEAD") else _plain("Use GET.", 405)


def _static(name: str, kind: str) -> Callable[[BaseRequest], Awaitable[Reply]]:
    async def answer(request: BaseRequest) -> Reply:
        return _reading(request) or Reply(200, _asset(name), kind, dict(HEADERS))

    return answer


@cache
def _asset(name: str) -> bytes:
    return files("ethora_async.sandbox.ethora.chat_page").joinpath("assets", name).read_bytes()


def _plain(text: str, status: int) -> Reply:
    return text_reply(text, status, headers=dict(HEADERS))
