"""Copy standard input to a temporary file that can be read more than once, and that disappears with the process."""

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
    """Return the path of a private copy of standard input, created on the first call."""
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
        # Readable while this process lives, and in no directory: even a kill leaves nothing behind.
        shutil.rmtree(folder)
        return descriptor
    return path
