"""A plain client and a plain token signer: nothing of the library's client side is used here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import aiohttp

APP = "app123"
SECRET = "secret123"


def _part(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def sign(payload: Any, key: str, header: dict[str, Any] | None = None) -> str:
    head = _part(json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode())
    text = head + b"." + _part(json.dumps(payload).encode())
    return (text + b"." + _part(hmac.new(key.encode(), text, hashlib.sha256).digest())).decode()


def scoped(secret: str, purpose: str) -> str:
    return hmac.new(secret.encode(), f"ethora:{purpose}:v1".encode(), hashlib.sha256).hexdigest()


def server_token(app: str = APP, secret: str = SECRET, **claims: Any) -> str:
    return sign({"data": {"appId": app, "type": "server"}, **claims}, scoped(secret, "server"))


def client_token(user: str, app: str = APP, secret: str = SECRET, **claims: Any) -> str:
    return sign({"data": {"type": "client", "userId": user, "appId": app}, **claims}, scoped(secret, "client"))


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"uuid": name, "email": f"{name}@example.com", "firstName": "Ada", "lastName": "Byron", **more}


@attrs.frozen
class Reply:
    status: int
    body: Any
    headers: Any


class Api:
    """Calls the sandbox as an app's backend; `token=None` sends no token, another token replaces it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "server",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if token is not None:
            sent["x-custom-token"] = server_token() if token == "server" else token
        async with self._session.request(method, path, json=body, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            return Reply(response.status, json.loads(text) if is_json else text, response.headers)

    async def make_users(self, *names: str) -> None:
        reply = await self("POST", "/v1/users/batch", {"usersList": [row(name) for name in names]})
        assert reply.status == 200, reply

    async def make_chat(self, uuid: str, *members: str) -> None:
        reply = await self("POST", "/v2/chats", {"title": uuid, "uuid": uuid, "members": list(members)})
        assert reply.status == 201, reply

    async def log_in(self, user: str) -> dict[str, Any]:
        reply = await self("POST", "/v1/users/client", token=client_token(user))
        assert reply.status == 200, reply
        return reply.body
