"""The journal that is one SQLite file keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from journal_contract import JournalContract

from ethora_async.sync.store import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestSqliteJournal(JournalContract):
    @pytest.fixture
    async def opened(self) -> AsyncIterator[list[Journal]]:
        opened: list[Journal] = []
        yield opened
        for journal in opened:
            await journal.aclose()

    @pytest.fixture
    async def journal(self, tmp_path: Path, opened: list[Journal]) -> Journal:
        opened.append(await Journal.create(tmp_path / "j"))
        self._opened = opened
        return opened[0]

    async def reopen(self, journal: Journal) -> Journal:
        await journal.aclose()
        self._opened.append(await Journal.open(journal.path))
        return self._opened[-1]
