"""Uploaded files: written to disk as they arrive, whatever their size (docs/platforms/ethora.md#chats, #apps)."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ethora_async.sandbox.ethora.records import Chat, User
from ethora_async_secrets.concurrency import run_blocking

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.records import App


@attrs.frozen(eq=False)
class Received:
    """A received file: its content is at `path`, `digest` is its SHA-256."""

    field: str
    name: str
    mimetype: str
    size: int
    digest: str
    path: Path


@attrs.frozen(eq=False)
class StoredFile:
    """A file that a user uploaded, optionally to a chat."""

    id: str
    owner: User
    content: Received
    created_at: float
    private: bool = False
    chat: Chat | None = None

    @property
    def filename(self) -> str:
        """The name under which it is served: the record id and the original ending."""
        ending = Path(self.content.name).suffix
        return self.id + (ending if ending.isascii() and ending[1:].isalnum() else "")


class Shelf:
    """All files of a sandbox, in a temporary directory that is deleted with the sandbox."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._directory: Path | None = None
        self._doomed: list[Path] = []

    async def new_path(self) -> Path:
        """Return where the next upload goes: an empty file."""
        if self._directory is None:
            made = Path(await run_blocking(tempfile.mkdtemp, None, "ethora-sandbox-"))
            weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
            self._directory = made
        path = self._directory / secrets.token_hex(16)
        await run_blocking(path.touch)
        return path

    async def append(self, path: Path, piece: bytes) -> None:
        """Write a piece at the end of a file."""
        await run_blocking(_append, path, piece)

    def doom(self, path: Path) -> None:
        """Mark a file on disk for the next `sweep`."""
        self._doomed.append(path)

    async def sweep(self) -> None:
        """Delete the marked files."""
        while self._doomed:
            await run_blocking(self._doomed.pop().unlink, True)

    def add(self, file: StoredFile) -> None:
        """Store a file."""
        self._files[file.id] = file

    def remove(self, file: StoredFile) -> None:
        """Forget a file."""
        del self._files[file.id]
        self.doom(file.content.path)

    def find(self, file_id: str) -> StoredFile | None:
        """Return a file by its record id, or None."""
        return self._files.get(file_id)

    def of_user(self, owner: User) -> list[StoredFile]:
        """Return the files of one user, oldest first."""
        return [file for file in self._files.values() if file.owner is owner]

    def of_app(self, app: App) -> list[StoredFile]:
        """Return the files of one app, oldest first."""
        return [file for file in self._files.values() if file.owner.app is app]

    def count(self, app: App) -> int:
        """Count the files of one app."""
        return len(self.of_app(app))


def _append(path: Path, piece: bytes) -> None:
    with path.open("ab") as file:
        file.write(piece)
