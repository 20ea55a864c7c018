"""The database server that the tests of SQL sources share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postgres_server import Postgres


@pytest.fixture(scope="module")
def postgres(postgres_server: Postgres) -> Postgres:
    """A real PostgreSQL."""
    return postgres_server
