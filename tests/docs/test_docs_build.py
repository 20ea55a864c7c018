"""The documentation builds without a warning, and knows every command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ethora_async.cli.app import app

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "docs", str(tmp_path / "out")]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    page = (tmp_path / "out" / "reference" / "commands.html").read_text("utf-8")
    assert "ethora users import" in page


def test_every_command_and_option_is_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    from command_reference import reference

    text = reference()
    shown = re.findall(r"^#+ (ethora.*)$", text, re.MULTILINE)
    assert shown == list(_names(typer.main.get_command(app), "ethora"))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row for row in rows if len(re.split(r"(?<!\\)\|", row)) != 4 and row != "| | |"] == []
    for option in ("--secrets", "--prune", "--allow-delete", "--ttl", "--dry-run"):
        assert f"`{option}" in text


def _names(command: object, name: str) -> list[str]:
    children = getattr(command, "commands", {})
    return [name, *(one for word, child in children.items() for one in _names(child, f"{name} {word}"))]


def test_the_exit_codes_are_those_of_the_commands() -> None:
    from ethora_async.cli import runtime

    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    codes = {value for name, value in vars(runtime).items() if name.isupper() and isinstance(value, int)}
    assert listed == codes


def test_every_page_is_in_a_table_of_contents() -> None:
    docs = ROOT / "docs"
    listed = {"index"}
    for page in docs.rglob("*.md"):
        for contents in re.findall(r"^```\{toctree\}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            names = [line for line in contents.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / name).relative_to(docs).as_posix() for name in names}
    assert {page.relative_to(docs).with_suffix("").as_posix() for page in docs.rglob("*.md")} == listed
