"""``ethora demo --rotate``: rotate the app secret under load, as an operator does with a mounted file."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ethora_async.engine import RequestFinished
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async_secrets import FileProvider

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox

_CALLS_BETWEEN = 10
_ABOUT_A_ROW = frozenset({"ConflictError", "NotFoundError", "ValidationFailedError"})
"""Statuses for the demo's invalid rows: those calls were authenticated, so they do not count as failed."""
_GAP = 0.02
"""Seconds for which only the platform or only the file has the new secret."""


class Rotation:
    """Rotates the secret of a sandbox and of the file that the client reads, alternating which comes first.

    The sandbox rejects the old secret at once.
    """

    def __init__(self, sandbox: EthoraSandbox, directory: Path) -> None:
        self._sandbox = sandbox
        self._path = directory / "ethora.env"
        self._due = asyncio.Event()
        self._write(sandbox.secret)
        self.provider: FileProvider = FileProvider(self._path)
        self.rotations: int = 0
        self.calls: int = 0
        self.failed: int = 0

    def __str__(self) -> str:
        return (
            f"The app secret was rotated {self.rotations} times during {self.calls} calls; failed calls: {self.failed}."
        )

    def on_event(self, event: object) -> None:
        """Count calls as they end."""
        if isinstance(event, RequestFinished):
            self.calls += 1
            self.failed += event.error is not None and event.error not in _ABOUT_A_ROW
            if not self.calls % _CALLS_BETWEEN:
                self._due.set()

    async def go_on(self) -> None:
        """Rotate every few calls, as long as there are calls."""
        while True:
            await self._due.wait()
            self._due.clear()
            secret = secrets.token_urlsafe(24)
            if self.rotations % 2:
                self._write(secret)
                await asyncio.sleep(_GAP)
                self._sandbox.rotate_secret(secret, keep_previous=False)
            else:
                self._sandbox.rotate_secret(secret, keep_previous=False)
                await asyncio.sleep(_GAP)
                self._write(secret)
            self.rotations += 1

    def _write(self, secret: str) -> None:
        fresh = self._path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"{APP_SECRET}={secret}\n")
        fresh.rename(self._path)


@asynccontextmanager
async def rotating(sandbox: EthoraSandbox, *, wanted: bool) -> AsyncGenerator[Rotation | None, None]:
    """Rotate the secret inside the block, and yield the rotation; None if it is not requested."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ethora-demo-") as directory:
        rotation = Rotation(sandbox, Path(directory))
        task = asyncio.create_task(rotation.go_on())
        try:
            yield rotation
        finally:
            task.cancel()
            await asyncio.wait({task})
