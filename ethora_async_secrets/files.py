"""Secrets in files: a directory with a file per name, a `.json` object, or a `.env` file."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ethora_async_secrets._snapshot import Snapshot, take, unchanged
from ethora_async_secrets.concurrency import run_blocking
from ethora_async_secrets.errors import SecretMalformedError, SecretUnavailableError

if TYPE_CHECKING:
    from ethora_async_secrets._snapshot import Signature
    from ethora_async_secrets.bundle import SecretBundle

_log = logging.getLogger(__name__)


class FileProvider:
    """Read secrets from `path` (made absolute), again whenever its files change.

    A directory holds one file per name, as Docker and Kubernetes mount them: hidden entries and sub-directories are
    skipped, symlink swaps are followed. `.json` is one object. `.env` has `KEY=value` lines with comments, `export` and
    quotes, as python-dotenv reads them, each ended by a newline; a quoted value may span lines. `NAME_PREVIOUS` and
    `NAME_PENDING` are the other values of `NAME`. Files in the directory and values in the object that are not text,
    and `.env` values with wrong quotes, are left out (`SecretBundle.unusable`).

    A half-written file is never accepted. While new content does not parse, is empty, or has lost names within the last
    2 s, `fetch` serves the last good bundle (and logs it once) and `refresh` raises `SecretMalformedError`. Two kinds
    of truncation look like whole files and are not noticed: a `.env` file cut between two lines before it was first
    read, and a truncated value in a directory; replace those files by a rename.

    Raises `SecretUnavailableError` (missing, or holds nothing), `SecretDeniedError` (no permission),
    `SecretMalformedError` (invalid, not UTF-8, over 1 MiB).
    """

    __slots__ = ("_bundle", "_path", "_signature", "_warned")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: str = os.path.abspath(path)
        self._bundle: SecretBundle | None = None
        self._signature: Signature | None = None
        self._warned: Signature | None = None

    def __repr__(self) -> str:
        return f"FileProvider({self._path!r})"

    @property
    def source(self) -> str:
        """`file:` and the absolute path."""
        return f"file:{self._path}"

    async def fetch(self) -> SecretBundle:
        """Return the last bundle when the files have not changed, else read them."""
        bundle, signature = self._bundle, self._signature
        if bundle is not None and signature is not None and await run_blocking(unchanged, self._path, signature):
            return bundle
        snapshot = await run_blocking(take, self._path, self.source)
        try:
            return self._accept(snapshot)
        except SecretMalformedError as problem:
            if self._bundle is None:
                raise
            self._warn(problem, snapshot.signature)
            return self._bundle

    async def refresh(self) -> SecretBundle:
        """Read the files now."""
        return self._accept(await run_blocking(take, self._path, self.source))

    def invalidate(self, version: str) -> None:
        """Make the next `fetch` read the files if `version` is the last one read.

        The bundle itself is kept, to be served while the files are half-written.
        """
        if self._bundle is not None and self._bundle.version == version:
            self._signature = None

    async def aclose(self) -> None:
        """Forget the last read; nothing is open, and a later `fetch` reads again."""
        self._bundle = self._signature = self._warned = None

    def _accept(self, snapshot: Snapshot) -> SecretBundle:
        bundle = snapshot.bundle
        if bundle is None:
            error = snapshot.error or SecretMalformedError
            raise error(f"Secrets in {self._path} cannot be used: {snapshot.detail}.", self.source)
        if missing := self._lost(bundle, snapshot.signature):
            raise SecretMalformedError(
                f"Secrets in {self._path} may be half-written: {missing} was there moments ago.",
                self.source,
            )
        if not bundle.names():
            if bundle.unusable:
                reason = next(iter(bundle.unusable.values()))
                raise SecretMalformedError(f"Secrets in {self._path} cannot be used: {reason}.", self.source)
            raise SecretUnavailableError(f"{self._path} holds no secrets: add at least one.", self.source)
        self._bundle, self._signature = bundle, snapshot.signature
        return bundle

    def _lost(self, bundle: SecretBundle, signature: Signature | None) -> str:
        """Return the names that `bundle` has lost since the last one, if a writer may still be writing."""
        if self._bundle is None:
            return ""
        lost = sorted(self._bundle.names() - bundle.names())
        # A value that existed and cannot be read now is a writer's mistake, however long ago it was made.
        if spoilt := [name for name in lost if name in bundle.unusable]:
            return ", ".join(spoilt)
        if bundle.names() and (signature is None or signature.settled):
            return ""
        return ", ".join(lost)

    def _warn(self, problem: SecretMalformedError, signature: Signature | None) -> None:
        if signature is not None and signature == self._warned:
            return
        self._warned = signature
        version = self._bundle.version if self._bundle else None
        _log.warning("%s Still serving version %s.", problem, version)
