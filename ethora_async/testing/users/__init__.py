"""Tools for tests of a product that embeds the chat.

Installing the package also installs the pytest fixtures `ethora_sandbox`, `ethora_client`, `ethora_fault` and
`ethora_clock` (see `ethora_async.testing.users.plugin`). Import `FakeClock` if you create clients or sandboxes
yourself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.testing.users.clock import FakeClock

__all__ = ["FakeClock"]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, {"clock": ("FakeClock",)})
