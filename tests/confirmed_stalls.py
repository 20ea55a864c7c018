"""Fail a test when our code blocks its event loop, in one run and in the runs that confirm it.

A virtual machine may count time that its host took as time that a thread used, and does not always say so: a step of a
few milliseconds then looks like a stall. What really blocks does so every time. A test that passes except for a stall
runs again, twice at most, and fails if the same function stalls in every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol
from loop_watchdog import LIMIT, Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loop_watchdog import Stall

RUNS = 3
"""How often a function must stall before it is to blame."""
_STALLS = pytest.StashKey["list[Stall]"]()


@pytest.fixture(scope="session")
def watched_packages() -> Sequence[str]:
    """Return the packages that must not block a loop."""
    return ("ethora_async", "ethora_async_secrets")


@pytest.fixture(scope="session")
def _watchdog(request: pytest.FixtureRequest, watched_packages: Sequence[str]) -> Iterator[Watchdog]:
    # httpx's pool looks at every connection for every connection: a hundred at once take it several times that on a
    # busy machine. What else our own code does is watched in the run on aiohttp.
    limit = 0.5 if request.config.getoption("--transport", "aiohttp") == "httpx" else LIMIT
    with Watchdog(watched_packages, limit=limit).watching() as watchdog:
        yield watchdog


@pytest.fixture(autouse=True)
def _the_loop_is_never_blocked(request: pytest.FixtureRequest, _watchdog: Watchdog) -> Iterator[None]:
    """A test fails when our code keeps an event loop from running for more than 50 ms."""
    _watchdog.take()
    yield
    request.node.stash[_STALLS] = _watchdog.take()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and run it again to confirm its stalls."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports, stalls = _run(item, nextitem)
    for _ in range(RUNS - 1):
        if not stalls or any(report.failed for report in reports):
            break
        reports, again = _run(item, nextitem)
        stalls = in_the_same_functions(again, stalls)
    if stalls and not any(report.failed for report in reports):
        reports[-1].outcome = "failed"
        reports[-1].longrepr = f"in each of {RUNS} runs, " + "; ".join(map(str, stalls))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def in_the_same_functions(stalls: Sequence[Stall], earlier: Sequence[Stall]) -> list[Stall]:
    """Return those of `stalls` whose functions stalled earlier as well, at whichever of their lines."""
    known = {stall.function for stall in earlier}
    return [stall for stall in stalls if stall.function in known]


def _run(item: pytest.Item, nextitem: pytest.Item | None) -> tuple[list[pytest.TestReport], list[Stall]]:
    item.stash[_STALLS] = []
    return runtestprotocol(item, log=False, nextitem=nextitem), item.stash[_STALLS]
