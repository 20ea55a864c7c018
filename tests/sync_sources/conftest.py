"""The database server that the tests of SQL sources share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import Postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL."""
    with running_postgres() as server:
        yield server
