"""Helpers for the tests of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from ethora_async import EthoraClient
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport

USER = "11111111-1111-4111-8111-111111111111"
SERVER_VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJkYXRhIjp7ImFwcElkIjoiYXBwMTIzIiwidHlwZSI6InNlcnZlciJ9LCJpYXQiOjE3MDAwMDAwMDB9"
    ".Aton2zgbIC6C8vViqQFEXNICDPVOPX4zCCapvCZxYuo"
)
CLIENT_VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJkYXRhIjp7InR5cGUiOiJjbGllbnQiLCJ1c2VySWQiOiIxMTExMTExMS0xMTExLTQxMTEtODExMS0xMTExMTExMTExMTEi"
    "LCJhcHBJZCI6ImFwcDEyMyJ9LCJpYXQiOjE3MDAwMDAwMDB9"
    ".D4Z9QXY0yeC6Ir0cCfawK-SxeSSpZxCDrq8Xw137GME"
)
SECRET = "a-secret-of-good-length"


def client(secret: Any = SECRET, **options: Any) -> EthoraClient:
    options.setdefault("clock", FakeClock())
    return EthoraClient(
        app_id="app123",
        secret=secret,
        api_url="http://api.example",
        transport=MemoryTransport(lambda _: pytest.fail("a request was made")),
        **options,
    )
