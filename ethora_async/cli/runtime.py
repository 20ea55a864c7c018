"""Running a command: its client, its exit code, and what an error looks like."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import attrs
import typer

from ethora_async.capabilities import ManagesChats, ManagesUsers
from ethora_async.errors import (
    ChatError,
    ConfigError,
    ForbiddenError,
    InvalidInputError,
    RateLimitedError,
    ServerFaultError,
    StoppedByGuardError,
    TransportError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.platforms.ethora.client import EthoraClient
from ethora_async.platforms.ethora.context import API_URL, APP_ID

T = TypeVar("T")

DONE = 0
SOME_FAILED = 1
USAGE = 2
PLATFORM = 3
NOT_IN_STEP = 4
STOPPED = 5
INTERRUPTED = 130
"""Exit codes (docs/reference/exit-codes.md)."""


class SyncPlatform(StrEnum):
    """The platforms whose users and chats can be kept in step."""

    ethora = "ethora"
    rocketchat = "rocketchat"


class SyncClient(ManagesUsers, ManagesChats, Protocol):
    """The client of such a platform: what plan, apply, resume and verify work with."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@attrs.frozen
class Options:
    """What was said before the command's name: where the secret comes from, and which platform is meant."""

    secrets: str | None = None
    platform: SyncPlatform = SyncPlatform.ethora

    def command(self, name: str) -> str:
        """How a command is called that is to work with the same platform: ``ethora resume``."""
        chosen = "" if self.platform is SyncPlatform.ethora else f" --platform {self.platform.value}"
        return f"ethora{chosen} {name}"

    def sync_client(self, secret: str | None = None) -> SyncClient:
        """The client of the platform that was chosen; otherwise as `client`.

        Raises:
            ConfigError: a setting is missing.
        """
        if self.platform is SyncPlatform.ethora:
            return self.client(secret)
        from ethora_async.platforms.rocketchat.client import RocketChatClient

        return RocketChatClient.from_env() if self.secrets is None else RocketChatClient.from_secrets(self.secrets)

    def client(self, secret: str | None = None) -> EthoraClient:
        """The client that the environment and the options describe; `secret` stands in for the environment's.

        Raises:
            ConfigError: a setting is missing.
        """
        if self.secrets is not None:
            return EthoraClient.from_secrets(self.secrets)
        given = {APP_SECRET: secret or ""}
        missing = [
            name for name in (API_URL, APP_ID, APP_SECRET) if not (given.get(name) or os.environ.get(name, "")).strip()
        ]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            msg = (
                f"{', '.join(missing)} {verb} not set, or empty, in the environment: set what is missing, or name the"
                " store that has it with --secrets; for a local try, ethora sandbox prints all settings"
            )
            raise ConfigError(msg)
        return EthoraClient(secret=secret)

    def asked_secret(self) -> str | None:
        """The secret, typed in by whoever sits at the terminal, when nothing else tells it."""
        if self.platform is not SyncPlatform.ethora:
            return None
        if self.secrets is not None or os.environ.get(APP_SECRET, "").strip() or not sys.stdin.isatty():
            return None
        return prompt(f"{APP_SECRET} is not set; app secret")


def prompt(text: str) -> str:
    """A secret typed in unseen. To be asked for outside the event loop, where Ctrl-C would not be heard."""
    try:
        answer: str = typer.prompt(text, hide_input=True, err=True)
    except typer.Abort:
        typer.echo("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    return answer


def run_with_client(options: Options, work: Callable[[EthoraClient], Awaitable[int]]) -> None:
    """Carry out a command that talks to the platform, and exit with its code: see `run`."""
    secret = options.asked_secret()

    async def connected() -> int:
        async with options.client(secret) as client:
            return await work(client)

    run(connected())


def run_in_step(options: Options, work: Callable[[SyncClient], Awaitable[int]]) -> None:
    """The same for a command that keeps the chosen platform in step."""
    secret = options.asked_secret()

    async def connected() -> int:
        async with options.sync_client(secret) as client:
            return await work(client)

    run(connected())


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
        # Whoever read our output has had enough.
        _abandon_stdout()
        code = SOME_FAILED
    except OSError as error:
        # A full disk behind stdout, say, or a file that has gone since it was checked.
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {where}{error.strerror or error}", err=True)
        _abandon_stdout()
        code = SOME_FAILED
    raise typer.Exit(code)


def value_of(work: Coroutine[Any, Any, T]) -> T:
    """What the first part of a command found out; an error, or Ctrl-C, ends the command as in `run`.

    For commands that ask a question in between, which is to be asked outside the event loop (see `prompt`).
    """
    found: list[T] = []

    async def look() -> int:
        found.append(await work)
        return DONE

    try:
        run(look())
    except typer.Exit as end:
        if end.exit_code != DONE:
            raise
    return found[0]


def _abandon_stdout() -> None:
    # Python would complain at exit of what it could not write any more.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_code(error: ChatError) -> int:
    """The exit code for an error that ended a command."""
    if isinstance(error, (ConfigError, InvalidInputError)):
        return USAGE
    if isinstance(error, StoppedByGuardError):
        return STOPPED
    if isinstance(error, (TransportError, UnauthorizedError, ForbiddenError, ServerFaultError, RateLimitedError)):
        return PLATFORM
    return SOME_FAILED


class Delivery:
    """Tells a platform that cannot be reached, or refuses us, from items that cannot be done."""

    def __init__(self) -> None:
        self._met: ChatError | None = None
        self._answered = False

    def note(self, error: ChatError | None) -> None:
        """Take in what became of one item."""
        if isinstance(error, InvalidInputError):
            return  # it was never sent
        if error is not None and exit_code(error) == PLATFORM:
            self._met = self._met or error
        else:
            self._answered = True

    @property
    def failure(self) -> ChatError | None:
        """What every item that was sent met with, when it was the platform's state and not the items."""
        return None if self._answered else self._met
