"""What every test has."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from ethora_async.testing import FakeClock

# A loaded machine is slow, and a test that fails for it proves nothing.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own settings, or sends through a proxy of theirs."""
    for name in list(os.environ):
        if name.startswith(("ETHORA_", "AWS_", "VAULT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FakeClock:
    """Time that the test moves."""
    return FakeClock()
