"""The command ``ethora`` (extra ``cli``). Progress goes to stderr, results to stdout."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exits with one of the codes of design §8."""
    try:
        from ethora_async.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(f"the command line needs {error.name}: pip install 'ethora-async[cli]'")
    app()
