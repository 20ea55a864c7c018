"""`--hiccups SEED`: the event loop of each test stops once for a quarter of a second, as on a machine that stalls.

A test that fails then depends on how fast the machine is. The step at which the loop stops depends on the seed and the
name of the test, so that a failure can be repeated. Loops in other threads and processes go on.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 0.25
"""How long the loop stops."""
LAST_STEP = 512
"""The last step of the loop that may be chosen. Early steps are more likely: most tests take few."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hiccups", metavar="SEED", help="stop the event loop of each test once, for a quarter second")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Stop the loop of the test at one of its steps."""
    seed = item.config.getoption("--hiccups")
    if seed is None:
        return (yield)
    chosen = int(LAST_STEP ** random.Random(f"{seed} {item.nodeid}").random())
    item.add_report_section("call", "hiccup", f"the event loop stopped for {SECONDS:g} s before its step {chosen}")
    loop: Any = asyncio.BaseEventLoop
    inner, steps = loop._run_once, iter(range(chosen + 1))

    def run_once(running: asyncio.BaseEventLoop) -> None:
        if threading.current_thread() is threading.main_thread() and next(steps, None) == chosen:
            time.sleep(SECONDS)
        inner(running)

    loop._run_once = run_once
    try:
        return (yield)
    finally:
        loop._run_once = inner
