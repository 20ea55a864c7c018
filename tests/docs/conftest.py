"""A local Ethora, and the settings that point a snippet at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async.sandbox import EthoraSandbox
from ethora_async.testing.users.background_loop import BackgroundLoop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def platform() -> Iterator[EthoraSandbox]:
    """A sandbox in a thread beside the test: commands reach it too."""
    loop = BackgroundLoop()
    sandbox = EthoraSandbox()
    loop.run(sandbox.start())
    yield sandbox
    loop.run(sandbox.aclose())
    loop.close()


@pytest.fixture
def folder(platform: EthoraSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where snippets run: an empty folder, with the settings that `ethora sandbox` prints."""
    for name, value in platform.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path
