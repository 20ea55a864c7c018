"""The four clients keep to the contract of platforms, each against its sandbox."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from ethora_async import AvayaClient, EthoraClient, ImbaChatClient, RocketChatClient
from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, ImbaChatSandbox, RocketChatSandbox
from ethora_async.testing.implementers import PlatformContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class TestEthora(PlatformContract):
    client = EthoraClient
    platform = "ethora"
    required = ("ETHORA_CHAT_API_URL", "ETHORA_CHAT_APP_ID", "ETHORA_CHAT_APP_SECRET")
    secrets = ("ETHORA_CHAT_APP_SECRET",)

    @asynccontextmanager
    async def sandbox(self) -> AsyncGenerator[EthoraSandbox]:
        async with EthoraSandbox() as sandbox:
            yield sandbox

    async def call(self, client: Any) -> None:
        await client.users.list(limit=1)  # tokens are made without a request


class TestRocketChat(PlatformContract):
    client = RocketChatClient
    platform = "rocketchat"
    required = ("ROCKETCHAT_URL", "ROCKETCHAT_USER", "ROCKETCHAT_PASSWORD")
    secrets = ("ROCKETCHAT_PASSWORD", "ROCKETCHAT_CREATE_TOKENS_SECRET")

    @asynccontextmanager
    async def sandbox(self) -> AsyncGenerator[RocketChatSandbox]:
        async with RocketChatSandbox(rate_limit=None) as sandbox:
            sandbox.add_user("ann", password="pass-word-of-ann")
            yield sandbox

    async def call(self, client: Any) -> None:
        await client.users.get("ann")


class TestAvaya(PlatformContract):
    client = AvayaClient
    platform = "avaya"
    required = (
        "AVAYA_HOST",
        "AVAYA_ACCOUNT_ID",
        "AVAYA_APP_KEY",
        "AVAYA_CLIENT_ID",
        "AVAYA_CLIENT_SECRET",
        "AVAYA_INTEGRATION_ID",
    )
    secrets = ("AVAYA_CLIENT_SECRET",)
    customers = count()

    @asynccontextmanager
    async def sandbox(self) -> AsyncGenerator[AvayaSandbox]:
        async with AvayaSandbox() as sandbox:
            yield sandbox

    async def call(self, client: Any) -> None:
        await client.tokens.for_user(f"customer-{next(self.customers)}")


class TestImbaChat(PlatformContract):
    client = ImbaChatClient
    platform = "imbachat"
    required = ("IMBACHAT_SECRET_KEY",)
    secrets = ("IMBACHAT_SECRET_KEY", "IMBACHAT_API_PASSWORD")
    user = 7
    sends_requests = False

    @asynccontextmanager
    async def sandbox(self) -> AsyncGenerator[ImbaChatSandbox]:
        async with ImbaChatSandbox() as sandbox:
            yield sandbox
