"""Chat for an async web application: the token endpoint, the users-info callback and health routes.

The endpoints are independent of frameworks. `ethora_async.web.aiohttp`, `ethora_async.web.asgi` (FastAPI, Starlette,
Litestar and any other framework that mounts ASGI applications), `ethora_async.web.fastapi` and
`ethora_async.web.django` mount them.
"""

from __future__ import annotations

from ethora_async.web.clients import AppClient, OwnLoop
from ethora_async.web.health import Health
from ethora_async.web.request import ClientDisconnectError, Request
from ethora_async.web.routes import Routes
from ethora_async.web.token_endpoint import TokenEndpoint
from ethora_async.web.user_info import UserInfoEndpoint
from ethora_async.web_response import WebResponse

__all__ = [
    "AppClient",
    "ClientDisconnectError",
    "Health",
    "OwnLoop",
    "Request",
    "Routes",
    "TokenEndpoint",
    "UserInfoEndpoint",
    "WebResponse",
]
