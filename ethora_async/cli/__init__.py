"""The command ``ethora`` (extra ``cli``). Progress goes to stderr, results to stdout."""

from __future__ import annotations

import io
import sys
import warnings
from typing import TextIO

_USAGE = 2
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with one of the codes of docs/reference/exit-codes.md."""
    try:
        _prepare_streams()
        from ethora_async.cli.app import app
        from ethora_async.cli.runtime import interrupt_on_sigterm

        interrupt_on_sigterm()
        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("typer", "rich"):
            raise
        sys.stderr.write(f"error: the command line needs {package}: pip install 'ethora-async[cli]'\n")
        sys.exit(_USAGE)
    except KeyboardInterrupt:  # before a command was running
        sys.exit(_INTERRUPTED)


def _prepare_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,
    line: str | None = None,  # noqa: ARG001
) -> None:
    (file or sys.stderr).write(f"warning: {message}\n")
