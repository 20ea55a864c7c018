"""The signals that stop a command, besides Ctrl-C."""

from __future__ import annotations

import signal


def stop_signals() -> list[int]:
    """Return SIGTERM, and SIGHUP where there is one; under ``nohup``, which has it ignored, a command goes on."""
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is None or signal.getsignal(hangup) == signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, hangup]
