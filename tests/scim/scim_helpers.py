"""SCIM served over a socket, and the requests of an identity provider."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
from aiohttp import ClientSession, web

from ethora_async.web import Routes
from ethora_async.web.aiohttp import chat_app
from ethora_async.web.scim import ScimDirectory, ScimEndpoint, ScimMapping, ScimTokens
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "canary-of-the-scim-token-0123456789"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


@attrs.frozen
class Reply:
    status: int
    headers: dict[str, str]
    data: Any


@attrs.frozen
class Scim:
    """A SCIM service at a URL, and the directory behind it."""

    url: str
    directory: ScimDirectory
    session: ClientSession

    async def ask(self, method: str, path: str, data: Any = None, token: str | None = TOKEN, **headers: str) -> Reply:
        sent = {**headers}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = None
        if data is not None:
            sent.setdefault("Content-Type", "application/scim+json")
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
        async with self.session.request(method, self.url + path, data=body, headers=sent) as response:
            text = await response.read()
            return Reply(response.status, dict(response.headers), json.loads(text) if text else None)

    async def create_user(self, who: str, **fields: Any) -> dict[str, Any]:
        reply = await self.ask("POST", "/Users", user(who, **fields))
        assert reply.status == 201, reply
        created: dict[str, Any] = reply.data
        return created

    async def create_group(self, name: str, *members: str, **fields: Any) -> dict[str, Any]:
        data = {"schemas": [GROUP], "displayName": name, "members": [{"value": id} for id in members], **fields}
        reply = await self.ask("POST", "/Groups", data)
        assert reply.status == 201, reply
        created: dict[str, Any] = reply.data
        return created

    async def patch(self, path: str, *operations: dict[str, Any]) -> Reply:
        return await self.ask("PATCH", path, {"schemas": [PATCH], "Operations": [*operations]})

    async def get(self, path: str) -> Any:
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply
        return reply.data

    async def intents(self) -> list[tuple[str, str, str, Any]]:
        """Return the intents in the outbox's inbox, in order."""
        query = "SELECT kind, key, other, CAST(wanted AS text) FROM ethora_wish ORDER BY id"

        def read(db: Any) -> Any:
            with db.transaction(write=False):
                return db.rows(query)

        rows = await self.directory.run(read)
        return [(kind, key, other, None if wanted is None else json.loads(wanted)) for kind, key, other, wanted in rows]

    async def forget_intents(self) -> None:
        def clear(db: Any) -> None:
            with db.transaction(write=True):
                db.run("DELETE FROM ethora_wish")

        await self.directory.run(clear)


def user(who: str, **fields: Any) -> dict[str, Any]:
    return {
        "schemas": [USER],
        "userName": f"{who}@example.com",
        "name": {"givenName": who.title(), "familyName": "Lee"},
        "emails": [{"value": f"{who}@example.com", "type": "work", "primary": True}],
        "active": True,
        **fields,
    }


@asynccontextmanager
async def served(database: str, mapping: ScimMapping | None = None, **options: Any) -> AsyncIterator[Scim]:
    """Serve SCIM from a database, by aiohttp on a free port."""
    tokens = ScimTokens(MemoryProvider({"ETHORA_SCIM_TOKEN": TOKEN}))
    async with ScimDirectory(database, mapping=mapping, **options) as directory:
        runner = web.AppRunner(chat_app(Routes(scim=ScimEndpoint(directory, tokens))), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/scim/v2"
        try:
            async with ClientSession() as session:
                yield Scim(url, directory, session)
        finally:
            await runner.cleanup()
            await tokens.aclose()
