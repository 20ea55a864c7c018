"""What the engine's tests are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict

from ethora_async.codec import dumps
from ethora_async.config import RetryPolicy
from ethora_async.engine import Engine
from ethora_async.engine.events import Emitter
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.protocols import Credential
from ethora_async.request import Operation, Request, Response
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READ = Operation("things.read", "GET", "/things", repeatable=True, source="test")
WRITE = Operation("things.write", "POST", "/things/{id}", repeatable=False, source="test")
TOKEN = "canary-engine-token-90210"


class OneToken:
    """Credentials that never change, and note what they are told."""

    def __init__(self, token: str = TOKEN) -> None:
        self.credential = Credential({"Authorization": f"Bearer {token}"}, "one", "1")
        self.accepts: list[Credential] = []
        self.rejects: list[Credential] = []

    def peek(self) -> Credential | None:
        return self.credential

    async def acquire(self) -> Credential:
        return self.credential

    def accepted(self, credential: Credential) -> None:
        self.accepts.append(credential)

    async def replace(self, rejected: Credential, tried: frozenset[str]) -> Credential | None:
        self.rejects.append(rejected)
        return None

    def may_change(self) -> bool:
        return False


def reply(status: int = 200, data: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, CIMultiDict(headers or {}), b"" if data is None else dumps(data))


def scripted(*answers: Response | Exception) -> MemoryTransport:
    """Gives the answers in order, the last one for good."""
    left = list(answers)

    def answer(_: Request) -> Response:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    return MemoryTransport(answer)


def engine(transport: Any, url: str = "http://api.example", **options: Any) -> Engine:
    """An engine on a clock that does not wait, with three attempts and the longest waits."""
    listeners: list[Callable[[object], None]] = options.pop("listeners", [])
    return Engine(
        url,
        transport,
        EthoraDialect(),
        options.pop("credentials", None) or OneToken(),
        **{
            "clock": FakeClock(),
            "retry": RetryPolicy(attempts=3),
            "draw": lambda: 1.0,
            "emitter": Emitter(listeners),
            **options,
        },
    )
