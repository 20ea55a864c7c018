"""What the import of the client leaves to the first use."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from ethora_async import EthoraClient
from ethora_async.platforms.ethora.chats.api import Chats
from ethora_async.platforms.ethora.legacy import LegacyChats
from ethora_async.platforms.ethora.tokens import Tokens
from ethora_async.platforms.ethora.users.api import Users
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request, Response

LATER = (
    "aiohttp",
    "cattrs",
    "joserfc",
    "ethora_async.bulk",
    "ethora_async.engine.events",
    "ethora_async.pages",
    "ethora_async.platforms.ethora.chats",
    "ethora_async.platforms.ethora.realtime.account",
    "ethora_async.platforms.ethora.sessions",
    "ethora_async.platforms.ethora.tokens",
    "ethora_async.platforms.ethora.users",
    "ethora_async.records",
    "ethora_async.secret_shapes",
)


def test_importing_the_client_leaves_its_parts_to_their_first_use() -> None:
    code = "import sys; from ethora_async import EthoraClient; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "ethora_async.platforms.ethora.client" in loaded
    assert not set(LATER) & set(loaded)


def _unused(request: Request) -> Response:
    raise AssertionError(request)


def test_each_part_is_made_once() -> None:
    def client(*, legacy_api: bool) -> EthoraClient:
        return EthoraClient(
            app_id="app",
            secret="secret-of-fourteen",
            api_url="https://api.example.com",
            transport=MemoryTransport(_unused),
            legacy_api=legacy_api,
        )

    for legacy, kind in ((False, Chats), (True, LegacyChats)):
        ethora = client(legacy_api=legacy)
        assert (type(ethora.users), type(ethora.chats), type(ethora.tokens)) == (Users, kind, Tokens)
        assert ethora.users is ethora.users
        assert ethora.chats is ethora.chats
        assert ethora.tokens is ethora.tokens
