from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from surface_calls import Recorder, World

from ethora_async import RocketChatClient
from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.testing.users import FakeClock


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own server."""
    for name in [name for name in os.environ if name.startswith("ROCKETCHAT_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["8.8.1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sandbox(clock: FakeClock, version: str) -> AsyncIterator[RocketChatSandbox]:
    """A local Rocket.Chat with ada and bob."""
    async with RocketChatSandbox(version=version, clock=clock.now, rate_limit=None) as sandbox:
        for name in ("ada", "bob"):
            sandbox.add_user(name)
        yield sandbox


@pytest.fixture
async def rocketchat(sandbox: RocketChatSandbox, clock: FakeClock) -> AsyncIterator[RocketChatClient]:
    """A client of the sandbox."""
    names = {"url": "URL", "user": "USER", "password": "PASSWORD", "create_tokens_secret": "CREATE_TOKENS_SECRET"}
    given = {key: sandbox.environment.get(f"ROCKETCHAT_{name}") for key, name in names.items()}
    async with RocketChatClient(**given, clock=clock) as client:
        yield client


@pytest.fixture
def recorded() -> Recorder:
    """Notes every request of the client in `world`."""
    return Recorder()


@pytest.fixture
async def world(sandbox: RocketChatSandbox, clock: FakeClock, recorded: Recorder) -> AsyncIterator[World]:
    """The sandbox with eve beside ada and bob, and a client whose requests are noted."""
    sandbox.add_user("eve")
    sandbox.settings["API_Enable_Direct_Message_History_EndPoint"] = True
    names = {"url": "URL", "user": "USER", "password": "PASSWORD", "create_tokens_secret": "CREATE_TOKENS_SECRET"}
    given = {key: sandbox.environment.get(f"ROCKETCHAT_{name}") for key, name in names.items()}
    async with RocketChatClient(**given, clock=clock, transport=recorded) as client:
        yield World(client, client.as_user("ada"), client.as_user("bob"), sandbox, clock)
