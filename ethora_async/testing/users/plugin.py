"""The pytest plugin: fixtures for tests of a product that embeds the chat.

It is there as soon as this package is installed, and imports nothing before a fixture is used. Tests may be plain
functions or coroutines under any plugin that runs those on asyncio. ``examples/test_your_product.py`` shows them all.
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


@pytest.fixture(scope="session")
def _ethora_background() -> Iterator[BackgroundLoop]:
    from ethora_async.testing.users.background_loop import BackgroundLoop

    loop = BackgroundLoop()
    yield loop
    loop.close()


@pytest.fixture
def ethora_clock() -> FakeClock:
    """The time of `ethora_sandbox` and `ethora`: it stands still at the test's start until ``advance(seconds)``.

    Waits before a retry are over at once, and add up in ``slept``.
    """
    import time

    from ethora_async.testing.users.clock import FakeClock

    # A product may make clients of its own, which know what time it really is.
    return FakeClock(time.time())


@pytest.fixture
def ethora_sandbox(ethora_clock: FakeClock, _ethora_background: BackgroundLoop) -> Iterator[EthoraSandbox]:
    """A local Ethora of the test's own, listening on a free port: ``url``, ``environment``, ``store``, ``requests``."""
    from ethora_async.sandbox import EthoraSandbox

    sandbox = EthoraSandbox(clock=ethora_clock.now)
    _ethora_background.run(sandbox.start())
    yield sandbox
    _ethora_background.run(sandbox.aclose())


@pytest.fixture
def ethora(
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
def fault(ethora_sandbox: EthoraSandbox) -> Faults:
    """What goes wrong on `ethora_sandbox`: ``fault.fail("POST /v2/chats", status=503, times=2)`` and more."""
    return ethora_sandbox.faults
