"""A server that makes users as the platform does (docs/platforms/ethora.md#users-batch) and keeps none: cheap, and the
same for every client.

``python _bulk_server.py [SECONDS [full|brief [USERS]]]`` waits so long before each reply (default 0), prints its port
once it listens and ends when its standard input does. Jobs have ended at the first poll, and are then forgotten. With
``brief`` their rows lack the users' records, which the platform may leave out. It lists so many USERS (default
0), whatever was created.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import orjson

APP = "646cc8dc96d4a4dc8f7b2f2d"
BRIEF = "brief" in sys.argv[2:]
LISTED = int(sys.argv[3]) if len(sys.argv) > 3 else 0
_MADE_AT = "2026-10-01T12:00:00.000Z"

_numbers = count(1)
_jobs: dict[str, list[dict[str, Any]]] = {}


def _user(row: dict[str, Any]) -> dict[str, Any]:
    """The record of a user as a creation answers it."""
    record_id = f"{next(_numbers):024x}"
    return {
        "_id": record_id,
        "uuid": row["uuid"],
        "appId": APP,
        "firstName": row["firstName"],
        "lastName": row["lastName"],
        "email": row["email"],
        "xmppUsername": f"{APP}_{row['uuid']}",
        "xmppPassword": "not-a-password",
        "emails": [{"loginType": "email", "email": row["email"], "verified": True, "_id": record_id}],
        "tags": [],
        "profileImage": "",
        "roles": ["user"],
        "isProfileOpen": True,
        "isAssetsOpen": True,
        "registrationChannelType": "b2b",
        "defaultWallet": {"walletAddress": ""},
        "createdAt": _MADE_AT,
        "updatedAt": _MADE_AT,
    }


def person(number: int) -> dict[str, Any]:
    """Return the row of a user, as `bulk_memory.write_users` writes it."""
    name = f"user-{number}"
    return {
        "uuid": name, "email": f"{name}@example.com", "firstName": f"First{number}", "lastName": f"Last{number}",
    }  # fmt: skip


def answer(method: bytes, path: str, body: bytes) -> tuple[int, Any]:
    """The status and the JSON of one reply."""
    if method == b"POST" and path.endswith("/users/batch"):
        rows = orjson.loads(body)["usersList"]
        if path.startswith("/v1/"):
            return 200, {"ok": True, "success": True, "results": [_user(row) for row in rows]}
        job = f"{next(_numbers):024x}"
        _jobs[job] = rows
        return 202, {"ok": True, "success": True, "jobId": job, "statusUrl": f"{path}/{job}"}
    if method == b"GET" and "/users/batch/" in path:
        job = path.rpartition("/")[2]
        users = [_user(row) for row in _jobs.pop(job)]
        results = [{"status": "created", "xmppUsername": user["xmppUsername"], "user": user} for user in users]
        if BRIEF:
            results = [{"status": "created", "xmppUsername": user["xmppUsername"]} for user in users]
        result = {"total": len(results), "results": results}
        return 200, {"ok": True, "jobId": job, "state": "completed", "createdAt": _MADE_AT, "result": result}
    if method == b"GET" and path.partition("?")[0] == "/v2/chats/users":
        asked = parse_qs(path.partition("?")[2])
        first, limit = int(asked["offset"][0]), int(asked["limit"][0])
        users = [_user(person(number)) for number in range(first, min(first + limit, LISTED))]
        return 200, {"ok": True, "items": users, "total": LISTED}
    return 404, {"error": "nothing of the kind here", "code": "NOT_FOUND"}


class Platform(asyncio.Protocol):
    """One connection; a request at a time, as clients without pipelining send them."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        if not end or len(rest) < int(length.partition(b"\r\n")[0] or 0):
            return
        self._received = b""
        method, path, _ = head.split(b" ", 2)
        status, reply = answer(method, path.decode(), rest)
        content = orjson.dumps(reply)
        start = f"HTTP/1.1 {status} Reply\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, start.encode() + content)
        else:
            self._transport.write(start.encode() + content)


async def serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Platform(delay), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def exact_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop whose timers are exact: epoll rounds them up to a whole millisecond, a twentieth of 20."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    wait = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    with asyncio.Runner(loop_factory=exact_loop if wait else None) as runner:
        runner.run(serve(wait))
