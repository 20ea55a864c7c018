"""The database server that the tests of SQL sources share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postgres_server import Postgres


@pytest.fixture(scope="module")
def postgres(postgres_server: Postgres) -> Postgres:
    """A real PostgreSQL."""
    return postgres_server


@pytest.fixture(autouse=True)
def _scrypt_at_little_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords by the same function at a cost that tests can pay hundreds of times."""
    real = hashlib.scrypt

    def cheap(secret: bytes, *, salt: bytes, dklen: int, **_: int) -> bytes:
        return real(secret, salt=salt, n=2, r=1, p=1, dklen=dklen)

    monkeypatch.setattr(hashlib, "scrypt", cheap)
