"""Framework integration apart from the routes: clients that open and close with the application, Django's loops."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from aiohttp import web
from fastapi import Depends, FastAPI
from web_parts import JSON, Native, ethora, made
from web_sites import (
    USER_HEADER,
    ask,
    django_urls,
    identify,
    served_by_aiohttp,
    served_by_uvicorn,
)

from ethora_async import ConfigError, EthoraClient, NewUser, RocketChatClient
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox
from ethora_async.web import AppClient, Health, OwnLoop, Request, Routes, TokenEndpoint
from ethora_async.web.aiohttp import chat_app, client_context
from ethora_async.web.asgi import ASGIApp

if TYPE_CHECKING:
    from collections.abc import Iterator

ANN = (USER_HEADER, "ann")
KEY: web.AppKey[EthoraClient] = web.AppKey("KEY", EthoraClient)


class Counted(EthoraClient):
    """Counts how often it is closed."""

    closed = 0

    async def aclose(self) -> None:
        type(self).closed += 1
        await super().aclose()


@pytest.fixture
def chat() -> AppClient[Counted]:
    Counted.closed = 0
    return AppClient(lambda: Counted(app_id="app", secret="unit-test-secret-not-a-real-one-0001", api_url="http://x"))


def routes_of(chat: Any, **parts: Any) -> Routes:
    return Routes(token=TokenEndpoint(chat, identify), **parts)


async def test_aiohttp_opens_and_closes_the_client(chat: AppClient[Counted]) -> None:
    async def own(request: web.Request) -> web.Response:
        return web.Response(text=request.config_dict[KEY].app_id)

    app = web.Application()
    app.cleanup_ctx.append(client_context(chat, KEY))
    app.router.add_get("/own", own)
    app.add_subapp("/chat", chat_app(routes_of(chat)))
    async with served_by_aiohttp(app) as port:
        assert (await ask(port, headers=(JSON, ANN))).status == 200
        assert (await ask(port, "GET", "/own")).body == b"app"
        assert Counted.closed == 0
    assert Counted.closed == 1


async def test_aiohttp_alone(chat: AppClient[Counted]) -> None:
    app = chat_app(routes_of(chat, prefix="/chat", health=Health()))
    app.cleanup_ctx.append(client_context(chat, KEY))
    async with served_by_aiohttp(app) as port:
        assert (await ask(port, headers=(JSON, ANN))).status == 200
        assert (await ask(port, "GET", "/healthz")).status == 200
        assert (await ask(port, "POST", "/token", (JSON, ANN))).status == 404


@pytest.mark.parametrize("ending", [b"4\r\nhalf", None])
async def test_aiohttp_without_cancellation_makes_no_fuss_of_a_caller_who_hangs_up(
    ending: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def limit(user: Any, native: Any) -> None:
        began.set()

    class Told(TokenEndpoint[Any]):
        async def handle(self, request: Request) -> Any:
            try:
                return await super().handle(request)
            finally:
                ended.set()

    app = web.Application()
    app.add_subapp("/chat", chat_app(Routes(token=Told(ethora(), identify, rate_limit=limit))))
    async with served_by_aiohttp(app, handler_cancellation=False) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        length = "Content-Length: 100" if ending is None else "Transfer-Encoding: chunked"
        head = ["POST /chat/token HTTP/1.1", "Host: x", ": ".join(JSON), ": ".join(ANN), length]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n")
        await asyncio.wait_for(began.wait(), 60)
        writer.write(ending or b"")
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 60)
    assert "Traceback" not in caplog.text


async def test_asgi_alone_opens_and_closes_the_client(chat: AppClient[Counted]) -> None:
    app = ASGIApp(routes_of(chat, prefix="/chat", health=Health()), chat)
    async with served_by_uvicorn(app) as port:
        assert (await ask(port, headers=(JSON, ANN))).status == 200
        assert (await ask(port, "GET", "/healthz")).status == 200
        assert Counted.closed == 0
    assert Counted.closed == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("ETHORA_CHAT_APP_ID is not set"), "ETHORA_CHAT_APP_ID is not set"),
        (ValueError("canary-secret-90210"), "ValueError"),
    ],
)
async def test_asgi_tells_the_server_why_it_cannot_start(error: Exception, reason: str) -> None:
    def broken() -> EthoraClient:
        raise error

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await ASGIApp(Routes(), AppClient(broken))({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": reason}]


async def test_asgi_has_no_websockets_and_knows_nothing_else() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await ASGIApp(Routes())({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(ValueError, match="gopher"):
        await ASGIApp(Routes())({"type": "gopher"}, receive, send)


async def test_fastapi_opens_the_client_and_gives_it_to_routes(chat: AppClient[Counted]) -> None:
    app = FastAPI(lifespan=chat.lifespan)
    app.mount("/chat", ASGIApp(routes_of(chat)))

    async def own(client: Any = Depends(chat.get)) -> str:  # noqa: B008
        return str(client.app_id)

    app.add_api_route("/own", own)
    async with served_by_uvicorn(app) as port:
        assert (await ask(port, headers=(JSON, ANN))).status == 200
        assert (await ask(port, "GET", "/own")).body == b'"app"'
        assert Counted.closed == 0
    assert Counted.closed == 1


@pytest.mark.parametrize("root_path", ["/api", "/a/b"])
@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
async def test_fastapi_below_a_path_of_the_proxys(chat: AppClient[Counted], root_path: str, stripped: bool) -> None:
    app = FastAPI(lifespan=chat.lifespan, root_path=root_path)
    app.mount("/chat", ASGIApp(routes_of(chat)))
    before = "" if stripped else root_path.rstrip("/")
    async with served_by_uvicorn(app) as port:
        assert (await ask(port, "POST", f"{before}/chat/token", headers=(JSON, ANN))).status == 200
        assert (await ask(port, "GET", f"{before}/chat/nothing")).status == 404


async def test_litestar_opens_the_client(chat: AppClient[Counted]) -> None:
    from litestar import Litestar, asgi

    mount = asgi("/chat", is_mount=True, copy_scope=True)(ASGIApp(routes_of(chat)))
    async with served_by_uvicorn(Litestar([mount], lifespan=[chat.lifespan], openapi_config=None)) as port:
        assert (await ask(port, headers=(JSON, ANN))).status == 200
        assert Counted.closed == 0
    assert Counted.closed == 1


class Threading(ThreadingMixIn, WSGIServer):
    """Django's own development server in short: WSGI, a thread for each request."""

    daemon_threads = True
    block_on_close = True


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def served_by_wsgi(app: Any) -> Iterator[int]:
    server = Threading(("127.0.0.1", 0), Silent)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_django_under_wsgi_with_a_client_in_a_loop_of_its_own() -> None:
    from django.core.handlers.wsgi import WSGIHandler

    async with (
        RocketChatSandbox(rate_limit=None) as sandbox,
        OwnLoop(
            lambda: RocketChatClient(
                url=sandbox.url,
                user="admin",
                password=sandbox.admin_password,
                create_tokens_secret=sandbox.secret,
            )
        ) as chat,
    ):
        ann = NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="Lee")
        await chat.run(lambda client: client.users.create_many([ann]))
        django_urls(routes_of(chat, health=Health(chat)))
        with served_by_wsgi(WSGIHandler()) as port:
            replies = await asyncio.gather(*(ask(port, headers=(JSON, ANN)) for _ in range(8)))
            ready = await ask(port, "GET", "/chat/readyz")
        assert [reply.status for reply in replies] == [200] * 8
        assert len({json.loads(reply.body)["token"] for reply in replies}) == 1
        assert json.loads(ready.body)["checks"] == {"secret": "ok", "platform": "ok"}


