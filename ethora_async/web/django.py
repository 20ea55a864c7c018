"""Mount the endpoints in Django::

    chat = OwnLoop(EthoraClient.from_env)
    urlpatterns = [path("chat/", include(chat_urls(Routes(token=TokenEndpoint(chat, identify)))))]

`identify` is called with the `django.http.HttpRequest`; one for Django's own log-in is::

    async def identify(request):
        user = await request.auser()
        return user.pk if user.is_authenticated else None

**CSRF.** The view is exempt from Django's own protection, which requires a token that a page's script would need. The
token endpoint has its own protection (`ethora_async.web.origins`): it requires JSON, and the site's own origin. The
users-info callback is authenticated by its own password, and health routes change nothing.

**Event loops.** A client belongs to one event loop. Under ASGI, with uvicorn or Daphne, there is one, and a plain
client works. Under WSGI, and so under ``runserver``, every request of an async view has its own temporary loop: calls
then fail with `WrongLoopError`, except those that send nothing, such as minting an Ethora token. `OwnLoop` keeps its
client in a separate loop, and works everywhere.

**Bodies.** Under ASGI, Django reads the whole body before any view is called, to memory and then to disk. The endpoints
still reject large bodies; but the server or the proxy must limit slow and huge ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.http import HttpResponse
from django.http.request import UnreadablePostError
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from ethora_async.web.request import ClientDisconnectError, Request, lower_case

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from django.http import HttpRequest
    from django.urls import URLPattern, URLResolver

    from ethora_async.web.routes import Routes
    from ethora_async.web_response import WebResponse

_CHUNK = 4096
_PLAIN = "/!$&'()*+,:;=@~"


def chat_urls(routes: Routes) -> list[URLPattern | URLResolver]:
    """Return URL patterns for ``include``: everything below goes to the routes."""
    return [re_path(r"^(?s:(?P<tail>.*))$", chat_view(routes))]


def chat_view(routes: Routes) -> Callable[..., Awaitable[HttpResponse]]:
    """Return the async view behind `chat_urls`; it is called with the request and the path below the mount as
    `tail`.
    """

    async def view(request: HttpRequest, tail: str = "") -> HttpResponse:
        try:
            return response(await routes.handle(taken_out(request, tail)))
        except ClientDisconnectError:
            return HttpResponse(status=400)

    exempt: Callable[..., Awaitable[HttpResponse]] = csrf_exempt(view)
    return exempt


def taken_out(request: Any, tail: str) -> Request:
    """Convert the request to `ethora_async.web`'s. Repeated headers are joined by commas."""

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            while chunk := request.read(_CHUNK):
                yield chunk
        except UnreadablePostError:
            raise ClientDisconnectError from None

    return Request(
        method=(request.method or "").upper(),
        path="/" + quote(tail, safe=_PLAIN),
        query=request.META.get("QUERY_STRING", ""),
        headers=lower_case(request.headers.items()),
        body=body,
        native=request,
        remote=request.META.get("REMOTE_ADDR"),
    )


def response(answer: WebResponse) -> HttpResponse:
    """Convert the answer to Django's."""
    made = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    if "Content-Type" not in answer.headers:
        del made["Content-Type"]
    if answer.status != 204:
        made["Content-Length"] = str(len(answer.body))
    return made
