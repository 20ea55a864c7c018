"""For tests of products that embed this package, and of its own: time that a test moves, and suites for what can be replaced."""

from __future__ import annotations

from ethora_async.testing.clock import FakeClock

__all__ = ["FakeClock"]
