"""The watchdog that every test runs under finds what blocks a loop, and nothing else."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.testing import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CULPRIT = """
import hashlib, re, time

def wait(seconds):
    time.sleep(seconds)

def count(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))

def call(other):
    other()

def match(length):
    re.fullmatch("(a+)+b", "a" * length)

def hold(seconds):
    length, taken = 16, 0.0
    while taken < seconds:
        length, began = length + 1, time.thread_time()
        match(length)
        taken = time.thread_time() - began
    return length
"""


@pytest.fixture
def culprit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package whose functions block."""
    (tmp_path / "culprit").mkdir()
    (tmp_path / "culprit" / "__init__.py").write_text(CULPRIT)
    monkeypatch.syspath_prepend(tmp_path)
    import culprit  # type: ignore[import-not-found]

    yield culprit
    del sys.modules["culprit"]


def found(step: Callable[[], object], package: str = "culprit") -> list[str]:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(step)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with Watchdog([package]).watching() as watchdog:
        asyncio.run(main())
    return [str(stall) for stall in watchdog.stalls]


def test_a_blocking_call_is_found_with_its_line(culprit: Any) -> None:
    (stall,) = found(lambda: culprit.wait(0.3))
    assert "culprit/__init__.py:5 in wait" in stall
    assert "stood still for 3" in stall


def test_a_long_computation_is_found(culprit: Any) -> None:
    (stall,) = found(lambda: culprit.count(0.2))
    assert "in count" in stall


def test_a_call_that_keeps_the_interpreter_to_itself_is_found(culprit: Any) -> None:
    """The watching thread cannot look while it lasts: here long enough to be no whim of the machine."""
    length = culprit.hold(0.45)

    (stall,) = found(lambda: culprit.match(length))
    assert "in match" in stall


def test_the_tests_own_call_that_keeps_the_interpreter_to_itself_is_not_the_packages(culprit: Any) -> None:
    length = culprit.hold(0.45)
    assert found(lambda: re.fullmatch("(a+)+b", "a" * length)) == []


def test_short_steps_are_none(culprit: Any) -> None:
    assert found(lambda: culprit.wait(0.005)) == []
    assert found(lambda: culprit.count(0.005)) == []


def test_the_tests_own_blocking_is_not_the_packages(culprit: Any) -> None:
    assert found(lambda: time.sleep(0.2)) == []
    assert found(lambda: culprit.call(lambda: time.sleep(0.2))) == []


def test_another_package_is_not_watched(culprit: Any) -> None:
    assert found(lambda: culprit.wait(0.2), package="ethora_async_secrets") == []


def test_what_blocks_outside_a_loop_is_none(culprit: Any) -> None:
    with Watchdog(["culprit"]).watching() as watchdog:
        culprit.wait(0.2)
    assert watchdog.stalls == []


def test_a_thread_that_computes_is_not_held_against_the_loop(culprit: Any) -> None:
    async def main() -> None:
        computing = asyncio.ensure_future(asyncio.to_thread(culprit.count, 0.4))
        while not computing.done():
            await asyncio.wait({computing}, timeout=0.001)

    with Watchdog(["culprit"]).watching() as watchdog:
        asyncio.run(main())
    assert watchdog.stalls == []
