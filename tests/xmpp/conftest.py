from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from still_clock import Clock
from xmpp_helpers import APP, SECRET, World

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


@pytest.fixture
def world(clock: Clock, options: dict[str, Any]) -> World:
    """A sandbox that does not listen: tests call the state machine directly."""
    sandbox = EthoraSandbox(app_id=APP, secret=SECRET, clock=clock, **options)
    return World(sandbox, clock)


@pytest_asyncio.fixture
async def listening(world: World) -> AsyncIterator[World]:
    """The same sandbox, listening."""
    async with world.sandbox:
        yield world


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
