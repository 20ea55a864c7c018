"""The fenced blocks of a Markdown page, and how they are run."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from typing import TYPE_CHECKING, Any

from cli_runner import CliRunner

from ethora_async.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE_DOCUMENT = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END\n", re.MULTILINE | re.DOTALL)
RUN = frozenset({"python", "sh"})
SHOWN = frozenset({"console", "js", "text", "toml"})
"""Languages of blocks that are not run: transcripts, files, and what a browser runs."""


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every block of the page; directives of Sphinx are none."""
    yield from BLOCK.findall(page.read_text("utf-8"))


async def run_python(text: str, scope: dict[str, Any], name: str) -> None:
    """Run a block in `scope`; it may await."""
    code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, scope)
    if inspect.isawaitable(result):
        await result


def run_commands(text: str, folder: Path) -> None:
    """Run a block of `ethora` commands and here-documents in this process; anything else in it is an error."""
    rest = HERE_DOCUMENT.sub("", text)
    for name, content in HERE_DOCUMENT.findall(text):
        (folder / name).write_text(content, "utf-8")
    for line in filter(None, map(str.strip, rest.splitlines())):
        program, *arguments = shlex.split(line)
        assert program == "ethora", line
        finished = CliRunner().invoke(app, arguments)
        assert finished.exit_code == 0, line + finished.output
