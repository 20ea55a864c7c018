"""A full disk: reported as such, in one JSON object, and the next run continues."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import DONE, SOME_FAILED, USAGE, Shell, people

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.sandbox import EthoraSandbox

FULL = ("disk", "too large", "No space", "full")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Limit the size of every file of this process: the system then answers as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def there(sandbox: EthoraSandbox) -> int:
    return len(sandbox.store.app(sandbox.app_id).users) - 1


@pytest.mark.parametrize("size", [30_000, 150_000, 250_000])
def test_a_journal_that_cannot_grow_is_told_and_the_next_run_does_the_rest(
    size: int, shell: Shell, sandbox: EthoraSandbox
) -> None:
    shell.write("users.csv", people(range(1200)))
    with files_no_larger_than(size):
        result = shell("apply", "--users", "users.csv", "--yes", "--json")
    assert result.code in (SOME_FAILED, USAGE), result
    assert result.json
    assert any(word in result.stderr for word in FULL), result
    assert "Traceback" not in result.stderr
    again = shell("apply", "--users", "users.csv", "--yes", "--json")
    assert again.code == DONE, again
    assert there(sandbox) == 1200


def test_a_reject_file_that_cannot_grow_leaves_a_report_of_all_that_was_done(
    shell: Shell, sandbox: EthoraSandbox
) -> None:
    bad = "".join(f"bad{number},no-address,Ann,Lee,\n" for number in range(2000))
    shell.write("users.csv", people(range(100)) + bad)
    with files_no_larger_than(20_000):
        result = shell("users", "import", "users.csv", "--reject", "refused.csv", "--json")
    assert result.code == USAGE
    assert "refused.csv cannot be written" in result.stderr
    assert result.json["counts"]["created"] == there(sandbox) == 100
    assert not list(shell.folder.glob("*refused*"))


def test_an_export_that_cannot_grow_leaves_no_file(shell: Shell) -> None:
    shell.write("users.csv", people(range(600)))
    assert shell("users", "import", "users.csv").code == DONE
    with files_no_larger_than(10_000):
        result = shell("users", "export", "all.csv", "--json")
    assert (result.code, "all.csv cannot be written" in result.json["error"]["message"]) == (USAGE, True), result
    assert [path.name for path in shell.folder.iterdir()] == ["users.csv"]


def test_a_plan_or_report_that_cannot_grow_is_told(shell: Shell) -> None:
    shell.write("users.csv", people(range(400)))
    with files_no_larger_than(150_000):
        result = shell("plan", "--users", "users.csv", "--out", "plan.json", "--report", "report.html", "--json")
    assert "Traceback" not in result.stderr
    assert result.json
