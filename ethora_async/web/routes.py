"""The endpoints of a site, each at its path; what every adapter mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.answer import Answer
from ethora_async.errors import ConfigError

if TYPE_CHECKING:
    from ethora_async.web.health import Health
    from ethora_async.web.request import Endpoint, Request


class Routes:
    """Sends each request to its endpoint. A slash at the end makes no difference: Litestar puts one there.

    ========================  ====================================================
    path                      endpoint
    ========================  ====================================================
    ``PREFIX/token``          `token`: a `TokenEndpoint`
    ``PREFIX/users-info``     `user_info`: a `UserInfoEndpoint`; what is below too
    ``/healthz``              `health`: whether the process lives
    ``/readyz``               `health`: whether it can do its work
    ========================  ====================================================

    Args:
        prefix: such as ``/chat``, for an application that stands alone. Below a framework's mount it is empty.
    """

    def __init__(
        self,
        *,
        token: Endpoint | None = None,
        user_info: Endpoint | None = None,
        health: Health | None = None,
        prefix: str = "",
    ) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            msg = "prefix must be empty, or begin with a slash and not end with one; an example is /chat"
            raise ConfigError(msg)
        self._exact: dict[str, Endpoint] = {}
        if token is not None:
            self._exact[f"{prefix}/token"] = token
        if health is not None:
            self._exact |= {"/healthz": health.live, "/readyz": health.ready}
        self._user_info = user_info
        self._user_info_path = f"{prefix}/users-info"

    async def handle(self, request: Request) -> Answer:
        """Answer one request; 404 for what is not there.

        Raises:
            ClientGone: there is nobody left to answer.
            Exception: whatever your callbacks raise that is no `ChatError`.
        """
        path = request.path.removesuffix("/")
        endpoint = self._exact.get(path)
        if endpoint is not None:
            return await endpoint.handle(request)
        below = path.removeprefix(self._user_info_path)
        if self._user_info is not None and below != path and below[:1] in ("", "/"):
            return await self._user_info.handle(attrs.evolve(request, path=below))
        return Answer.refusal(404, "not_found", "There is nothing here.")
