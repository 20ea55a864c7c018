"""A test fails if code blocks the loop every time, and not if it seemed to once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confirmed_stalls import RUNS, in_the_same_functions
from loop_watchdog import Stall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loop_watchdog import Watchdog

pytest_plugins = ["pytester"]

CULPRIT = """
import time

def wait(): time.sleep(0.3)

def wait_elsewhere(): time.sleep(0.3)
"""
"""Long enough to be seen in every run, on a machine where the watching thread waits for its turn."""
CONFTEST = """
import pytest

pytest_plugins = ["confirmed_stalls"]

@pytest.fixture(scope="session")
def watched_packages():
    return ["culprit"]
"""


@pytest.fixture
def run(pytester: pytest.Pytester):
    """Runs one test, which notes its runs in `runs`, and tells how it ended."""
    pytester.makepyfile(culprit=CULPRIT)
    pytester.makeconftest(CONFTEST)

    def result(body: str, parameters: str = "") -> pytest.RunResult:
        lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
        pytester.makepyfile(f"import asyncio, culprit\nruns = []\n{STEP}\ndef test_one({parameters}):\n{lines}\n")
        return pytester.runpytest_inprocess(
            "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", "-W", "error"
        )

    return result


@pytest.fixture(autouse=True)
def _the_loop_is_never_blocked(_watchdog: Watchdog) -> Iterator[None]:
    """Only the runs inside these tests are watched."""
    with _watchdog.pausing():
        yield


STEP = """
async def step(blocks):
    blocks()
"""


def test_what_blocks_every_time_fails_with_its_place(run) -> None:
    ended = run("asyncio.run(step(culprit.wait))\nruns.append(1)\nprint('runs:', len(runs))")
    ended.assert_outcomes(passed=1, errors=1)
    ended.stdout.fnmatch_lines([f"*in each of {RUNS} runs, a step blocked the event loop*culprit.py:* in wait*"])
    ended.stdout.fnmatch_lines([f"*runs: {RUNS}*"])


@pytest.mark.parametrize("times", range(1, RUNS))
def test_what_does_not_happen_again_is_no_failure(run, times: int) -> None:
    ended = run(f"runs.append(1)\nif len(runs) <= {times}:\n    asyncio.run(step(culprit.wait))")
    ended.assert_outcomes(passed=1)


def test_noise_in_another_function_each_time_is_no_failure(run) -> None:
    ended = run(
        "runs.append(1)\nasyncio.run(step(culprit.wait if len(runs) % 2 else culprit.wait_elsewhere))\n"
        "assert len(runs) <= 2"
    )
    ended.assert_outcomes(passed=1)


def test_a_test_that_fails_does_not_run_again(run) -> None:
    ended = run("runs.append(1)\nasyncio.run(step(culprit.wait))\nassert len(runs) > 1")
    ended.assert_outcomes(failed=1)


def test_a_test_that_fails_when_it_runs_again_fails(run) -> None:
    ended = run("runs.append(1)\nasyncio.run(step(culprit.wait))\nassert len(runs) == 1")
    ended.assert_outcomes(failed=1)


def test_each_run_has_fixtures_of_its_own(run) -> None:
    ended = run("asyncio.run(step(culprit.wait))\n(tmp_path / 'file').touch(exist_ok=False)", parameters="tmp_path")
    ended.assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize(
    ("places", "earlier", "left"),
    [
        (["a.py:1 in f"], ["a.py:1 in f"], ["a.py:1 in f"]),
        (["a.py:2 in f"], ["a.py:1 in f"], ["a.py:2 in f"]),
        (["a.py:1 in f"], ["b.py:1 in f"], []),
        (["a.py:1 in f", "a.py:9 in g"], ["a.py:8 in g", "a.py:9 in h"], ["a.py:9 in g"]),
        (["dir in x/a.py:1 in f"], ["dir in x/a.py:3 in f"], ["dir in x/a.py:1 in f"]),
        ([], ["a.py:1 in f"], []),
    ],
)
def test_a_function_is_the_same_at_each_of_its_lines(
    places: Sequence[str], earlier: Sequence[str], left: Sequence[str]
) -> None:
    stalls, before = ([Stall(0.1, "computing", place) for place in some] for some in (places, earlier))
    assert [stall.place for stall in in_the_same_functions(stalls, before)] == left
