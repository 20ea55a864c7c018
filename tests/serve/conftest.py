from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serve_helpers import PROXY_SECRET

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def sandbox() -> AsyncIterator[EthoraSandbox]:
    """A local Ethora of the test's own."""
    async with EthoraSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def env(sandbox: EthoraSandbox) -> dict[str, str]:
    """The settings of a process that is to start."""
    return {**sandbox.environment, "ETHORA_XMPP_HOST": "xmpp.example.com", "ETHORA_PROXY_SECRET": PROXY_SECRET}
