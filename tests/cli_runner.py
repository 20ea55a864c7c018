"""Commands in this process: Typer's runner, with one tree of commands for the whole run.

Typer makes the tree of all commands anew for each call, and that takes most of the time of a command that is called in
a test.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import typer.testing
from typer.main import get_command

if TYPE_CHECKING:
    from typer import Typer

_tree = cache(get_command)


class CliRunner(typer.testing.CliRunner):
    """Calls commands as `typer.testing.CliRunner` does."""

    def invoke(self, app: Typer, *args: Any, **options: Any) -> typer.testing.Result:
        """Call a command, and return its result."""
        # A command that imports a function of the user's puts the working directory on the path.
        with patch.object(typer.testing, "_get_command", _tree), patch.object(sys, "path", [*sys.path]):
            return super().invoke(app, *args, **options)
