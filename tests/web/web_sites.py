"""Real servers that mount the routes in every framework, and a client that shows what really came back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import uvicorn
from aiohttp import web
from configured_django import configure_django

from ethora_async.web.aiohttp import chat_app
from ethora_async.web.asgi import ASGIApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from ethora_async.web import Routes

CHANGING = frozenset({"date", "server", "connection", "keep-alive", "transfer-encoding"})
"""Headers that belong to the server, and not to the answer."""

USER_HEADER = "x-user"
"""Who is logged in, as far as the tests go."""


@attrs.frozen
class Reply:
    """One reply."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def served_by_uvicorn(app: Any, lifespan: Any = "on") -> AsyncIterator[int]:
    """Run an ASGI application in this loop; yield the port."""
    config = uvicorn.Config(app, port=0, lifespan=lifespan, log_level="critical", access_log=False, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.005)
        if serving.done():
            await serving
            msg = "uvicorn did not start"
            raise RuntimeError(msg)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def served_by_aiohttp(app: web.Application, *, handler_cancellation: bool = True) -> AsyncIterator[int]:
    """Run an aiohttp application in this loop; yield the port."""
    runner = web.AppRunner(app, handler_cancellation=handler_cancellation, lingering_time=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def header_of(native: Any, name: str) -> str | None:
    """A header of any framework's request."""
    if isinstance(native, dict):  # ASGI's scope
        return dict(native["headers"]).get(name.encode(), b"").decode() or None
    value: str | None = native.headers.get(name)
    return value


async def identify(native: Any) -> str | None:
    """Return the user whom the request names, without any proof."""
    return header_of(native, USER_HEADER)


@asynccontextmanager
async def aiohttp_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.add_subapp("/chat", chat_app(routes))
    async with served_by_aiohttp(app) as port:
        yield port


@asynccontextmanager
async def asgi_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    """Not mounted: the server itself sets a root path."""
    inner = ASGIApp(routes)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "root_path": "/chat"}, receive, send)

    async with served_by_uvicorn(app) as port:
        yield port


@asynccontextmanager
async def starlette_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    async with served_by_uvicorn(Starlette(routes=[Mount("/chat", ASGIApp(routes))])) as port:
        yield port


@asynccontextmanager
async def fastapi_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    from fastapi import FastAPI

    app = FastAPI()
    app.mount("/chat", ASGIApp(routes))
    async with served_by_uvicorn(app) as port:
        yield port


@asynccontextmanager
async def fastapi_router_site(routes: Routes, *, options: Mapping[str, Any], **_: Any) -> AsyncIterator[int]:
    """The token endpoint as a route with a dependency; everything else mounted."""
    from fastapi import FastAPI
    from web_dependency import current_user

    from ethora_async.web.fastapi import token_router

    app = FastAPI()
    app.include_router(token_router(options["client"], current_user, **options["token"]), prefix="/chat")
    app.mount("/chat", ASGIApp(routes))
    async with served_by_uvicorn(app) as port:
        yield port


@asynccontextmanager
async def litestar_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    from litestar import Litestar, asgi

    app = Litestar([asgi("/chat", is_mount=True, copy_scope=True)(ASGIApp(routes))], openapi_config=None)
    async with served_by_uvicorn(app) as port:
        yield port


def django_urls(routes: Routes) -> Any:
    """A URL configuration that Django takes in place of a module's name."""
    from types import ModuleType

    configure_django()
    from django.conf import settings
    from django.urls import clear_url_caches, include, path, set_urlconf

    from ethora_async.web.django import chat_urls

    clear_url_caches()
    set_urlconf(None)
    urls = ModuleType("urls_of_this_test")
    urls.urlpatterns = [path("chat/", include(chat_urls(routes)))]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    return urls


@asynccontextmanager
async def django_site(routes: Routes, **_: Any) -> AsyncIterator[int]:
    django_urls(routes)
    from django.core.handlers.asgi import ASGIHandler

    async with served_by_uvicorn(ASGIHandler(), lifespan="off") as port:
        yield port


SITES: dict[str, Callable[..., Any]] = {
    "aiohttp": aiohttp_site,
    "asgi": asgi_site,
    "starlette": starlette_site,
    "fastapi": fastapi_site,
    "fastapi router": fastapi_router_site,
    "litestar": litestar_site,
    "django": django_site,
}


async def ask(
    port: int,
    method: str = "POST",
    target: str = "/chat/token",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    chunks: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None,
) -> Reply:
    """Send one request, its bytes as given, and read all that comes back. `chunks` writes the body itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if "host" not in names:
        lines.append("Host: www.example.com")
    if chunks is None and "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    try:
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        if chunks is not None:
            await chunks(writer)
        async with asyncio.timeout(60):
            return await read_reply(reader)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """One reply, up to the end of the connection or its stated length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            assert name.lower() not in headers, f"{name} came twice"
            headers[name.lower()] = value.strip()
    body = await reader.read()
    if headers.get("transfer-encoding") == "chunked":
        body = dechunked(body)
    status = int(head[0].split()[1])
    return Reply(status, {name: value for name, value in headers.items() if name not in CHANGING}, body)


def dechunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        out, body = out + rest[:length], rest[length + 2 :]
        if not length:
            break
    return out
