"""Mount the endpoints in FastAPI, Starlette, Litestar and any other framework that mounts ASGI applications::

    chat = AppClient(EthoraClient.from_env)
    routes = Routes(token=TokenEndpoint(chat, identify))

    app = FastAPI(lifespan=chat.lifespan)                                                     # or Starlette
    app.mount("/chat", ASGIApp(routes))

    app = Litestar([asgi("/chat", is_mount=True, copy_scope=True)(ASGIApp(routes))], lifespan=[chat.lifespan])

`identify` is called with the ASGI scope, which contains what the application's middleware has added, such as
``scope["user"]`` or ``scope["session"]``. Mounted applications receive no lifespan events, so the outer application
opens the client. A stand-alone ``ASGIApp(routes, chat)`` opens it itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ethora_async.errors import ChatError
from ethora_async.web.request import ClientDisconnectError, Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ethora_async.web.clients import AppClient
    from ethora_async.web.routes import Routes
    from ethora_async.web_response import WebResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PLAIN = "/!$&'()*+,:;=@~"
"""Characters that stay unencoded in paths, beside letters, digits and ``-._``."""


class ASGIApp:
    """An ASGI 3 application.

    Args:
        routes: the endpoints.
        client: opened when the server starts, closed when it ends; only for a stand-alone application.
    """

    def __init__(self, routes: Routes, client: AppClient[Any] | None = None) -> None:
        self._routes = routes
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the life of the server."""
        kind = scope["type"]
        if kind == "http":
            await self._answer(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            msg = f"ASGIApp serves http and lifespan, not {kind}"
            raise ValueError(msg)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._routes.handle(taken_out(scope, receive))
        except ClientDisconnectError:
            return
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": raw_headers(answer)})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                if self._client is not None:
                    await stack.enter_async_context(self._client)
            except Exception as error:  # noqa: BLE001  the error is reported to the server, which does not start
                # Errors of other code may contain a secret; ours name the missing setting.
                reason = str(error) if isinstance(error, ChatError) else type(error).__name__
                await send({"type": "lifespan.startup.failed", "message": reason})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def taken_out(scope: Scope, receive: Receive) -> Request:
    """Convert the request to `ethora_async.web`'s, with its path below the mount."""

    async def body() -> AsyncGenerator[bytes, None]:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectError
            yield message.get("body", b"")
            more = message.get("more_body", False)

    client = scope.get("client")
    return Request(
        method=scope["method"].upper(),
        path=quote(_below(scope["path"], scope.get("root_path", "")), safe=_PLAIN),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
        native=scope,
        remote=client[0] if client else None,
    )


def raw_headers(answer: WebResponse) -> list[tuple[bytes, bytes]]:
    """Return the answer's headers in ASGI's form, including Content-Length."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers


def _below(path: str, mount: str) -> str:
    """Return the path after the mount, which some frameworks remove and others do not."""
    mount = mount.rstrip("/")
    while mount:
        if path == mount or path.startswith(f"{mount}/"):
            return path.removeprefix(mount)
        # The proxy may have removed the first part, which ``FastAPI(root_path=…)`` prepends to the mount.
        _, _, rest = mount.lstrip("/").partition("/")
        mount = f"/{rest}" if rest else ""
    return path
