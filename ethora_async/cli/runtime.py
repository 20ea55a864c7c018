"""Run a command: its client, its exit code and its error report."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext, suppress
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import attrs
import typer

from ethora_async.capabilities import ManagesChats, ManagesUsers
from ethora_async.cli.json_reply import complain
from ethora_async.cli.observing import listeners, sends_traceparent, traceparent_transport
from ethora_async.cli.platforms import REGISTRY, ClientT, Platform, Platforms
from ethora_async.cli.stop_signals import stop_signals
from ethora_async.engine.patience import patience
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
from ethora_async.platforms.ethora.context import API_URL, APP_ID

if TYPE_CHECKING:
    from ethora_async.engine.wiring import BaseClient

T = TypeVar("T")
OpenedT = TypeVar("OpenedT", bound="BaseClient")

DONE = 0
SOME_FAILED = 1
USAGE = 2
PLATFORM = 3
NOT_IN_STEP = 4
STOPPED = 5
CANNOT_CHANGE = 6
INTERRUPTED = 130
"""Exit codes (docs/reference/exit-codes.md)."""

_WORTH_TELLING = 2.0
"""Seconds of a wait from which a command tells it."""


class SyncClient(ManagesUsers, ManagesChats, Protocol):
    """A client that manages users and chats, for plan, apply, resume and verify."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@attrs.frozen
class Options:
    """The options that apply to every command: where secrets come from, and the platform."""

    secrets: str | None = None
    platform: Platform = Platform.ethora

    def on(self, platform: Platform | None) -> Options:
        """Return the options with the platform given after the command, if one was."""
        return self if platform is None else attrs.evolve(self, platform=platform)

    def command(self, name: str) -> str:
        """Return the command line that runs a command on the same platform, for example ``ethora resume``."""
        chosen = "" if self.platform is Platform.ethora else f" --platform {self.platform.value}"
        return f"ethora{chosen} {name}"

    def client(self, supported: Platforms[ClientT], secret: str | None = None, **settings: Any) -> ClientT:
        """Return a client of the chosen platform.

        Its settings come from ``--secrets`` or ``ETHORA_SECRETS`` if given, else from the platform's own variables.

        Args:
            supported: The platforms that the command supports.
            secret: The Ethora app secret that was typed at a prompt, in place of the environment's.
            settings: Further arguments of the client's constructor, for example ``timeout``.

        Raises:
            ConfigError: A setting is missing or cannot be used.
            InvalidInputError: The chosen platform is not one of `supported`.
        """
        if self.platform not in supported:
            msg = f"this command does not support --platform {self.platform.value}"
            raise InvalidInputError(msg, field="platform")
        client_class = REGISTRY[self.platform].client_class()
        made: ClientT
        if on_event := listeners(settings.pop("on_event", ())):
            settings["on_event"] = on_event
        if sends_traceparent():
            settings["transport"] = traceparent_transport()
        if self.secrets is not None:
            made = client_class.from_secrets(self.secrets, **settings)
        elif self.platform is not Platform.ethora:
            made = client_class.from_env(**settings)
        else:
            _check_ethora_settings(secret)
            made = client_class(secret=secret, **settings)
        return made

    def asked_secret(self) -> str | None:
        """Ask for the Ethora app secret on a terminal when no setting has it; otherwise return None."""
        if self.platform is not Platform.ethora:
            return None
        if self.secrets is not None or os.environ.get(APP_SECRET, "").strip() or not sys.stdin.isatty():
            return None
        return prompt(f"{APP_SECRET} is not set; app secret")


def _check_ethora_settings(secret: str | None) -> None:
    """Name all missing settings at once; the client itself names the first.

    Raises:
        ConfigError: One is missing.
    """
    given = {APP_SECRET: secret or ""}
    missing = [
        name for name in (API_URL, APP_ID, APP_SECRET) if not (given.get(name) or os.environ.get(name, "")).strip()
    ]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        msg = (
            f"{', '.join(missing)} {verb} not set, or empty, in the environment: set what is missing, or name the"
            " store that has it with --secrets; to try things locally, run `ethora sandbox`, which prints all settings"
        )
        raise ConfigError(msg)


def prompt(text: str) -> str:
    """Ask for a secret without echo. Call it outside the event loop: inside, Ctrl-C would not be noticed."""
    try:
        answer: str = typer.prompt(text, hide_input=True, err=True)
    except (typer.Abort, KeyboardInterrupt):
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    return answer


