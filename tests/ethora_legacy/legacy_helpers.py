"""A client of a scripted platform, and its parsed requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from ethora_async import EthoraClient, NewUser
from ethora_async.request import Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

APP = "6540f2a1b3c4d5e6f7a8b9c0"
SECRET = "a-secret-that-is-long-enough-for-anyone"
URL = "https://api.chat.example.com"
CHAT_JID = f"{APP}_c1@conference.xmpp.example.com"
USER_JID = f"{APP}_u1@xmpp.example.com"


def reply(status: int, data: Any = None, **headers: str) -> Response:
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return Response(status, CIMultiDictProxy(CIMultiDict(headers)), body)


class OnWire:
    """Answers with `replies` in order; the last one is repeated."""

    def __init__(self, clock: FakeClock, *replies: Response, **options: Any) -> None:
        self._replies = list(replies)
        self.transport = MemoryTransport(self._answer)
        self.client = EthoraClient(
            app_id=APP, secret=SECRET, api_url=URL, transport=self.transport, clock=clock, **options
        )

    def _answer(self, request: Request) -> Response:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    @property
    def sent(self) -> list[tuple[str, str, Any]]:
        """Method, path and body of every request."""
        return [
            (one.method, urlsplit(one.url).path, json.loads(one.body) if isinstance(one.body, bytes) else None)
            for one in self.transport.requests
        ]

    @property
    def only(self) -> tuple[str, str, Any]:
        (one,) = self.sent
        return one


def person(id: Any) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee")
