"""The endpoints of a site, each at its path, for every adapter to mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import ConfigError
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from ethora_async.web.health import Health
    from ethora_async.web.request import Endpoint, Request
    from ethora_async.web.scim.endpoint import ScimEndpoint


class Routes:
    """Sends each request to its endpoint. A trailing slash is ignored, since Litestar adds one.

    ========================  ====================================================
    path                      endpoint
    ========================  ====================================================
    ``PREFIX/token``          `token`: a `TokenEndpoint`
    ``PREFIX/users-info``     `user_info`: a `UserInfoEndpoint`; what is below too
    ``SCIM_PATH/…``           `scim`: a `ScimEndpoint`; everything below
    ``/healthz``              `health`: whether the process lives
    ``/readyz``               `health`: whether it can do its work
    ========================  ====================================================

    Args:
        prefix: such as ``/chat``, for a stand-alone application. Below a framework's mount it is empty.
        scim_path: the path of `scim`. Empty when a framework mounts the routes there: `scim` then gets all other
            requests.
    """

    def __init__(
        self,
        *,
        token: Endpoint | None = None,
        user_info: Endpoint | None = None,
        health: Health | None = None,
        scim: ScimEndpoint | None = None,
        prefix: str = "",
        scim_path: str = "/scim/v2",
    ) -> None:
        for name, path, example in (("prefix", prefix, "/chat"), ("scim_path", scim_path, "/scim/v2")):
            if path and (not path.startswith("/") or path.endswith("/")):
                msg = f"{name} must be empty, or begin with a slash and not end with one; an example is {example}"
                raise ConfigError(msg)
        self._exact: dict[str, Endpoint] = {}
        if token is not None:
            self._exact[f"{prefix}/token"] = token
        if health is not None:
            self._exact |= {"/healthz": health.live, "/readyz": health.ready}
        self._user_info = user_info
        self._user_info_path = f"{prefix}/users-info"
        self._scim = scim
        self._scim_path = scim_path

    async def handle(self, request: Request) -> WebResponse:
        """Answer one request; 404 for an unknown path.

        Raises:
            ClientDisconnectError: the client has disconnected.
            Exception: any error of your callbacks except `ChatError`.
        """
        path = request.path.removesuffix("/")
        endpoint = self._exact.get(path)
        if endpoint is not None:
            return await endpoint.handle(request)
        below = path.removeprefix(self._user_info_path)
        if self._user_info is not None and below != path and below[:1] in ("", "/"):
            return await self._user_info.handle(attrs.evolve(request, path=below))
        if self._scim is not None and (path == self._scim_path or path.startswith(f"{self._scim_path}/")):
            inner = attrs.evolve(request, path=path.removeprefix(self._scim_path))
            return await self._scim.handle(inner, self._scim_path or "/scim/v2")
        return WebResponse.refusal(404, "not_found", "Not found.")
