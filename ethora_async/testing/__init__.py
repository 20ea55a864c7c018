"""For tests of products that embed this package, and of its own.

Time that a test moves, a server that misbehaves, suites for what can be replaced, and proofs: that nothing leaks when
it is cancelled, and that no secret gets out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethora_async.testing.bad_server import Answer, BadServer, Fault, Received
    from ethora_async.testing.canary import Canary
    from ethora_async.testing.cancel import cancel_at_every_step
    from ethora_async.testing.clock import FakeClock
    from ethora_async.testing.platform_contract import PlatformContract
    from ethora_async.testing.transport_contract import TransportContract
    from ethora_async.testing.watchdog import Stall, Watchdog

_HOME_OF = {
    "Answer": "bad_server",
    "BadServer": "bad_server",
    "Canary": "canary",
    "FakeClock": "clock",
    "Fault": "bad_server",
    "PlatformContract": "platform_contract",
    "Received": "bad_server",
    "Stall": "watchdog",
    "TransportContract": "transport_contract",
    "Watchdog": "watchdog",
    "cancel_at_every_step": "cancel",
}

__all__ = [
    "Answer",
    "BadServer",
    "Canary",
    "FakeClock",
    "Fault",
    "PlatformContract",
    "Received",
    "Stall",
    "TransportContract",
    "Watchdog",
    "cancel_at_every_step",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value
