"""For tests of products that embed this package, and of its own.

Time that a test moves, a server that misbehaves, suites for what can be replaced, and proofs: that nothing leaks when
it is cancelled, and that no secret gets out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.testing.implementers.bad_server import Answer, BadServer, Fault, Received
    from ethora_async.testing.implementers.canary import Canary
    from ethora_async.testing.implementers.cancel import cancel_at_every_step
    from ethora_async.testing.implementers.platform_contract import PlatformContract
    from ethora_async.testing.implementers.transport_contract import TransportContract
    from ethora_async.testing.users.clock import FakeClock

_HOMES = {
    "implementers.bad_server": ("Answer", "BadServer", "Fault", "Received"),
    "implementers.canary": ("Canary",),
    "implementers.cancel": ("cancel_at_every_step",),
    "implementers.platform_contract": ("PlatformContract",),
    "implementers.transport_contract": ("TransportContract",),
    "users.clock": ("FakeClock",),
}

__all__ = [
    "Answer",
    "BadServer",
    "Canary",
    "FakeClock",
    "Fault",
    "PlatformContract",
    "Received",
    "TransportContract",
    "cancel_at_every_step",
]

if not TYPE_CHECKING:  # a type checker must refuse a name that is not exported
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
