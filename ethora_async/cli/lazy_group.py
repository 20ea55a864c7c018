"""Groups of commands, and one that imports a command when it is called.

Its help and its completion show only names and summaries, so they import none of the commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from ethora_async.cli.json_reply import replying
from ethora_async.cli.platforms import Platform


class CommandEntry(NamedTuple):
    """One command of a group. A named tuple, because attrs takes longer to import than all that the help needs.

    Attributes:
        place: A function, or a Typer application with commands of its own, as ``module:name`` below `ethora_async.cli`.
        summary: The first paragraph of its help.
        platforms: What a function supports; none if it works on a database alone. An application declares its own.
        once: Whether it rejects options with a single value that are given twice.
    """

    place: str
    summary: str
    platforms: tuple[Platform, ...] = ()
    once: bool = False

    def load(self, name: str) -> Any:
        """Import the command."""
        from ethora_async.cli.once import OnceCommand
        from ethora_async.cli.shared_options import on_no_platform, on_platforms

        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"ethora_async.cli.{module}"), attribute)
        # Typer makes a group only of an application that has a callback or several commands.
        around = typer.Typer(add_completion=False, rich_markup_mode=None, callback=lambda: None)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=name)
        else:
            decorate = on_platforms(*self.platforms) if self.platforms else on_no_platform
            around.command(name, cls=OnceCommand if self.once else TyperCommand)(decorate(found))
        group: Any = typer.main.get_command(around)
        return group.commands[name]


class _Commands(Mapping[str, Any]):
    """The commands of a group, by name, each imported when it is looked up."""

    def __init__(self, entries: Mapping[str, CommandEntry]) -> None:
        self._entries = entries
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class CommandGroup(TyperGroup):
    """A group whose help shows the first paragraph of each command's help; Typer's ends it after some words."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        commands: dict[str, Any] = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, summary(command.help)) for name, command in commands.items() if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def summary(text: str | None) -> str:
    """Return the first paragraph of a command's help, on one line."""
    return " ".join((text or "").partition("\n\n")[0].split())


class LazyGroup(CommandGroup):
    """The group of all commands. A subclass names them in `entries`. Applies ``--json`` to errors too."""

    entries: ClassVar[Mapping[str, CommandEntry]] = {}
    _args: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = _Commands(self.entries)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  Typer's signature
        """Return the names, in the order of `entries`."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  Typer's signature
        """Return the command for a list: its name and summary. `resolve_command` returns the one that runs."""
        entry = self.entries.get(cmd_name)
        return None if entry is None else TyperCommand(cmd_name, callback=None, help=entry.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command to run, imported, and the arguments that are left for it."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and self.commands[name], rest

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Parse the options before the command."""
        self._args = tuple(args)
        with replying(self._args):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with replying(self._args):
            return super().invoke(ctx)
