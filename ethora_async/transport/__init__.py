"""What carries requests: aiohttp for real work, httpx where it is at hand, memory for tests.

Anything that satisfies `Transport` will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethora_async.protocols import Transport
    from ethora_async.transport.aiohttp import AiohttpTransport
    from ethora_async.transport.httpx import HttpxTransport
    from ethora_async.transport.memory import MemoryTransport

__all__ = ["AiohttpTransport", "HttpxTransport", "MemoryTransport", "default_transport"]


def default_transport(**options: Any) -> Transport:
    """What a client sends through unless it is given another: aiohttp. `options` are those of `AiohttpTransport`.

    Raises:
        ConfigError: an option cannot be used.
    """
    from ethora_async.transport.aiohttp import AiohttpTransport

    return AiohttpTransport(**options)


def __getattr__(name: str) -> Any:
    # aiohttp takes a fifth of a second to import, and `MemoryTransport` does without it.
    if name == "AiohttpTransport":
        from ethora_async.transport.aiohttp import AiohttpTransport

        return AiohttpTransport
    if name == "HttpxTransport":
        from ethora_async.transport.httpx import HttpxTransport

        return HttpxTransport
    if name == "MemoryTransport":
        from ethora_async.transport.memory import MemoryTransport

        return MemoryTransport
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
