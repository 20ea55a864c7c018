"""Signals that end a command: it cleans up and exits with 130."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
import typer

from ethora_async.cli.runtime import INTERRUPTED, run

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGHUP, 2)])
def test_a_command_is_cancelled_and_cleans_up(
    number: signal.Signals, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = []

    async def work() -> int:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(3600)
        finally:
            for _ in range(times - 1):  # a terminal that closes may send it again
                os.kill(os.getpid(), number)
            await asyncio.sleep(0.001)
            ended.append("cleaned up")
        return 0

    with pytest.raises(typer.Exit) as caught:
        run(work())
    assert caught.value.exit_code == INTERRUPTED
    assert ended == ["cleaned up"]
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.usefixtures("hangup")
def test_under_nohup_a_command_goes_on() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work() -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.001)
        return 0

    with pytest.raises(typer.Exit) as caught:
        run(work())
    assert caught.value.exit_code == 0
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
