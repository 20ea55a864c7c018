"""Pytest fixtures for tests of a product that embeds the chat.

The plugin loads with the installed package, and imports nothing more until a test uses a fixture. Tests may be plain
functions, or coroutines under any plugin that runs them on asyncio. ``examples/test_your_product.py`` shows each
fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ethora_async.platforms.ethora.client import EthoraClient
    from ethora_async.sandbox import EthoraSandbox, Faults
    from ethora_async.testing.users.background_loop import BackgroundLoop
    from ethora_async.testing.users.clock import FakeClock


def pytest_configure(config: pytest.Config) -> None:
    """Let a sandbox read uploads where every warning is an error.

    aiohttp's reader of multipart bodies calls its own deprecated method when the first bytes of a file arrive alone.
    Whether that happens depends on the network, so the sandbox would answer 500 now and then.
    """
    config.addinivalue_line("filterwarnings", r"ignore:unread_data\(\):DeprecationWarning:aiohttp\.multipart")


@pytest.fixture(scope="session")
def _ethora_background() -> Iterator[BackgroundLoop]:
    from ethora_async.testing.users.background_loop import BackgroundLoop

    loop = BackgroundLoop()
    yield loop
    loop.close()


@pytest.fixture
def ethora_clock() -> FakeClock:
    """The clock of `ethora_sandbox` and `ethora_client`. It stands still until you call ``advance(seconds)``.

    It starts at the real time, so that your product's own clients agree with the sandbox. Waits before a retry end at
    once; ``slept`` lists them.
    """
    import time

    from ethora_async.testing.users.clock import FakeClock

    return FakeClock(time.time())


@pytest.fixture
def ethora_sandbox(ethora_clock: FakeClock, _ethora_background: BackgroundLoop) -> Iterator[EthoraSandbox]:
    """A local Ethora for this test, on a free port: ``url``, ``environment``, ``store``, ``requests``."""
    from ethora_async.sandbox import EthoraSandbox

    sandbox = EthoraSandbox(clock=ethora_clock.now)
    _ethora_background.run(sandbox.start())
    yield sandbox
    _ethora_background.run(sandbox.aclose())


@pytest.fixture
def ethora_client(
    ethora_sandbox: EthoraSandbox, ethora_clock: FakeClock, _ethora_background: BackgroundLoop
) -> Iterator[EthoraClient]:
    """A client of `ethora_sandbox`. Like every client it belongs to the first event loop that uses it."""
    from ethora_async.platforms.ethora.client import EthoraClient
    from ethora_async.testing.users.background_loop import BackgroundTransport
    from ethora_async.transport.aiohttp import AiohttpTransport

    client = EthoraClient(
        app_id=ethora_sandbox.app_id,
        secret=ethora_sandbox.secret,
        api_url=ethora_sandbox.url,
        xmpp_host="xmpp.localhost",
        clock=ethora_clock,
        transport=BackgroundTransport(AiohttpTransport(), _ethora_background),
    )
    yield client
    _ethora_background.run(client.aclose())


@pytest.fixture
def ethora_fault(ethora_sandbox: EthoraSandbox) -> Faults:
    """Faults of `ethora_sandbox`: ``ethora_fault.fail("POST /v2/chats", status=503, times=2)`` and more."""
    return ethora_sandbox.faults
