"""The same records in every kind of source."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.opening import open_source
from ethora_async.sync.sources.source import BadRow, Row

COLUMNS = ("id", "email", "first_name", "last_name", "password", "profile_image")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["Ann", " Lee ", "", 'a"b', "x,y", "two\nlines", "王小明"]
)
RECORDS = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**62), 2**62) | st.integers(1, 5),
        "email": st.sampled_from(["ann@example.com", "BOB@example.com ", "nonsense", ""]),
        "first_name": TEXTS,
        "last_name": TEXTS,
        "password": st.none() | TEXTS,
        "profile_image": st.none() | TEXTS,
    }
)


def write_all(folder: Path, records: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """The same records four times; each source with its query."""
    with (folder / "p.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        writer.writerows([["" if (value := one[name]) is None else value for name in COLUMNS] for one in records])
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "p.jsonl").write_text(lines, encoding="utf-8")
    types = "id BIGINT, email TEXT, first_name TEXT, last_name TEXT, password TEXT, profile_image TEXT"
    table = [[one[name] for name in COLUMNS] for one in records]
    with duckdb.connect() as duck:
        duck.execute(f"CREATE TABLE p ({types})")
        duck.executemany("INSERT INTO p VALUES (?, ?, ?, ?, ?, ?)", table)
        duck.execute(f"COPY p TO '{folder}/p.parquet' (FORMAT parquet)")
    lite = sqlite3.connect(folder / "p.db")
    lite.execute(f"CREATE TABLE p ({types})")
    lite.executemany("INSERT INTO p VALUES (?, ?, ?, ?, ?, ?)", table)
    lite.commit()
    lite.close()
    files = [(str(folder / name), None) for name in ("p.csv", "p.jsonl", "p.parquet")]
    return [*files, (f"sqlite:///{folder}/p.db", "SELECT * FROM p ORDER BY rowid")]


async def read(location: str, query: str | None) -> list[Any]:
    source = await open_source(location, USERS, query=query)
    found = []
    async for row in source.rows():
        if isinstance(row, Row):
            found.append(row.item)
        else:
            assert isinstance(row, BadRow)
            # Where the first stood is counted in each source's own way.
            reason = row.error.message.partition(" was already used")[0]
            found.append((row.id, row.error.column, reason.replace("is missing", "is empty")))
    return found


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_the_same_records_are_read_back_the_same_whatever_they_are_written_in(records: list[dict[str, Any]]) -> None:
    read_back(records)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_many_records_are_read_back_the_same_whatever_they_are_written_in(records: list[dict[str, Any]]) -> None:
    read_back(records)


def read_back(records: list[dict[str, Any]]) -> None:
    """Write records in each way, and check that all ways read back the same."""
    with tempfile.TemporaryDirectory() as name:
        sources = write_all(Path(name), records)
        first, *others = [asyncio.run(read(*source)) for source in sources]
    assert len(first) == len(records)
    for other in others:
        assert other == first
