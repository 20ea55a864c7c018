"""The calls of `request_overhead`: with the client, and with hand-written aiohttp code, tuned and simple."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import attrs
import orjson
from yarl import URL

from ethora_async import EthoraClient

APP = "646cc8dc96d4a4dc8f7b2f2d"
DESCRIPTION = "Everything about the order: where it is, who packs it, and what to do when it is late again"
MEMBERS = ("customer-1042", "clerk-7")

Call = Callable[[int], Awaitable[object]]
"""Makes the call for the n-th order or user."""


@attrs.frozen
class Kind:
    """One operation.

    Attributes:
        path: with ``{number}`` in it where it differs from call to call.
        body: what to send, or None.
        reply: what the server answers every time.
        typed: the same through the client.
    """

    name: str
    method: str
    path: str
    body: Callable[[int], Mapping[str, Any] | None]
    reply: Mapping[str, Any]
    typed: Callable[[EthoraClient, int], Awaitable[object]]


def by_client(kind: Kind, client: EthoraClient) -> Call:
    return lambda number: kind.typed(client, number)


def by_expert(kind: Kind, session: aiohttp.ClientSession, base: str, token: str) -> Call:
    """Call as an expert would: prepared URL and headers, no cookie jar, orjson both ways, bytes."""
    template = base + kind.path
    fixed = None if "{number}" in template else URL(template)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "benchmark",
        "Authorization": f"Bearer {token}",
        "x-custom-token": token,
    }

    async def call(number: int) -> object:
        url = fixed or URL(template.replace("{number}", str(number)), encoded=True)
        body = kind.body(number)
        data = None if body is None else orjson.dumps(body)
        async with session.request(kind.method, url, data=data, headers=headers, allow_redirects=False) as response:
            return orjson.loads(await response.read())["result"]

    return call


def by_hand(kind: Kind, session: aiohttp.ClientSession, base: str, token: str) -> Call:
    """Call as in a tutorial."""
    template = base + kind.path

    async def call(number: int) -> object:
        headers = {"Authorization": f"Bearer {token}", "x-custom-token": token}
        url = template.replace("{number}", str(number))
        async with session.request(kind.method, url, json=kind.body(number), headers=headers) as response:
            response.raise_for_status()
            return (await response.json())["result"]

    return call


def expert_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=30))


def _chat(number: int) -> dict[str, Any]:
    return {"title": f"Order {number}", "description": DESCRIPTION}


def _new_chat(number: int) -> dict[str, Any]:
    members = [f"{APP}_{member}" for member in MEMBERS]
    return {"uuid": f"order-{number}", **_chat(number), "type": "group", "members": members}


async def _update(client: EthoraClient, number: int) -> object:
    return await client.chats.update(f"order-{number}", title=f"Order {number}", description=DESCRIPTION)


async def _create(client: EthoraClient, number: int) -> object:
    title = f"Order {number}"
    return await client.chats.create(f"order-{number}", title=title, description=DESCRIPTION, members=MEMBERS)


async def _create_and_read(client: EthoraClient, number: int) -> object:
    outcome = await client.chats.create(
        f"order-{number}", title=f"Order {number}", description=DESCRIPTION, members=MEMBERS
    )
    return outcome.value


async def _get(client: EthoraClient, number: int) -> object:
    return await client.users.get(f"customer-{number}")


_TIMES = {"createdAt": "2026-10-01T12:00:00.000Z", "updatedAt": "2026-10-01T12:00:00.000Z"}
_CHAT_REPLY = {
    "result": {
        "_id": "6705f0a1b2c3d4e5f6a7b8c9",
        "name": f"{APP}_order-1042",
        "title": "Order 1042",
        "type": "group",
        "usersCnt": 2,
        **_TIMES,
    }
}
_USER_REPLY = {
    "result": {
        "_id": "6705f0a1b2c3d4e5f6a7b8c9",
        "xmppUsername": f"{APP}_customer-1042",
        "firstName": "Zoë",
        "lastName": "O'Brien",
        "email": "zoe@example.com",
        **_TIMES,
    }
}

UPDATE = Kind("chats.update", "PATCH", f"/v2/apps/{APP}/chats/{APP}_order-{{number}}", _chat, _CHAT_REPLY, _update)
GET = Kind(
    "users.get",
    "GET",
    f"/v2/chats/users?xmppUsername={APP}_customer-{{number}}",
    lambda _: None,
    _USER_REPLY,
    _get,
)
CREATE = Kind("chats.create", "POST", "/v2/chats", _new_chat, _CHAT_REPLY, _create)
CREATE_AND_READ = attrs.evolve(CREATE, name="chats.create, value read", typed=_create_and_read)
