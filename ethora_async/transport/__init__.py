"""Transports: aiohttp by default, httpx as an alternative, memory for tests.

Any object that satisfies `Transport` works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.protocols import Transport
    from ethora_async.transport.aiohttp import AiohttpTransport
    from ethora_async.transport.httpx import HttpxTransport
    from ethora_async.transport.memory import MemoryTransport

__all__ = ["AiohttpTransport", "HttpxTransport", "MemoryTransport", "default_transport"]


def default_transport(**options: Any) -> Transport:
    """Return the transport that a client uses by default: aiohttp. `options` are those of `AiohttpTransport`.

    Raises:
        ConfigError: an option cannot be used.
    """
    from ethora_async.transport.aiohttp import AiohttpTransport

    return AiohttpTransport(**options)


# aiohttp takes a fifth of a second to import, and `MemoryTransport` does not need it.
_HOMES = {"aiohttp": ("AiohttpTransport",), "httpx": ("HttpxTransport",), "memory": ("MemoryTransport",)}

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
