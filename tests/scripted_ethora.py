"""A client of an Ethora that answers as a test has written down, and the requests that it got."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from ethora_async import EthoraClient, NewUser
from ethora_async.request import Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

APP = "6540f2a1b3c4d5e6f7a8b9c0"
CHILD = "7650f2a1b3c4d5e6f7a8b9c1"
SECRET = "a-secret-that-is-long-enough-for-anyone"
URL = "https://api.chat.example.com"
RECORD = "0123456789abcdef01234567"
OTHER_RECORD = "89abcdef0123456701234567"
CHAT_JID = f"{APP}_c1@conference.xmpp.example.com"
USER_JID = f"{APP}_u1@xmpp.example.com"


def reply(status: int, data: Any = None, **headers: str) -> Response:
    """Return a reply with JSON, or with `data` itself if it is bytes."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return Response(status, CIMultiDictProxy(CIMultiDict(headers)), body)


def ok(data: Any = None) -> Response:
    return reply(200, data)


@attrs.frozen
class SentRequest:
    """One request: the path as it stood on the wire, still percent-encoded, and JSON decoded."""

    method: str
    path: str
    query: dict[str, str] = attrs.field(factory=dict)
    body: Any = None
    headers: dict[str, str] = attrs.field(factory=dict, eq=False)

    @classmethod
    def of(cls, request: Request) -> SentRequest:
        parts = urlsplit(request.url)
        assert f"{parts.scheme}://{parts.netloc}" == URL
        body: Any = request.body
        if body is not None and request.headers["Content-Type"] == "application/json":
            body = json.loads(body)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(request.method, parts.path, query, body, dict(request.headers))

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def token(self) -> str | None:
        return self.headers.get("Authorization")


class Scripted:
    """Answers with `replies` in order; the last one is repeated."""

    def __init__(self, clock: FakeClock, *replies: Response, **options: Any) -> None:
        self._replies = list(replies)
        self.transport = MemoryTransport(self._answer)
        options = {"app_id": APP, "secret": SECRET, "api_url": URL, **options}
        self.client = EthoraClient(transport=self.transport, clock=clock, **options)

    def _answer(self, request: Request) -> Response:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    @property
    def sent(self) -> list[SentRequest]:
        return [SentRequest.of(request) for request in self.transport.requests]

    @property
    def only(self) -> SentRequest:
        (one,) = self.sent
        return one


def person(id: Any, /, **changes: Any) -> NewUser:
    """Return a user that every platform accepts."""
    fields: dict[str, Any] = {"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee"}
    return NewUser(**{**fields, **changes})


def people(count: int, start: int = 0) -> list[NewUser]:
    return [person(f"u{number}") for number in range(start, start + count)]
