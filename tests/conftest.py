"""Fixtures and options for every test."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from ethora_async import transport
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import Postgres

pytest_plugins = ["confirmed_stalls", "hiccups", "shared_work"]

# A loaded machine is slow, and a test that fails for it proves nothing. Fifty examples a run: new ones each time, but
# the same ones in CI, so that no change is refused for an old fault that chance found.
settings.register_profile("house", deadline=None, max_examples=50, derandomize="ETHORA_REQUIRE_SERVICES" in os.environ)
settings.load_profile("house")

# A test run starts Python hundreds of times, and each time it would compile what was compiled before.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Collecting makes many objects and drops few of them.
gc.disable()

PREFIXES = ("ETHORA_", "AVAYA_", "IMBACHAT_", "ROCKETCHAT_", "AWS_", "VAULT_")
"""What the variables of developers and their machines begin with."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--transport",
        choices=("aiohttp", "httpx"),
        default="aiohttp",
        help="what every client of this process sends through unless its test says otherwise",
    )


def pytest_collection_finish() -> None:
    """Freeze the collected tests: garbage collections of the run then skip them."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """End the servers that tests use one after another."""
    if "moto_server" in sys.modules:
        sys.modules["moto_server"].close_idle()


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto` is one worker more than processors, for while one waits; eight at most: each has servers of its own."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable + 1, 8)


@pytest.fixture(autouse=True)
def _default_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients send through the transport that was chosen for the run."""
    if request.config.getoption("--transport") == "httpx":
        monkeypatch.setattr(transport, "default_transport", transport.HttpxTransport)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own settings and proxies from every test."""
    for name in list(os.environ):
        if name.startswith(PREFIXES) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_command_leaves_a_log_behind() -> Iterator[None]:
    """Commands that run in this process log to a stream that is closed when they end."""
    loggers = [logging.getLogger(), logging.getLogger("ethora_async.sandbox")]
    before = [list(one.handlers) for one in loggers]
    levels = [one.level for one in loggers]
    yield
    for one, handlers, level in zip(loggers, before, levels, strict=True):
        for handler in list(one.handlers):
            if type(handler) is logging.StreamHandler and handler not in handlers:
                one.removeHandler(handler)
                one.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for all folders, each of which has a database of its own."""
    from postgres_server import running_postgres

    with running_postgres() as server:
        yield server


@pytest.fixture
def hangup() -> Iterator[None]:
    """SIGHUP as in a shell, also under nohup: for commands in processes of their own, and for those in this one.

    If one in this process does not handle it, it must not end the tests.
    """
    before = signal.signal(signal.SIGHUP, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test advances."""
    return FakeClock()
