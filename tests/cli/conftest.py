from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from cli_helpers import SECRET, Cli, Process, start
from cli_runner import CliRunner
from command_result import Result
from loop_thread import Loop

from ethora_async.cli.app import app
from ethora_async.clock import SystemClock
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def sandbox(loop_thread: Loop) -> Iterator[EthoraSandbox]:
    """A local Ethora for one test, served in a thread."""
    sandbox = EthoraSandbox(app_id="app123", secret=SECRET)
    loop_thread.run(sandbox.start())
    yield sandbox
    loop_thread.run(sandbox.aclose())


@pytest.fixture
def settings(sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The sandbox's settings, also in the environment of this process."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return sandbox.environment


@pytest.fixture
def bare() -> Cli:
    """Runs commands in this process without any settings."""

    def run(*args: str, stdin: str | None = None) -> Result:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, args, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def cli(bare: Cli, settings: Mapping[str, str]) -> Cli:
    """Runs commands in this process against the sandbox."""
    return bare


@pytest.fixture
def launch() -> Iterator[Callable[..., Process]]:
    """Starts commands in separate processes, and ends them after the test."""
    # A test run in the background of a shell ignores Ctrl-C, and what it starts would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started: list[Process] = []

    def launched(*args: str, **options: Any) -> Process:
        started.append(start(*args, **options))
        return started[-1]

    yield launched
    for process in started:
        process.kill()
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a file and return its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return write


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process do not wait between two attempts."""

    async def sleep(seconds: float) -> None:
        assert seconds >= 0

    monkeypatch.setattr(SystemClock, "sleep", staticmethod(sleep))
