"""Commands in separate processes, on pipes or on a terminal, against a sandbox."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cli_runner import CliRunner
from command_processes import PATIENCE, Command
from command_result import Result

from ethora_async.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]

DONE, SOME_FAILED, USAGE, PLATFORM, NOT_IN_STEP, STOPPED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Shell:
    """A user's shell: a working directory, settings, and commands started there."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
        self.env = {**inherited, "PYTHONPATH": str(ROOT), **settings}
        self.seen = ""
        """All that commands wrote to their streams."""
        self._started: list[Command] = []

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, "utf-8")
        return name

    def start(self, *args: str) -> Command:
        process = Command(*args, env=self.env, cwd=self.folder)
        self._started.append(process)
        return process

    def finish(self, process: Command) -> Result:
        stdout, stderr = process.communicate()
        assert process.returncode is not None
        result = Result(process.returncode, stdout.decode(), stderr.decode())
        self.seen += result.stdout + result.stderr
        return result

    def __call__(self, *args: str) -> Result:
        """Run a command to its end, in this process: a new one takes a second to start."""
        with contextlib.chdir(self.folder):
            ran = CliRunner(env=self.env).invoke(app, args)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        result = Result(ran.exit_code, ran.stdout, ran.stderr)
        self.seen += result.stdout + result.stderr
        return result

    def on_terminal(
        self, *args: str, answer: bytes, env: Mapping[str, str] | None = None, columns: int = 100
    ) -> Result:
        """Run a command on a terminal, and type `answer` when it asks; `stdout` receives both streams."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = Command(
            *args,
            env={**self.env, "TERM": "xterm-256color", **(env or {})},
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            terminal=True,
        )
        os.close(theirs)
        self._started.append(process)
        written, answered = b"", False
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux, when the other side is closed
                break
            if not part:
                break
            written += part
            if not answered and b"[y/N]" in written:
                answered = True
                os.write(ours, answer)
        os.close(ours)
        code = process.wait(PATIENCE)
        self.seen += written.decode()
        return Result(code, written.decode(), "")

    def close(self) -> None:
        for process in self._started:
            process.close()

    def files(self) -> bytes:
        """Return all bytes of all files in the working directory."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.iterdir()) if path.is_file())


def people(numbers: range, *, first: str = "Ann", password: str = "") -> str:
    """A CSV file of users."""
    rows = [f"u{number},u{number}@example.com,{first},Lee,{password}" for number in numbers]
    return "\n".join(["id,email,first_name,last_name,password", *rows, ""])


def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened in another process."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
