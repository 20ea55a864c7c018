"""A client of a server that is a function, and its parsed requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from ethora_async import RocketChatClient
from ethora_async.request import Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.protocols import Clock
    from ethora_async.request import Request

URL = "https://chat.example.com/sub"
ADMIN_ID = "adminadminadmin17"
PAT = "pat-canary-0123456789"
SECRET = "create-tokens-secret-canary"
PASSWORD = "admin-password-canary"


def reply(status: int, data: Any = None, **headers: str) -> Response:
    """A reply with JSON, or with text when `data` is bytes; ``x_y`` stands for the header ``x-y``."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, CIMultiDictProxy(CIMultiDict(named)), body)


def ok(**data: Any) -> Response:
    return reply(200, {**data, "success": True})


def coded(code: str, text: str = "", status: int = 400, **more: Any) -> Response:
    """A business error (docs/platforms/rocketchat.md#error-replies)."""
    return reply(status, {"success": False, "error": f"{text} [{code}]".strip(), "errorType": code, **more})


def plain_failure(text: str, status: int = 400) -> Response:
    return reply(status, {"success": False, "error": text})


UNAUTHORIZED = {
    6: reply(401, {"status": "error", "message": "You must be logged in to do this."}),
    7: reply(
        401,
        {
            "success": False,
            "status": "error",
            "message": "You must be logged in to do this.",
            "error": "You must be logged in to do this.",
        },
    ),
    9: reply(401, {"success": False, "error": "You must be logged in to do this."}),
}


def logged_in(user_id: str = ADMIN_ID, token: str = "session-token-canary-1") -> Response:
    return reply(200, {"status": "success", "data": {"userId": user_id, "authToken": token, "me": {"_id": user_id}}})


def lifetime(days: Any) -> Response:
    return ok(settings=[{"_id": "Accounts_LoginExpiration", "value": days}], count=1, offset=0, total=1)


@attrs.frozen
class Sent:
    """One request: the route without ``/api/v1/``."""

    method: str
    route: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = attrs.field(eq=False, repr=False)

    @classmethod
    def of(cls, request: Request) -> Sent:
        parts = urlsplit(request.url)
        assert request.url.startswith(f"{URL}/api/")
        body = None if request.body is None else json.loads(request.body)
        route = parts.path.removeprefix("/sub/api/").removeprefix("v1/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(request.method, route, query, body, dict(request.headers))


def account_of(sent: Sent) -> dict[str, Any]:
    """An ordinary account that bears the name, or the record id, that was asked for."""
    name = sent.query.get("username") or sent.query["userId"].removeprefix("id-of-")
    return {"_id": f"id-of-{name}", "username": name, "roles": ["user"], "type": "user"}


class Server:
    """Answers each route as told: one reply, several one after the other (the last again and again), or a function."""

    def __init__(self, **routes: Any) -> None:
        self.routes: dict[str, Any] = {
            "info": ok(version="8.6"),
            "settings.public": lifetime(90),
            "users.info": lambda sent: ok(user=account_of(sent)),
            "logout": reply(200, {"status": "success", "data": {"message": "You've been logged out!"}}),
            **{name.replace("__", "."): answer for name, answer in routes.items()},
        }
        self.transport = MemoryTransport(self._answer)

    def _answer(self, request: Request) -> Response:
        sent = Sent.of(request)
        answer = self.routes[sent.route]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return answer(sent) if callable(answer) else answer

    @property
    def sent(self) -> list[Sent]:
        return [Sent.of(request) for request in self.transport.requests]

    def to(self, route: str) -> list[Sent]:
        return [one for one in self.sent if one.route == route]

    def client(self, clock: Clock, **options: Any) -> RocketChatClient:
        """A client with a personal access token, unless `options` say otherwise."""
        if not {"user", "secret", "user_id"} & options.keys():
            options |= {"user_id": ADMIN_ID, "token": PAT}
        options.setdefault("create_tokens_secret", SECRET)
        return RocketChatClient(url=options.pop("url", URL), transport=self.transport, clock=clock, **options)
