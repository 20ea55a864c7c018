"""A fifth platform's server, in memory behind a real socket. Copied by a test."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Self

import orjson

from ethora_async.sandbox.faults import Faults
from ethora_async.sandbox.front import Front
from ethora_async.sandbox.listener import Listener
from ethora_async.sandbox.logs import RequestLog
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web


class ToySandbox:
    """`users` by id, each with e-mail and name; the key may be rotated."""

    def __init__(self) -> None:
        self.key = secrets.token_hex(16)
        self.users: dict[str, dict[str, Any]] = {"robot": {"id": "robot", "email": "robot@toy.io", "name": "Robot"}}
        self.faults = Faults()
        self._listener = Listener(Front(self, self.faults, RequestLog(None), lambda: 0.0), "127.0.0.1", 0)

    @property
    def environment(self) -> dict[str, str]:
        return {"TOYCHAT_URL": self._listener.url, "TOYCHAT_KEY": self.key}

    async def aclose(self) -> None:
        await self._listener.aclose()

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def operation(self, method: str, path: str) -> str | None:
        return f"{method} {path}"

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> Reply:
        raw = await request.read()
        if request.headers.get("X-Key") != self.key:
            return json_reply({}, 401)
        data = orjson.loads(raw) if raw else {}
        match request.method, path.split("/")[1:]:
            case "POST", ["tokens"]:
                return json_reply({"token": secrets.token_urlsafe(24), "expires_in": 600}, 201)
            case "GET", ["users"]:
                return json_reply(self._page(request.rel_url.query), 200)
            case "POST", ["users"] if data["id"] not in self.users:
                self.users[data["id"]] = data
                return json_reply(data, 201)
            case "POST", ["users"]:
                return json_reply({}, 409)
            case "PATCH", ["users", id] if id in self.users:
                self.users[id].update(data)
                return json_reply(self.users[id], 200)
            case "DELETE", ["users", id] if id in self.users:
                del self.users[id]
                return json_reply({}, 200)
        return json_reply({}, 404)

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        start, count = int(query["offset"]), int(query["limit"])
        return {"items": list(self.users.values())[start : start + count], "total": len(self.users)}
