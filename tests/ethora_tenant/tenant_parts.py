"""A client of a scripted platform, and its requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from ethora_async import EthoraClient
from ethora_async.request import Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.request import Request
    from ethora_async.testing.users import FakeClock

APP = "6540f2a1b3c4d5e6f7a8b9c0"
CHILD = "7650f2a1b3c4d5e6f7a8b9c1"
SECRET = "a-secret-that-is-long-enough-for-anyone"
URL = "https://api.chat.example.com"
RECORD = "0123456789abcdef01234567"
OTHER_RECORD = "89abcdef0123456701234567"


def answer(status: int, data: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a reply with JSON, or with `data` itself if it is bytes."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return Response(status, CIMultiDictProxy(CIMultiDict(headers or {})), body)


def fine(data: Any = None) -> Response:
    return answer(200, data)


@attrs.frozen
class Asked:
    """One request, its path still percent-encoded."""

    method: str
    path: str
    query: dict[str, str] = attrs.field(factory=dict)
    body: Any = None

    @classmethod
    def of(cls, request: Request) -> Asked:
        parts = urlsplit(request.url)
        body = None if request.body is None else json.loads(request.body)
        return cls(request.method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), body)


class Script:
    """Answers with `replies` in order; the last one is repeated."""

    def __init__(self, clock: FakeClock, *replies: Response, **options: Any) -> None:
        self._replies = list(replies)
        self.transport = MemoryTransport(self._answer)
        options = {"app_id": APP, "secret": SECRET, "api_url": URL, **options}
        self.client = EthoraClient(transport=self.transport, clock=clock, **options)

    def _answer(self, request: Request) -> Response:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    @property
    def asked(self) -> list[Asked]:
        return [Asked.of(request) for request in self.transport.requests]

    @property
    def only(self) -> Asked:
        (one,) = self.asked
        return one
