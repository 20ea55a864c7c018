from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from sandbox_helpers import APP, SECRET, Api
from still_clock import Clock

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options() -> dict[str, Any]:
    """Further constructor arguments; a test parametrizes it."""
    return {}


@pytest_asyncio.fixture
async def sandbox(clock: Clock, options: dict[str, Any]) -> AsyncIterator[EthoraSandbox]:
    async with EthoraSandbox(app_id=APP, secret=SECRET, clock=clock, **options) as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def api(sandbox: EthoraSandbox) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Api(session)
