"""A client of a platform that is a function, and its parsed requests."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from scripted_ethora import APP, RECORD, SECRET, URL, SentRequest, ok, reply

from ethora_async import EthoraClient, Session, User
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request, Response
    from ethora_async.testing.users import FakeClock

ME = {"_id": RECORD, "xmppUsername": f"{APP}_u1", "firstName": "Ann", "xmppPassword": "pw-of-u1"}


Answer = Callable[[SentRequest], "Response | Awaitable[Response]"]


class Platform:
    """Answers each request by what `answers` holds for its ``METHOD /path``: replies in order, the last for good, or a
    function."""

    def __init__(self, clock: FakeClock, answers: dict[str, Any], **options: Any) -> None:
        self._answers = {line: list(one) if isinstance(one, list) else one for line, one in answers.items()}
        self.transport = MemoryTransport(self._answer)
        self.client = EthoraClient(
            app_id=APP, secret=SECRET, api_url=URL, transport=self.transport, clock=clock, **options
        )

    async def _answer(self, request: Request) -> Response:
        sent = SentRequest.of(request)
        answer = self._answers[sent.line]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(sent)
        if isawaitable(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def sent(self) -> list[SentRequest]:
        return [SentRequest.of(request) for request in self.transport.requests]

    @property
    def lines(self) -> list[str]:
        return [sent.line for sent in self.sent]

    @property
    def only(self) -> SentRequest:
        (one,) = self.sent
        return one


def jwt(name: str, *, issued: float | None = None, ends: float | None = None) -> str:
    """An unsigned token in the platform's format."""
    claims: dict[str, Any] = {"data": {"name": name}}
    if issued is not None:
        claims["iat"] = issued
    if ends is not None:
        claims["exp"] = ends
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in ({"alg": "X"}, claims)]
    return f"JWT {parts[0]}.{parts[1]}.{name}"


def session(token: str = "JWT access-1", refresh: str | None = "JWT refresh-1", **changes: Any) -> Session:
    return Session(
        **{"user": User(id="u1", xmpp_username=f"{APP}_u1"), "token": token, "refresh_token": refresh, **changes}
    )


async def until(holds: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    msg = "it never came to hold"
    raise AssertionError(msg)


class Rotating:
    """A platform's log-ins: access and refresh tokens that replace one another; each refresh token is valid once."""

    def __init__(self) -> None:
        self.number = 1
        self.refused: Response | None = None
        self.refreshes = 0

    @property
    def access(self) -> str:
        return f"JWT access-{self.number}"

    def guarded(self, data: Any) -> Answer:
        """A route that accepts only the newest access token."""
        return lambda sent: ok(data) if sent.token == self.access else reply(401, {"error": "jwt expired"})

    def refresh(self, sent: SentRequest) -> Response:
        self.refreshes += 1
        if self.refused is not None:
            return self.refused
        if sent.token != f"JWT refresh-{self.number}":
            return reply(
                401, {"error": "!refreshRecord", "code": "REFRESH_RECORD_NOT_FOUND"}, **{"x-request-id": "r-9"}
            )
        self.number += 1
        return ok({"token": self.access, "refreshToken": f"JWT refresh-{self.number}", "wsToken": "ws"})
