"""Run the command line as a user does, in this process or in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Protocol

from command_processes import PATIENCE, Command
from command_result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SECRET = "canary-secret-of-the-app"


class Cli(Protocol):
    """Runs a command in this process."""

    def __call__(self, *args: str, stdin: str | None = None) -> Result: ...


def start(*args: str, env: Mapping[str, str], cwd: Path | None = None, python: Sequence[str] | None = None) -> Process:
    """Start the command in a separate process; `python` starts a new interpreter, where one is needed."""
    if python is None:
        return Process(Command(*args, env=clean(env), cwd=cwd))
    process = subprocess.Popen(
        [sys.executable, *python, *args],
        env=clean(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return Process(process)


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a user's shell with these settings, with a terminal wide enough for any message."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    return {**inherited, "COLUMNS": "200", **env}


class Process:
    """A running command."""

    def __init__(self, process: subprocess.Popen[bytes] | Command) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.popen = process
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr
        self._timer = threading.Timer(PATIENCE, process.kill)
        self._timer.daemon = True
        self._timer.start()

    def lines_until(self, stream: IO[bytes], wanted: Callable[[str], bool]) -> list[str]:
        """Read lines up to and including the wanted one."""
        lines: list[str] = []
        while text := stream.readline():
            lines.append(text.decode().rstrip("\n"))
            if wanted(lines[-1]):
                return lines
        msg = f"it ended before the line that was waited for: {lines}"
        raise AssertionError(msg)

    def finish(self) -> Result:
        """Wait until it has ended."""
        stdout, stderr = self.popen.communicate()
        self._timer.cancel()
        assert self.popen.returncode is not None
        return Result(self.popen.returncode, stdout.decode(), stderr.decode())

    def kill(self) -> None:
        """Make sure that the process has ended."""
        self._timer.cancel()
        self.popen.kill()
        self.popen.wait()
        self.stdout.close()
        self.stderr.close()


def people(count: int, *, prefix: str = "u") -> str:
    """A CSV file of users."""
    rows = [f"{prefix}{number},{prefix}{number}@example.com,Ann,Lee" for number in range(1, count + 1)]
    return "\n".join(["id,email,first_name,last_name", *rows, ""])
