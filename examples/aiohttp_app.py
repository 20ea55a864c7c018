"""Chat in an aiohttp application, with a page that logs in to it. Against a sandbox:

    ethora sandbox                                     # prints export lines: paste them into the next shell
    python examples/provision.py
    DEMO_PASSWORD=… python examples/aiohttp_app.py     # then open http://127.0.0.1:8080/page/index.html

The lines about chat are the ones under "chat"; the rest is what your application has already.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import ClientSession, web

from ethora_async import ChatToken, EthoraClient
from ethora_async.web import AppClient, Health, Routes, TokenEndpoint
from ethora_async.web.aiohttp import chat_app, client_context

if TYPE_CHECKING:
    from ethora_async.records import Id

# -- your application --------------------------------------------------------------------------------------------------

SESSIONS: dict[str, str] = {}  # yours are in a store
BUYERS = {"1042": {"ann", "bob"}}


async def log_in(request: web.Request) -> web.Response:
    form = await request.json()
    if not hmac.compare_digest(str(form["password"]).encode(), os.environ["DEMO_PASSWORD"].encode()):
        raise web.HTTPUnauthorized
    key = secrets.token_urlsafe()
    SESSIONS[key] = str(form["user"])
    response = web.json_response({"user": SESSIONS[key]})
    response.set_cookie("session", key, httponly=True, samesite="Lax")
    return response


# -- chat --------------------------------------------------------------------------------------------------------------

ETHORA = web.AppKey("ETHORA", EthoraClient)
TTL = int(os.environ.get("CHAT_TOKEN_TTL", "3600"))  # seconds

chat = AppClient(EthoraClient.from_env)


async def identify(request: web.Request) -> str | None:
    return SESSIONS.get(request.cookies.get("session", ""))


async def may_enter(user: object, room: str) -> bool:
    return user in BUYERS.get(room, ())


async def mint(ethora: EthoraClient, user: Id) -> ChatToken:
    return await ethora.tokens.for_user(user, ttl=TTL)


async def members(request: web.Request) -> web.Response:
    """One of your own handlers, which uses the client."""
    ethora = request.config_dict[ETHORA]
    return web.json_response([user.id async for user in ethora.chats.members(request.match_info["order"])])


async def platform(request: web.Request) -> web.Response:
    """Forward the browser's calls to the sandbox, which answers only pages of its own origin.

    In production the page calls the platform directly.
    """
    names = {"authorization", "content-type", "x-custom-token"}
    headers = {name: value for name, value in request.headers.items() if name.lower() in names}
    url = os.environ["ETHORA_CHAT_API_URL"].rstrip("/") + "/" + request.match_info["path"]
    async with (
        ClientSession() as session,
        session.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as reply,
    ):
        return web.Response(status=reply.status, body=await reply.read(), content_type=reply.content_type)


def make_app() -> web.Application:
    token = TokenEndpoint(chat, identify, may_enter=may_enter, mint=mint)
    app = web.Application()
    app.cleanup_ctx.append(client_context(chat, ETHORA))
    app.add_subapp("/chat", chat_app(Routes(token=token, health=Health(chat))))
    app.router.add_post("/login", log_in)
    app.router.add_get("/orders/{order}/members", members)
    app.router.add_static("/page", Path(__file__).with_name("page"))
    app.router.add_route("*", "/ethora/{path:v1/.*}", platform)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
