"""The records keep to the rules that scim2-server has for storages, on both kinds of database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scim2_server.testing import ScimStorageContract

from ethora_async.web.scim.database.connections import connect
from ethora_async.web.scim.mapping import ScimMapping
from ethora_async.web.scim.service import provider as our_provider
from ethora_async.web.scim.storage import DirectoryStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scim2_models import ScimProvider


class Records(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return our_provider()

    @pytest.fixture
    def storage(self, database_url: str) -> Iterator[DirectoryStorage]:
        connection = connect(database_url)
        yield DirectoryStorage(connection, our_provider(), ScimMapping())
        connection.close()


class TestSqlite(Records):
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestPostgres(Records):
    @pytest.fixture
    def database_url(self, emptied_url: str) -> str:
        return emptied_url
