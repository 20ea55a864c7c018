"""The command ``ethora`` (extra ``cli``). Progress goes to stderr, results to stdout."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import warnings
from importlib.util import find_spec
from typing import NoReturn, TextIO

from ethora_async.cli.stop_signals import stop_signals

_USAGE = 2
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with one of the codes of docs/reference/exit-codes.md."""
    answering = False
    try:
        _interrupt_on_signals()
        _prepare_streams()
        if find_spec("rich") is None:  # most commands need it; one that does not must not hide that it is missing
            raise ModuleNotFoundError(name="rich")
        from ethora_async.cli.app import app
        from ethora_async.cli.json_reply import replying

        with replying(sys.argv[1:]):
            answering = True
            app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("typer", "rich"):
            raise
        message = f"the command line needs {package}: pip install 'ethora-async[cli]'"
        sys.stderr.write(f"error: {message}\n")
        _end(_USAGE, "usage", message, answered=answering)
    except KeyboardInterrupt:  # before a command was running
        _end(_INTERRUPTED, "interrupted", "interrupted", answered=answering)


def _end(code: int, kind: str, message: str, *, answered: bool) -> NoReturn:
    """Exit; with ``--json``, print the error first unless `replying` has done so."""
    options = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    if "--json" in options and not answered:
        error = {"kind": kind, "message": message, "exit_code": code}
        sys.stdout.write(json.dumps({"error": error}) + "\n")
    sys.exit(code)


def _interrupt_on_signals() -> None:
    """Make SIGTERM and SIGHUP raise `KeyboardInterrupt` outside the event loop too, as in an import or a prompt."""

    def interrupt(number: int, frame: object) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    for number in stop_signals():
        signal.signal(number, interrupt)


def _prepare_streams() -> None:
    # A stream that the caller has closed is None. The null device takes its descriptor, so that no other file gets it.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  it stays open
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
