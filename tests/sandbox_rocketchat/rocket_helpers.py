"""A plain REST caller and a plain DDP caller: nothing of the library's client side is used here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from types import TracebackType

    import aiohttp

    from ethora_async.sandbox import RocketChatSandbox

FOREVER = 120.0
ADMIN_PASSWORD = "admin-password"
SECRET = "create-tokens-secret"


@attrs.frozen
class Reply:
    status: int
    body: Any
    headers: Any


@attrs.frozen
class Who:
    """A user and a token."""

    id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Auth-Token": self.token, "X-User-Id": self.id}


class Rest:
    """Calls the sandbox as its administrator, as another user, or without a token (`who=None`)."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: RocketChatSandbox) -> None:
        self.session = session
        self.sandbox = sandbox
        self.admin = Who(sandbox.admin.id, sandbox.add_personal_token(sandbox.admin.username, "tests"))

    async def __call__(
        self,
        method: str,
        name: str,
        body: Any = None,
        *,
        who: Who | str | None = "admin",
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
        **query: Any,
    ) -> Reply:
        """`name` is below `/api/v1/`; with a slash in front it is the whole path."""
        path = name if name.startswith("/") else f"/api/v1/{name}"
        sent = dict(headers or {})
        caller = self.admin if who == "admin" else who
        if isinstance(caller, Who):
            sent = {**caller.headers, **sent}
        async with self.session.request(method, path, json=body, data=data, params=query, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Reply(response.status, json.loads(text) if is_json else text, response.headers)

    async def get(self, name: str, *, who: Who | str | None = "admin", **query: Any) -> Reply:
        return await self("GET", name, who=who, **query)

    async def post(
        self, name: str, body: Any = None, *, who: Who | str | None = "admin", headers: dict[str, str] | None = None
    ) -> Reply:
        return await self("POST", name, {} if body is None else body, who=who, headers=headers)

    async def make_user(self, username: str, **more: Any) -> Any:
        user = {"username": username, "name": username.title(), "email": f"{username}@example.com", "password": "pw"}
        reply = await self.post("users.create", {**user, **more})
        assert reply.status == 200, reply
        return reply.body["user"]

    async def make_token(self, user_id: str) -> Who:
        body = {"userId": user_id}
        if int(self.sandbox.version.partition(".")[0]) >= 8:
            body["secret"] = self.sandbox.secret
        reply = await self.post("users.createToken", body)
        assert reply.status == 200, reply
        return Who(reply.body["data"]["userId"], reply.body["data"]["authToken"])

    async def make_member(self, username: str) -> Who:
        """A new user with a token."""
        return await self.make_token((await self.make_user(username))["_id"])

    async def log_in(self, username: str, password: str = "pw") -> Who:
        reply = await self.post("login", {"user": username, "password": password}, who=None)
        assert reply.status == 200, reply
        return Who(reply.body["data"]["userId"], reply.body["data"]["authToken"])


class Ddp:
    """A raw websocket that speaks frames; `seen` holds all that came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Any] = []
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, rest: Rest) -> Self:
        """Open the connection without sending anything."""
        return cls(await rest.session.ws_connect("/websocket", autoping=True))

    @classmethod
    async def connect(cls, rest: Rest, who: Who | None = None) -> Self:
        """Open the connection, and log in if a user is given."""
        ddp = await cls.open(rest)
        await ddp.send({"msg": "connect", "version": "1", "support": ["1"]})
        await ddp.until(msg="connected")
        if who is not None:
            assert "error" not in await ddp.call("login", {"resume": who.token})
        return ddp

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()

    async def send(self, frame: Any) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def receive(self) -> Any:
        frame = json.loads(await self.socket.receive_str(timeout=FOREVER))
        self.seen.append(frame)
        return frame

    async def until(self, **wanted: Any) -> Any:
        """The next frame that has these values; those before it are only noted."""
        while True:
            frame = await self.receive()
            if all(frame.get(key) == value for key, value in wanted.items()):
                return frame

    async def call(self, method: str, *params: Any) -> Any:
        call_id = f"m{next(self._ids)}"
        await self.send({"msg": "method", "id": call_id, "method": method, "params": list(params)})
        return await self.until(msg="result", id=call_id)

    async def sub(self, stream: str, event: Any, sub_id: str | None = None, options: Any = False) -> Any:
        """Subscribe; the `ready` or `nosub` that comes back."""
        sub_id = sub_id or f"s{next(self._ids)}"
        await self.send({"msg": "sub", "id": sub_id, "name": stream, "params": [event, options]})
        while True:
            frame = await self.receive()
            if sub_id in (frame.get("subs") or [frame.get("id")]) and frame["msg"] in ("ready", "nosub"):
                return frame

    async def event(self, event: str) -> list[Any]:
        """The arguments of the next event of this name."""
        while True:
            frame = await self.until(msg="changed")
            if frame["fields"]["eventName"] == event:
                return frame["fields"]["args"]

    async def quiet(self) -> list[Any]:
        """Return the frames since the last look, after all pending ones have arrived."""
        mark = f"mark{next(self._ids)}"
        before = len(self.seen)
        await self.send({"msg": "ping", "id": mark})
        await self.until(msg="pong", id=mark)
        return self.seen[before:-1]

    async def closed(self) -> int | None:
        """The code with which the server closed."""
        with contextlib.suppress(TypeError):  # a frame that is no text: the end
            while True:
                await self.receive()
        assert self.socket.closed
        return self.socket.close_code


async def eventually(condition: Any) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(FOREVER):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side of a socket
            await asyncio.sleep(0.001)
