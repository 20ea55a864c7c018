"""Plain requests to the local Avaya, which share no code with our client."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from ethora_async.sandbox import AvayaSandbox

INTEGRATION = "6b2a3c1e-0d4f-4a5b-8c6d-7e8f90a1b2c3"


async def send(url: str, data: Any, headers: dict[str, str], method: str = "POST") -> tuple[int, Any, dict[str, str]]:
    """The status, the JSON and the headers of one reply."""
    # aiohttp wants large bodies as streams.
    data = io.BytesIO(data) if isinstance(data, bytes) else data
    async with aiohttp.ClientSession() as session, session.request(method, url, data=data, headers=headers) as reply:
        raw = await reply.read()
        return reply.status, json.loads(raw) if raw else None, {k.lower(): v for k, v in reply.headers.items()}


async def token(sandbox: AvayaSandbox, **changes: Any) -> tuple[int, Any, dict[str, str]]:
    """Ask the token endpoint; None leaves a field or the header out."""
    form = {
        "grant_type": "client_credentials",
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
    }
    headers = {"appkey": changes.pop("appkey", sandbox.app_key)}
    account = changes.pop("account", sandbox.account_id)
    url = f"{sandbox.url}/api/auth/v1/{account}/protocol/openid-connect/token"
    fields = {name: value for name, value in {**form, **changes}.items() if value is not None}
    return await send(url, fields, {name: value for name, value in headers.items() if value is not None})


async def generate(sandbox: AvayaSandbox, body: Any, **changes: Any) -> tuple[int, Any, dict[str, str]]:
    """Ask for a chat token; with a fresh access token unless another is given."""
    bearer = changes.pop("bearer", None) or (await token(sandbox))[1]["access_token"]
    headers = {
        "Authorization": f"Bearer {bearer}",
        "appkey": changes.pop("appkey", sandbox.app_key),
        "Content-Type": changes.pop("content_type", "application/json"),
    }
    account = changes.pop("account", sandbox.account_id)
    url = f"{sandbox.url}/api/digital/chat/v1/accounts/{account}/tokens"
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await send(url, raw, headers)


def guest(**changes: Any) -> dict[str, Any]:
    body = {"integrationId": INTEGRATION, "customerId": "c1", **changes}
    return {name: value for name, value in body.items() if value is not ...}


def claims(jwt: str, place: int) -> Any:
    part = jwt.split(".")[place]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
