"""Standard input copied to a file that can be read more than once, and that is gone when the process is."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from ethora_async_secrets.concurrency import run_blocking


async def stdin_copy() -> Path:
    """Return the path of a private copy of standard input, made when it is first asked for."""
    return await run_blocking(_copied)


@cache
def _copied() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ethora-stdin-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "stdin"
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    descriptor = Path(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}")
    if descriptor.exists():
        # Readable as long as this process lives, and not in any folder: nothing is left behind even by a kill.
        shutil.rmtree(folder)
        return descriptor
    return path
