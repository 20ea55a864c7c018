"""Only a few modules contain SQL: the stores of journal and outbox, an index of keys, and the readers of databases."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from house_helpers import ROOT, modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOMES = (
    "ethora_async.sync.store",
    "ethora_async._distinct",
    "ethora_async.outbox.postgres",
    "ethora_async.outbox.sqlite",
    "ethora_async.outbox.trigger",
    "ethora_async.outbox.writing",
    "ethora_async.postgres",
    "ethora_async.web.scim.database",
    "ethora_async.sync.sources.sql",
    "ethora_async.sync.sources.parquet",
    "ethora_async.workers.database",
    "ethora_async.workers.ledger",
    "ethora_async.workers.rate",
    "ethora_async.workers.schema",
)
STATEMENT = re.compile(
    r"\b(SELECT\s.*\sFROM|INSERT\s(OR\s\w+\s)?INTO|UPDATE\s\w+\sSET|DELETE\sFROM"
    r"|(CREATE|DROP|ALTER)\s(\w+\s)?(TABLE|INDEX)|PRAGMA\s\w+)\b",
    re.DOTALL,
)
CONDITION = re.compile(r"\b\w+ (=|<>|<|>|IN|IS NOT|IS) (\?|:\w+|\(\?|NULL\b)|\bORDER BY\b|\bGROUP BY\b")


def sql_in(text: str) -> Iterator[str]:
    """Yield the SQL in a module: imports of a driver, statements, and fragments."""
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            if {"sqlite3", "psycopg", "asyncpg"} & {name.partition(".")[0] for name in names}:
                yield f"line {node.lineno} imports a driver"
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and (STATEMENT.search(node.value) or CONDITION.search(node.value))
        ):
            yield f"line {node.lineno}: {node.value[:60]!r}"


def at_home(name: str) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in HOMES)


def test_no_module_but_the_store_knows_sql() -> None:
    found = [f"{name} {what}" for name, path in modules(ROOT) if not at_home(name) for what in sql_in(_text(path))]
    assert found == []


def test_the_homes_are_there_and_would_be_found() -> None:
    there = {name: path for name, path in modules(ROOT) if at_home(name)}
    for home in HOMES[:2]:
        assert any(list(sql_in(_text(path))) for name, path in there.items() if name.startswith(home))


@pytest.mark.parametrize(
    "code",
    [
        "import sqlite3",
        "def f():\n    from sqlite3 import connect",
        "db.execute('SELECT a FROM b')",
        "x = f'UPDATE item SET state = {KNOWN}'",
        "entries('kind = ? AND action = ?')",
        'journal.entries("status IN (?, ?)")',
        "query = 'step > ?'",
    ],
)
def test_what_is_sql_is_found(code: str) -> None:
    assert list(sql_in(code))


def test_help_texts_and_docstrings_are_not_sql() -> None:
    assert not list(sql_in('"""SELECT a FROM b"""\nHELP = "The SELECT, when the users are in a database."'))


def _text(path: Path) -> str:
    return path.read_text("utf-8")
