from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from rocket_helpers import ADMIN_PASSWORD, SECRET, Rest
from still_clock import Clock

from ethora_async.sandbox import RocketChatSandbox

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
async def sandbox(clock: Clock, options: dict[str, Any]) -> AsyncIterator[RocketChatSandbox]:
    given = {"rate_limit": None, "admin_password": ADMIN_PASSWORD, "create_tokens_secret": SECRET, **options}
    async with RocketChatSandbox(clock=clock, **given) as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def rest(sandbox: RocketChatSandbox) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession(sandbox.url, headers={"User-Agent": "tests"}) as session:
        yield Rest(session, sandbox)
