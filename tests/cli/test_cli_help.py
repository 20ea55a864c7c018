"""The help of the command line: complete, and shown without importing any command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import typer

from ethora_async.cli.app import app
from ethora_async.cli.lazy_group import summary

if TYPE_CHECKING:
    from cli_helpers import Cli

LOADED = """
import atexit, sys
from ethora_async.cli import main
names = ("aiohttp", "asyncio", "attrs", "orjson", "rich", "typer", "ethora_async.cli.runtime", "ethora_async.cli.users")
atexit.register(lambda: print("loaded:", *(name for name in names if name in sys.modules)))
sys.argv = ["ethora", *sys.argv[1:]]
main()
"""


def test_the_help_imports_no_command_and_nothing_that_is_slow_to_import() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED, "--help"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded: typer"


def test_the_listed_summaries_are_those_of_the_commands() -> None:
    group: Any = typer.main.get_command(app)
    listed = {name: entry.summary for name, entry in group.entries.items()}
    assert len(listed) > 10
    assert listed == {name: summary(command.help) for name, command in group.commands.items()}
    assert [command.name for command in group.commands.values()] == list(listed)


def test_the_help_shows_each_summary_in_full(bare: Cli) -> None:
    group: Any = typer.main.get_command(app)
    shown = " ".join(bare("--help").stdout.split())
    assert [name for name, entry in group.entries.items() if f"{name} {entry.summary}" not in shown] == []
    shown = " ".join(bare("users", "--help").stdout.split())
    for name, command in group.commands["users"].commands.items():
        assert f"{name} {summary(command.help)}" in shown


def test_a_mistyped_command_is_told_what_was_meant(bare: Cli) -> None:
    result = bare("userz")
    assert (result.code, result.stdout) == (2, "")
    assert "No such command 'userz'. Did you mean 'users'" in result.stderr


def test_completion_knows_every_command() -> None:
    group: Any = typer.main.get_command(app)
    context = group.make_context("ethora", [], resilient_parsing=True)
    assert {item.value for item in group.shell_complete(context, "")} >= set(group.entries)