async def test_django_under_wsgi_with_a_plain_client_says_what_is_wrong() -> None:
    """A client that sends requests belongs to one loop, and every request has another."""
    from django.core.handlers.wsgi import WSGIHandler

    async with EthoraSandbox(app_id="app") as sandbox:
        client = ethora(api_url=sandbox.url, secret=sandbox.secret)
        await client.ping()

        async def may_enter(user: Any, room: str) -> bool:
            return bool(await client.ping())

        django_urls(Routes(token=TokenEndpoint(client, identify, may_enter=may_enter)))
        with served_by_wsgi(WSGIHandler()) as port:
            assert (await ask(port, headers=(JSON, ANN))).status == 200  # nothing to send
            assert (await ask(port, headers=(JSON, ANN), body=b'{"room":"x"}')).status == 500
        await client.aclose()


@pytest.mark.parametrize("prefix", ["chat", "/chat/", "/"])
def test_a_prefix_is_a_path(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix"):
        Routes(prefix=prefix)


@pytest.mark.parametrize("path", ["", "/", "//", "/token//", "/TOKEN", "/./token", "/healthz/x", "/users-infox"])
async def test_there_is_nothing_elsewhere(path: str) -> None:
    headers = [JSON, ANN]
    request = Request.of("POST", path, headers=headers, native=Native(headers))
    assert (await made().routes.handle(request)).status == 404


async def test_what_is_not_given_is_not_there() -> None:
    for path in ("/token", "/users-info", "/healthz", "/readyz"):
        assert (await Routes().handle(Request.of("GET", path))).status == 404


async def _through_asgi(method: str, path: str, *messages: dict[str, Any]) -> list[Any]:
    """Return what an ASGI application sends when a server passes it these messages in order."""
    waiting, sent = list(messages), list[Any]()

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in (JSON, ANN)]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    await ASGIApp(made().routes)(scope, receive, send)
    return sent


async def test_asgi_sends_nothing_to_a_caller_who_has_hung_up() -> None:
    half = {"type": "http.request", "body": b"{", "more_body": True}
    assert await _through_asgi("POST", "/token", half, {"type": "http.disconnect"}) == []
    whole = await _through_asgi("POST", "/token", half, {"type": "http.request", "body": b"}"})
    assert whole[0]["status"] == 200


async def test_asgi_sends_no_body_where_servers_would_not_take_it_off() -> None:
    start, body = await _through_asgi("HEAD", "/healthz")
    assert body["body"] == b""
    assert dict(start["headers"])[b"content-length"] == b"15"
