"""The route on which a platform looks up this site's users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import ChatError
from ethora_async.web.failures import answer_to
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from ethora_async.capabilities import CallbackHandler
    from ethora_async.web.request import Request


class UserInfoEndpoint:
    """Hands requests to a client's users-info handler, such as ImbaChat's.

    The handler authenticates the platform itself. It needs no prefix: it gets the path after the route's own.

    Args:
        handler: ``client.user_info(lookup)``.
    """

    def __init__(self, handler: CallbackHandler) -> None:
        self._handler = handler

    async def handle(self, request: Request) -> WebResponse:
        """Answer one request. Its body is not read.

        Raises:
            Exception: any error of your lookup except `ChatError`.
        """
        try:
            answer = await self._handler.handle(request.method, request.path, request.query, request.headers)
        except ChatError as error:
            return answer_to(error)
        return WebResponse(answer.status, answer.headers, answer.body)
