"""Ports for servers that are told theirs before they start."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

# pytest-randomly seeds the module's own generator alike in every process.
_draw = random.SystemRandom()


def free_port() -> int:
    """Return a port below 32768: no outgoing connection takes it before its server starts or while it is down."""
    while True:
        port = _draw.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
