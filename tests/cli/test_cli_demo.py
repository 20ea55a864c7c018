from __future__ import annotations

import csv
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli_helpers import Cli
    from command_result import Result

DATA = files("ethora_async.cli") / "demo_data"
LISTS = ["users.csv", "chats.csv", "members.csv"]


def rows(name: str) -> list[list[str]]:
    return list(csv.reader((DATA / name).read_text("utf-8").splitlines()))[1:]


def counts(result: Result, name: str) -> dict[str, int]:
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(f"{name}: ")]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}


@pytest.fixture(scope="module")
def shown() -> list[Result]:
    return []


@pytest.fixture
def demo(bare: Cli, shown: list[Result]) -> Result:
    """The demo, run once for all tests."""
    if not shown:
        shown.append(bare("demo"))
    return shown[0]


def test_it_exits_0_though_some_of_its_rows_are_bad(demo: Result) -> None:
    assert demo.code == 0


def test_every_row_is_counted(demo: Result) -> None:
    for name in LISTS:
        assert sum(counts(demo, name).values()) == len(rows(name))
    assert len(rows("users.csv")) == 1000
    assert counts(demo, "chats.csv") == {"created": 50}
    assert 5 <= counts(demo, "users.csv")["failed"] <= 20


def test_the_platform_lists_who_was_created(demo: Result) -> None:
    created = counts(demo, "users.csv")["created"]
    assert f"The platform lists {created + 1} users (its own owner account among them) and 50 chats." in demo.stdout


def test_every_bad_row_is_named_with_line_and_reason(demo: Result) -> None:
    named = re.findall(r"^  (\w+\.csv) line (\d+)(?:, \w+)?: .{10,}$", demo.stdout, re.MULTILINE)
    assert len(named) == sum(counts(demo, name).get("failed", 0) for name in LISTS)
    for reason in ("not a valid e-mail", "is empty", "already used on line", "holds a space", "fields, the header"):
        assert reason in demo.stdout


def test_one_of_them_is_logged_in_and_the_token_stays_hidden(demo: Result) -> None:
    assert "logged in as " in demo.stdout
    assert "They may enter " in demo.stdout
    assert "eyJ" not in demo.stdout + demo.stderr


def test_progress_and_what_to_try_next_are_shown(demo: Result) -> None:
    for what in ("users", "chats", "members"):
        assert f"{what}: {len(rows(f'{what}.csv'))} done" in demo.stderr
    assert "ethora users import people.csv" in demo.stdout


def test_the_people_of_the_list_have_names_as_the_world_has_them() -> None:
    names = " ".join(" ".join(row[2:]) for row in rows("users.csv"))
    assert "O'" in names
    for script in ("[À-ÿ]", "[一-鿿]", "[А-я]"):
        assert re.search(script, names)


@pytest.mark.slow
def test_a_built_package_holds_the_lists_and_the_type_marker(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build_py", "--build-lib", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    for name in LISTS:
        built = tmp_path / "ethora_async" / "cli" / "demo_data" / name
        assert built.read_bytes() == (DATA / name).read_bytes()
    pages = [path.relative_to(root) for path in root.glob("ethora_async/**/assets/*")]
    assert {"chat.html", "console.css", "report.css"} <= {path.name for path in pages}
    assert [path for path in pages if not (tmp_path / path).is_file()] == []
    assert (tmp_path / "ethora_async" / "py.typed").exists()
    assert (tmp_path / "ethora_async_secrets" / "py.typed").exists()


def test_the_secret_rotates_during_the_import_and_no_call_fails(cli: Cli) -> None:
    result = cli("demo", "--rotate")
    assert result.code == 0
    last = result.stdout.splitlines()[-1]
    told = re.fullmatch(r"The app secret was rotated (\d+) times during (\d+) calls; failed calls: 0\.", last)
    assert told is not None, last
    rotations, calls = map(int, told.groups())
    assert rotations >= 4
    assert calls > 10 * rotations


def test_without_rotation_nothing_is_said_of_it(cli: Cli) -> None:
    assert "rotated" not in cli("demo").stdout
