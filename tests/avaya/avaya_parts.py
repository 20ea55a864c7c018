"""A client of a scripted Avaya, and helpers for the tests."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict

from ethora_async import AvayaClient
from ethora_async.request import Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

INTEGRATION = "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3"
APP_KEY = "app-key-of-the-tests-0001"
CLIENT_SECRET = "a+client/secret &of=the tests"
SETTINGS: dict[str, Any] = {
    "account_id": "ABCDEF",
    "app_key": APP_KEY,
    "client_id": "client-of-the-tests",
    "secret": CLIENT_SECRET,
    "integration_id": INTEGRATION,
    "host": "eu.api.avayacloud.com",
}
ORIGIN = "https://eu.api.avayacloud.com"
TOKEN_URL = f"{ORIGIN}/api/auth/v1/ABCDEF/protocol/openid-connect/token"
JWT_URL = f"{ORIGIN}/api/digital/chat/v1/accounts/ABCDEF/tokens"
ACCESS = "access-token-of-the-tests-0001"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(claims: Any, prefix: str = "jwt.") -> str:
    return f"{prefix}{part({'alg': 'RS256'})}.{part(claims)}.{part(b'signature-signature')}"


def reply(status: int, data: Any = None, content_type: str = "application/json", **headers: str) -> Response:
    """Return a reply with JSON, or with `data` itself if it is bytes."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, CIMultiDict({"Content-Type": content_type, **named}), body)


def access(value: str = ACCESS, **changes: Any) -> Response:
    return reply(200, {"access_token": value, "expires_in": 900, "token_type": "Bearer", **changes})


def problem(status: int, detail: str = "", /, **members: Any) -> Response:
    body = {"type": "about:blank", "title": "A title", "status": status, "detail": detail, "instance": "/x", **members}
    return reply(status, body, "application/problem+json")


class Wire:
    """Answers token requests with `tokens` and the others with `jwts`, in order; the last one is repeated."""

    def __init__(self, clock: FakeClock, *jwts: Any, tokens: Any = (), **options: Any) -> None:
        self.clock = clock
        self.jwts = list(jwts) or [lambda _: reply(201, {"jwtToken": jwt({"exp": int(clock.now()) + 900})})]
        self.tokens = list(tokens) or [access()]
        self.transport = MemoryTransport(self._answer)
        self.client = AvayaClient(**{**SETTINGS, **options}, transport=self.transport, clock=clock)

    def _answer(self, request: Request) -> Any:
        left = self.tokens if "openid-connect" in request.url else self.jwts
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one(request) if callable(one) else one

    @property
    def token_requests(self) -> list[Request]:
        return [one for one in self.transport.requests if "openid-connect" in one.url]

    @property
    def jwt_requests(self) -> list[Request]:
        return [one for one in self.transport.requests if "openid-connect" not in one.url]
