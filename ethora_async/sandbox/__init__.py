"""Stateful local chat platforms to develop and test against.

Each sandbox is a real server with real state; `Faults` makes it misbehave on purpose. Nothing here is shared with
the client side of this library: a fake built from the code it checks would check nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethora_async.sandbox.avaya.server import AvayaSandbox
    from ethora_async.sandbox.ethora.seeding import SeedRefused
    from ethora_async.sandbox.ethora.server import EthoraSandbox
    from ethora_async.sandbox.ethora.store import Store
    from ethora_async.sandbox.faults import Fault, Faults
    from ethora_async.sandbox.imbachat.server import ImbaChatSandbox
    from ethora_async.sandbox.logs import RequestRecord
    from ethora_async.sandbox.rocketchat.server import RocketChatSandbox

__all__ = [
    "AvayaSandbox",
    "EthoraSandbox",
    "Fault",
    "Faults",
    "ImbaChatSandbox",
    "RequestRecord",
    "RocketChatSandbox",
    "SeedRefused",
    "Store",
]

_HOMES = {
    "AvayaSandbox": "ethora_async.sandbox.avaya.server",
    "EthoraSandbox": "ethora_async.sandbox.ethora.server",
    "Fault": "ethora_async.sandbox.faults",
    "Faults": "ethora_async.sandbox.faults",
    "ImbaChatSandbox": "ethora_async.sandbox.imbachat.server",
    "RequestRecord": "ethora_async.sandbox.logs",
    "RocketChatSandbox": "ethora_async.sandbox.rocketchat.server",
    "SeedRefused": "ethora_async.sandbox.ethora.seeding",
    "Store": "ethora_async.sandbox.ethora.store",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use: importing this package pulls no aiohttp in."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
