"""What the engine's tests are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.config import RetryPolicy
from ethora_async.engine import Engine
from ethora_async.engine.emitter import Emitter
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.protocols import Credential
from ethora_async.request import Operation
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

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
