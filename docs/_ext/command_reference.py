"""The directive ``ethora-commands``: every command of ``ethora``, read from the commands themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer
from sphinx.util.docutils import SphinxDirective

from ethora_async.cli.app import app as commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx


def reference() -> str:
    """Return the reference of all commands, as Markdown."""
    return "\n".join(_command(typer.main.get_command(commands), ["ethora"]))


def _command(command: Any, words: list[str]) -> Iterator[str]:
    name = " ".join(words)
    context = command.make_context(name, [], resilient_parsing=True)
    yield f"{'#' * (len(words) + 1)} {name}\n"
    yield f"{_prose(command.help)}\n"
    yield f"```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    rows = [record for one in command.params if (record := one.get_help_record(context)) is not None]
    if rows:
        yield "| | |\n|---|---|"
        yield from (f"| {_code(left)} | {_cell(right)} |" for left, right in rows)
        yield ""
    for word, child in getattr(command, "commands", {}).items():
        yield from _command(child, [*words, word])


def _prose(text: str | None) -> str:
    """Return a command's help with its options marked as code."""
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", (text or "").replace("\b\n", "").strip())


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`"


def _cell(text: str | None) -> str:
    return _prose(" ".join((text or "").split())).replace("|", "\\|")


class EthoraCommands(SphinxDirective):
    """Put the reference of all commands in place of the directive."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the parsed reference."""
        self.env.note_reread()
        return self.parse_text_to_nodes(reference(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("ethora-commands", EthoraCommands)
    return {"parallel_read_safe": True, "version": "1"}
