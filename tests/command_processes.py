"""Run the command line in forked processes instead of started ones.

Python takes most of a second of processor time to start and to import the command line. Hundreds of tests need a
process nevertheless: for its streams, its terminal, its signals, or its end. The fork server of `multiprocessing`
imports the command line once for each worker of the test run, and every command is forked from it.

Use `subprocess` where the start or the end of the interpreter matters: `-m`, `PYTHONPATH` and its like, a stream that
cannot be flushed at the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import random
import signal
import sys
import termios
import time
from multiprocessing.reduction import DupFd
from subprocess import DEVNULL, PIPE, TimeoutExpired
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE = 300.0
"""Seconds after which a command that hangs is killed, so that its test fails: far more than a busy machine needs."""

_SERVER = multiprocessing.get_context("forkserver")
# The modules of the commands too, which are otherwise imported when they are called.
_SERVER.set_forkserver_preload(
    ["ethora_async.cli.app"]
    + [f"ethora_async.cli.{name}" for name in ("apply", "chats", "demo", "doctor", "outbox.command", "plan", "users")]
    + [f"ethora_async.cli.{name}" for name in ("resume", "sandbox", "serve.command", "verify", "workers.work")]
    # What the commands import once they run: most of their time otherwise.
    + [f"ethora_async.sandbox.{name}.server" for name in ("avaya", "ethora", "imbachat", "rocketchat")]
    + ["ethora_async.transport.aiohttp", "ethora_async.web.aiohttp", "aiohttp.web", "joserfc.jwt", "pydantic.main"]
)


class Command:
    """A running command, with the interface of `subprocess.Popen`.

    Args:
        args: the words after ``ethora``.
        env: its whole environment.
        cwd: its working directory.
        stdin: an open file, or `subprocess.DEVNULL` or `PIPE`; the same for `stdout` and `stderr`.
        text: whether the pipes carry text.
        terminal: whether `stdin` is a terminal that becomes the one that controls the process.
    """

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int | IO[Any] = DEVNULL,
        stdout: int | IO[Any] = PIPE,
        stderr: int | IO[Any] = PIPE,
        text: bool = False,
        terminal: bool = False,
    ) -> None:
        self.args = args
        with contextlib.ExitStack() as theirs:
            ours, streams = zip(
                *(
                    _ends(stream, theirs, text=text, reads=number == 0)
                    for number, stream in enumerate((stdin, stdout, stderr))
                ),
                strict=True,
            )
            self.stdin, self.stdout, self.stderr = ours
            self._process = _SERVER.Process(
                target=_run, args=(args, dict(env), os.fspath(cwd or os.getcwd()), streams, terminal), daemon=True
            )
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Return the exit code, or the negative number of the signal."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            assert timeout is not None
            raise TimeoutExpired(self.args, timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, written: Any = None, timeout: float = PATIENCE) -> tuple[Any, Any]:
        """Write `written` to stdin, read both streams to their end, and wait for the end of the process."""
        until = time.monotonic() + timeout
        read: dict[str, Any] = {"stdout": None, "stderr": None}

        def take(name: str) -> None:
            with getattr(self, name) as stream:
                read[name] = stream.read()

        readers = [Thread(target=take, args=(name,), daemon=True) for name in read if getattr(self, name) is not None]
        for reader in readers:
            reader.start()
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self.stdin:
                self.stdin.write(written)
        for reader in readers:
            reader.join(until - time.monotonic())
        self.wait(max(until - time.monotonic(), 0))
        return read["stdout"], read["stderr"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make sure that it has ended."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()


class _Stream:
    """A file descriptor that goes with a process to the fork server."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> Any:
        return _Received, (DupFd(self._number),)


class _Received:
    """A file descriptor that came with a process."""

    def __init__(self, passed: Any) -> None:
        self._passed = passed

    def becomes(self, number: int) -> None:
        received = self._passed.detach()
        os.dup2(received, number)
        os.close(received)


def _ends(stream: int | IO[Any], theirs: contextlib.ExitStack, *, text: bool, reads: bool) -> tuple[Any, _Stream]:
    """Return our end of a stream, if it is a pipe, and the end of the command, which `theirs` closes here."""
    if stream == PIPE:
        read, write = os.pipe()
        end, other, mode = (read, write, "w") if reads else (write, read, "r")
        theirs.callback(os.close, end)
        return os.fdopen(other, mode if text else f"{mode}b"), _Stream(end)
    if stream == DEVNULL:
        null = os.open(os.devnull, os.O_RDWR)
        theirs.callback(os.close, null)
        return None, _Stream(null)
    return None, _Stream(stream if isinstance(stream, int) else stream.fileno())


def _run(args: tuple[str, ...], env: dict[str, str], cwd: str, streams: tuple[_Received, ...], terminal: bool) -> None:
    """Become the command: this runs in the process that was forked for it."""
    if terminal:
        os.setsid()
    for number, stream in enumerate(streams):
        stream.becomes(number)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    sys.argv = ["ethora", *args]
    # The fork server ignores Ctrl-C, and every process forked from it would draw the same numbers.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    # Consoles look at the streams and the environment when their modules are imported.
    for name in [name for name in sys.modules if name.startswith(("ethora_async.cli", "typer"))]:
        del sys.modules[name]

    from ethora_async.cli import main

    main()
