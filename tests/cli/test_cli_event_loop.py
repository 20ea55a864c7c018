"""The command line runs on uvloop where it is installed, and on asyncio's own loop elsewhere."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import typer

from ethora_async.cli import runtime

if TYPE_CHECKING:
    from collections.abc import Callable


class Loop(asyncio.SelectorEventLoop):
    """A substitute for uvloop's loop."""


@pytest.fixture
def kind() -> Callable[[], type]:
    def run() -> type:
        seen: list[type] = []

        async def work() -> int:
            seen.append(type(asyncio.get_running_loop()))
            return 0

        with pytest.raises(typer.Exit) as ended:
            runtime.run(work())
        assert ended.value.exit_code == 0
        return seen[0]

    return run


def test_uvloop_is_used_where_it_is_installed(kind: Callable[[], type], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=Loop))
    assert kind() is Loop


def test_without_uvloop_it_is_asyncios_own(kind: Callable[[], type], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert kind().__module__.startswith("asyncio.")
