from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from avaya_parts import SETTINGS

from ethora_async import AvayaClient
from ethora_async.sandbox import AvayaSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.testing.users import FakeClock


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AVAYA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[AvayaSandbox]:
    """A local Avaya that reads the test's clock."""
    given = {name: SETTINGS[name] for name in SETTINGS if name not in ("host", "secret")}
    async with AvayaSandbox(clock=clock.now, client_secret=SETTINGS["secret"], **given) as made:
        yield made


@pytest.fixture
async def avaya(sandbox: AvayaSandbox, clock: FakeClock) -> AsyncIterator[AvayaClient]:
    """A client of the sandbox."""
    async with AvayaClient(**{**SETTINGS, "host": sandbox.url}, clock=clock) as client:
        yield client
