"""A file in which every line leaves a quotation mark open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sync.sources import csv_lines
from ethora_async.sync.sources.csv_lines import Lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_no_line_is_read_more_than_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 1000
    path = tmp_path / "people.csv"
    path.write_text("id,email,first_name,last_name\n" + 'u","u@example.com","Ann","Lee\n' * rows)
    served = 0
    real = csv_lines._Source.__next__

    def counted(source: csv_lines._Source) -> str:
        nonlocal served
        served += 1
        return real(source)

    monkeypatch.setattr(csv_lines._Source, "__next__", counted)
    lines = Lines(lambda: path.open(newline=""))
    lines.header()
    read = lines.read(10 * rows)
    lines.close()
    assert [row.line for row in read] == list(range(2, rows + 2))
    assert served <= 3 * (rows + 2)


def test_a_field_may_hold_many_lines(tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    text = "\n".join(["evil,Injected"] * 1000)
    path.write_text(f'id,title\na,"{text}"\nb,Two\n')
    lines = Lines(lambda: path.open(newline=""))
    lines.header()
    first, second = lines.read(9)
    lines.close()
    assert (first.fields[1], second.line) == (text, 1002)
