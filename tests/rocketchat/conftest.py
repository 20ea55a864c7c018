from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async import RocketChatClient
from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ethora_async.testing.users import FakeClock


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own server."""
    for name in ("URL", "USER", "PASSWORD", "USER_ID", "TOKEN", "TOTP_SECRET", "CREATE_TOKENS_SECRET"):
        monkeypatch.delenv(f"ROCKETCHAT_{name}", raising=False)


@pytest.fixture(params=["8.8.1"])
def version(request: pytest.FixtureRequest) -> str:
    """The server's version; tests that hold for several parametrise it indirectly."""
    return str(request.param)


@pytest.fixture
async def sandbox(clock: FakeClock, version: str) -> AsyncIterator[RocketChatSandbox]:
    """A local Rocket.Chat on the test's own time."""
    async with RocketChatSandbox(version=version, clock=clock.now, rate_limit=None) as sandbox:
        yield sandbox


@pytest.fixture
async def rocketchat(
    sandbox: RocketChatSandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RocketChatClient]:
    """A client of the sandbox, set up from the environment that it prints."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    async with RocketChatClient.from_env(clock=clock) as client:
        yield client
