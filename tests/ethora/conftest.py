from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted_ethora import APP, SECRET

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[EthoraSandbox]:
    """A local Ethora that reads the test's clock."""
    async with EthoraSandbox(app_id=APP, secret=SECRET, clock=clock.now) as sandbox:
        yield sandbox


@pytest.fixture
async def ethora(sandbox: EthoraSandbox, clock: FakeClock) -> AsyncIterator[EthoraClient]:
    """A client of the sandbox."""
    async with EthoraClient(app_id=APP, secret=SECRET, api_url=sandbox.url, clock=clock) as client:
        yield client


@pytest.fixture
def app(sandbox: EthoraSandbox) -> App:
    """The sandbox's own view of the app."""
    return sandbox.store.app(APP)
