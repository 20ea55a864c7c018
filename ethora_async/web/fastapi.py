"""The token endpoint as a FastAPI route whose user comes from your dependency::

    chat = AppClient(EthoraClient.from_env)
    app = FastAPI(lifespan=chat.lifespan)
    app.include_router(token_router(chat, current_user_id, may_enter=may_enter), prefix="/chat")

Other endpoints are mounted as in `ethora_async.web.asgi`; ``Depends(chat.get)`` passes the client to your routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from fastapi import APIRouter, Depends, Response
from fastapi import Request as FastAPIRequest

from ethora_async.web.asgi import raw_headers, taken_out
from ethora_async.web.request import ClientDisconnectError
from ethora_async.web.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.web.clients import Runs
    from ethora_async.web.token_endpoint import ClientT
    from ethora_async.web_response import WebResponse

_USER = "ethora_async.user"
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


def token_router(
    client: ClientT | Callable[[], ClientT] | Runs[ClientT], current_user: Callable[..., Any], **options: Any
) -> APIRouter:
    """Return a router with the token endpoint at ``/token``.

    Args:
        client: as for `TokenEndpoint`.
        current_user: a dependency that returns the user's id, or None for a request without a user, which is answered
            with 401. Its errors go to FastAPI, before anything else is checked.
        options: `TokenEndpoint`'s; `rate_limit` is called with the `fastapi.Request`.
    """
    endpoint: TokenEndpoint[ClientT] = TokenEndpoint(client, _user_of, **options)
    router = APIRouter()

    async def token(request: FastAPIRequest, user: Any = Depends(current_user)) -> Response:  # noqa: B008
        request.scope[_USER] = user
        try:
            asked = attrs.evolve(taken_out(request.scope, request.receive), native=request)
            return _Prepared(await endpoint.handle(asked))
        except ClientDisconnectError:
            return Response(status_code=400)

    router.add_api_route("/token", token, methods=_METHODS, include_in_schema=False)
    return router


async def _user_of(request: FastAPIRequest) -> Any:
    return request.scope[_USER]


class _Prepared(Response):
    """A finished answer, to which Starlette adds no headers."""

    def __init__(self, answer: WebResponse) -> None:
        super().__init__(answer.body, answer.status)
        self.raw_headers = raw_headers(answer)
