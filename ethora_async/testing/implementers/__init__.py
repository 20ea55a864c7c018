"""Tools for tests of a platform, transport or secret provider that you write.

* `PlatformContract` and `TransportContract`: subclass one, name your implementation, and pytest checks every rule.
* `BadServer`: an HTTP server on a real socket that misbehaves according to a script.
* `Canary`: fails when a secret appears in a log, a repr, an exception or a traceback.
* `cancel_at_every_step`: cancels a coroutine at each of its awaits in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.testing.implementers.bad_server import BadServer, CannedReply, Fault, ReceivedRequest
    from ethora_async.testing.implementers.canary import Canary
    from ethora_async.testing.implementers.cancel import cancel_at_every_step
    from ethora_async.testing.implementers.platform_contract import PlatformContract
    from ethora_async.testing.implementers.transport_contract import TransportContract

_HOMES = {
    "bad_server": ("BadServer", "CannedReply", "Fault", "ReceivedRequest"),
    "canary": ("Canary",),
    "cancel": ("cancel_at_every_step",),
    "platform_contract": ("PlatformContract",),
    "transport_contract": ("TransportContract",),
}

__all__ = [
    "BadServer",
    "Canary",
    "CannedReply",
    "Fault",
    "PlatformContract",
    "ReceivedRequest",
    "TransportContract",
    "cancel_at_every_step",
]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
