from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from cli_sync_helpers import Shell
from loop_thread import Loop

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ethora_async.sandbox.logs import RequestRecord


@pytest.fixture(scope="session")
def sandbox_loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def sandbox(sandbox_loop: Loop) -> Iterator[EthoraSandbox]:
    """A local Ethora for one test, served in a thread."""
    sandbox = EthoraSandbox(app_id="app123", secret="canary-secret-of-the-app")
    sandbox_loop.run(sandbox.start())
    yield sandbox
    sandbox.faults.clear()
    sandbox_loop.run(sandbox.aclose())


@pytest.fixture
def shell(sandbox: EthoraSandbox, tmp_path: Path) -> Iterator[Shell]:
    """Runs commands against the sandbox, and ends them after the test."""
    # A test run in the background of a shell ignores Ctrl-C, and what it starts would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    shell = Shell(tmp_path, sandbox.environment)
    yield shell
    shell.close()
    signal.signal(signal.SIGINT, before)
    assert "canary-secret-of-the-app" not in shell.seen
    assert "Traceback" not in shell.seen


@pytest.fixture
def stalling(sandbox: EthoraSandbox) -> Iterator[None]:
    """After the first batch is recorded, every further one waits until its caller has disconnected."""
    armed = False

    def listen(record: RequestRecord) -> None:
        nonlocal armed
        # Not before: whoever asks for the first one's result would wait behind the others.
        if not armed and record.method == "GET" and "/batch/" in record.path:
            armed = True
            sandbox.faults.latency(3600, "POST *")

    sandbox._log._listener = listen
    yield
    sandbox._log._listener = None
    sandbox.faults.clear()
