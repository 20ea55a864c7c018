"""Stateful local chat platforms to develop and test against.

Each sandbox is a real server with real state; `Faults` makes it misbehave on purpose. It shares no code with the client
side of this library: otherwise it would share its errors too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.sandbox.avaya.server import AvayaSandbox
    from ethora_async.sandbox.ethora.seeding import SeedRefusedError
    from ethora_async.sandbox.ethora.server import EthoraSandbox
    from ethora_async.sandbox.ethora.store import Store
    from ethora_async.sandbox.ethora.xmpp.bot import BotMessage, BotReply
    from ethora_async.sandbox.faults import Faults, InjectedFault
    from ethora_async.sandbox.imbachat.server import ImbaChatSandbox
    from ethora_async.sandbox.logs import RequestRecord
    from ethora_async.sandbox.rocketchat.server import RocketChatSandbox
    from ethora_async.sandbox.tls import Certificate

__all__ = [
    "AvayaSandbox",
    "BotMessage",
    "BotReply",
    "Certificate",
    "EthoraSandbox",
    "Faults",
    "ImbaChatSandbox",
    "InjectedFault",
    "RequestRecord",
    "RocketChatSandbox",
    "SeedRefusedError",
    "Store",
]

_HOMES = {
    "avaya.server": ("AvayaSandbox",),
    "ethora.seeding": ("SeedRefusedError",),
    "ethora.server": ("EthoraSandbox",),
    "ethora.store": ("Store",),
    "ethora.xmpp.bot": ("BotMessage", "BotReply"),
    "faults": ("InjectedFault", "Faults"),
    "imbachat.server": ("ImbaChatSandbox",),
    "logs": ("RequestRecord",),
    "rocketchat.server": ("RocketChatSandbox",),
    "tls": ("Certificate",),
}

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