def run_with_client(
    options: Options,
    supported: Platforms[OpenedT],
    work: Callable[[OpenedT], Awaitable[int]],
    **settings: Any,
) -> None:
    """Run a command with a client of the chosen platform, and exit with its code: see `run`."""
    secret = options.asked_secret()

    async def connected() -> int:
        client = options.client(supported, secret, **settings)
        async with client:
            return await work(client)

    run(connected())


def run(work: Coroutine[Any, Any, int], *, serves: bool = False) -> None:
    """Run a command and exit with its code.

    An error that ends the command is printed in one line on stderr. Ctrl-C, SIGTERM and SIGHUP cancel the command,
    let it report what it has done, and exit with 130. Calls wait as long as the platform asks, and stderr says so.

    Args:
        work: The command.
        serves: The command answers requests of others: its calls fail within their deadlines.
    """
    try:
        with nullcontext() if serves else patience(_WaitTold()), asyncio.Runner(loop_factory=loop_factory()) as runner:
            code = runner.run(_stopped_by_signals(work))
    except KeyboardInterrupt:
        complain("interrupted")
        code = INTERRUPTED
    except ChatError as error:
        complain(f"error: {error}", error)
        code = exit_code(error)
    except BrokenPipeError:
        # The reader of stdout has closed it.
        _abandon_stdout()
        code = SOME_FAILED
    except OSError as error:
        # A full disk behind stdout, or a file that was removed after it was checked.
        where = f"{error.filename}: " if error.filename else ""
        complain(f"error: {where}{error.strerror or error}")
        _abandon_stdout()
        code = SOME_FAILED
    raise typer.Exit(code)


class _WaitTold:
    """Tells on stderr that a call waits, once for each operation."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, operation: str, wait: float) -> None:
        if wait < _WORTH_TELLING or operation in self._told:
            return
        self._told.add(operation)
        text = f"the platform allows no more calls of {operation} for now: waiting {wait:.0f} s, as it asks"
        typer.echo(text, err=True)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the factory of uvloop's event loop if it is installed (extra ``speed``); None means asyncio's own."""
    try:
        module = import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return factory


async def _stopped_by_signals(work: Coroutine[Any, Any, int]) -> int:
    """Await a command, and end it on SIGTERM or SIGHUP exactly as `asyncio.run` ends it on Ctrl-C."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    stopped = False

    def stop(number: int) -> None:
        nonlocal stopped
        if task is None or (stopped and number == signal.SIGTERM):
            raise KeyboardInterrupt  # the second signal ends the process at once
        # A terminal that closes may send SIGHUP twice.
        if not stopped:
            stopped = True
            task.cancel()

    before: dict[int, Any] = {}
    # Signal handlers exist in the main thread only.
    with suppress(ValueError, RuntimeError, NotImplementedError):
        for number in stop_signals():
            handler = signal.getsignal(number)
            loop.add_signal_handler(number, stop, number)
            before[number] = handler
    try:
        return await work
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def value_of(work: Coroutine[Any, Any, T]) -> T:
    """Run the first part of a command and return its value; an error or Ctrl-C ends the command as in `run`.

    For commands with a prompt in between, which must be shown outside the event loop (see `prompt`).
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
    # Otherwise Python reports at exit the output that it could not write.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_code(error: ChatError) -> int:
    """Return the exit code for an error that ended a command."""
    if isinstance(error, (ConfigError, InvalidInputError)):
        return USAGE
    if isinstance(error, StoppedByGuardError):
        return STOPPED
    if isinstance(error, (TransportError, UnauthorizedError, ForbiddenError, ServerFaultError, RateLimitedError)):
        return PLATFORM
    return SOME_FAILED


class DeliveryCheck:
    """Distinguishes a platform that is unreachable or rejects everything from items that fail individually."""

    def __init__(self) -> None:
        self._met: ChatError | None = None
        self._answered = False

    def note(self, error: ChatError | None) -> None:
        """Record the result of one item."""
        if isinstance(error, InvalidInputError):
            return  # it was never sent
        if error is not None and exit_code(error) == PLATFORM:
            self._met = self._met or error
        else:
            self._answered = True

    @property
    def failure(self) -> ChatError | None:
        """The platform's error, if every item that was sent failed with this kind of error; otherwise None."""
        return None if self._answered else self._met
