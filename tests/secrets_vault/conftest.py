"""One OpenBao in dev mode for the session, one durable for those who break it, and a server that is not a Vault."""

from __future__ import annotations

import itertools
import logging
import os
from typing import TYPE_CHECKING

import pytest
from openbao_server import OpenBao
from vault_helpers import Odd

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """In memory, plain HTTP, never broken: tests use paths and roles of their own."""
    with OpenBao(tmp_path_factory.mktemp("bao")) as server:
        server.client().sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
        yield server


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """With storage and TLS; a test that breaks it must repair it."""
    with OpenBao(tmp_path_factory.mktemp("durable"), durable=True) as server:
        yield server


@pytest.fixture
def odd() -> Iterator[Odd]:
    """A server that answers as the test says."""
    with Odd() as server:
        yield server


@pytest.fixture
def name() -> str:
    """A name no other test uses."""
    return f"own-{os.getpid()}-{next(_numbers)}"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody's own ~/.vault-token or ~/.netrc."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def wire_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What urllib3 logs of each request."""
    caplog.set_level(logging.DEBUG, "urllib3")
    return caplog
