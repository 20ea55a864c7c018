"""Running a command: its client, its exit code, and what an error looks like."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import attrs
import typer

from ethora_async.errors import (
    ChatError,
    ConfigError,
    Forbidden,
    InvalidInput,
    RateLimited,
    ServerFault,
    TransportError,
    Unauthorized,
)
from ethora_async.platforms.ethora.auth import APP_SECRET
from ethora_async.platforms.ethora.client import EthoraClient

DONE = 0
SOME_FAILED = 1
USAGE = 2
PLATFORM = 3
INTERRUPTED = 130
"""Exit codes (design §8)."""


@attrs.frozen
class Options:
    """What was said before the command's name: where the secret comes from."""

    secrets: str | None = None

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[EthoraClient, None]:
        """The client that the environment and the options describe.

        Raises:
            ConfigError: a setting is missing.
        """
        if self.secrets is not None:
            client = EthoraClient.from_secrets(self.secrets)
        else:
            client = EthoraClient(secret=_asked_for())
        async with client:
            yield client


def _asked_for() -> str | None:
    """The secret, typed in by whoever sits at the terminal, when the environment lacks it."""
    if os.environ.get(APP_SECRET, "").strip() or not sys.stdin.isatty():
        return None
    secret: str = typer.prompt(f"{APP_SECRET} is not set; app secret", hide_input=True, err=True)
    return secret


def run(work: Coroutine[Any, Any, int]) -> None:
    """Carry out a command and exit with its code.

    An error that ends the command is told in one line on stderr; Ctrl-C cancels the command, lets it tell what it
    had done until then, and exits with 130.
    """
    try:
        code = asyncio.run(work)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        code = INTERRUPTED
    except ChatError as error:
        typer.echo(f"error: {error}", err=True)
        code = exit_code(error)
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = SOME_FAILED
    raise typer.Exit(code)


def exit_code(error: ChatError) -> int:
    """The exit code for an error that ended a command."""
    if isinstance(error, (ConfigError, InvalidInput)):
        return USAGE
    if isinstance(error, (TransportError, Unauthorized, Forbidden, ServerFault, RateLimited)):
        return PLATFORM
    return SOME_FAILED
