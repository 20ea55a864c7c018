"""Mount the endpoints in aiohttp::

    ETHORA = web.AppKey("ETHORA", EthoraClient)
    chat = AppClient(EthoraClient.from_env)

    app = web.Application()
    app.cleanup_ctx.append(client_context(chat, ETHORA))
    app.add_subapp("/chat", chat_app(Routes(token=TokenEndpoint(chat, identify))))

`identify` is called with the `aiohttp.web.Request`. Its handlers find the client as ``request.config_dict[ETHORA]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from ethora_async.web.request import ClientDisconnectError, Request, lower_case

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from ethora_async.web.clients import AppClient, Closable
    from ethora_async.web.routes import Routes
    from ethora_async.web_response import WebResponse

ClosableT = TypeVar("ClosableT", bound="Closable")

_TAIL = "/{tail:.*}"


def chat_app(routes: Routes) -> web.Application:
    """Return an application for ``add_subapp``, or to run by itself."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return response(await routes.handle(taken_out(request)))
        except ClientDisconnectError:
            return web.Response(status=400)

    app = web.Application()
    app.router.add_route("*", _TAIL, handle)
    return app


def client_context(
    chat: AppClient[ClosableT], key: web.AppKey[ClosableT]
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a cleanup context that opens the client when the application starts, stores it under `key`, and closes it
    at the end.
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        async with chat as client:
            app[key] = client
            yield

    return context


def taken_out(request: web.Request) -> Request:
    """Convert the request to `ethora_async.web`'s, with its path below the mount."""

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in request.content.iter_any():
                yield chunk
        except (ConnectionError, web.RequestPayloadError):
            raise ClientDisconnectError from None

    resource = request.match_info.route.resource
    prefix = resource.canonical.removesuffix("/{tail}") if resource is not None else ""
    return Request(
        method=request.method,
        path=request.rel_url.raw_path.removeprefix(prefix),
        query=request.rel_url.raw_query_string,
        headers=lower_case(request.headers.items()),
        body=body,
        native=request,
        remote=request.remote,
    )


def response(answer: WebResponse) -> web.Response:
    """Convert the answer to aiohttp's."""
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)
