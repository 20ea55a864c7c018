"""The platforms that the outbox keeps in step, as sandboxes of a test's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import EthoraClient, RetryPolicy, RocketChatClient
from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.rocketchat import RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLATFORMS = ("ethora", "rocketchat")
_QUICK = RetryPolicy(attempts=2, base=0.01, cap=0.02)


@attrs.frozen
class Platform:
    """A sandbox, a client for it, and whether the platform changes e-mail addresses."""

    sandbox: Any
    client: Any
    changes_email: bool


@asynccontextmanager
async def platform_of(name: str) -> AsyncIterator[Platform]:
    sandbox: Any = EthoraSandbox() if name == "ethora" else RocketChatSandbox()
    async with sandbox:
        client: Any
        if name == "ethora":
            client = EthoraClient(
                app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url, timeout=2, retry=_QUICK
            )
        else:
            settings = sandbox.environment
            client = RocketChatClient.from_env(settings) if False else _rocketchat(settings)
        async with client:
            yield Platform(sandbox, client, name == "rocketchat")


def _rocketchat(settings: dict[str, str]) -> Any:
    raise AssertionError(settings.keys())


async def people_of(platform: Platform) -> dict[str, str | None]:
    """Id to e-mail address of everybody who is not the platform's own."""
    reserved = await platform.client.users.reserved()
    return {user.id: user.email async for user in platform.client.users.list() if not reserved(user)}


async def chats_of(platform: Platform) -> dict[str, set[str]]:
    """Id of each chat to the ids of its members, the platform's own left out."""
    people = await people_of(platform)
    reserved = await platform.client.chats.reserved()
    found = {}
    async for chat in platform.client.chats.list():
        if not reserved(chat):
            found[chat.id] = {user.id async for user in platform.client.chats.members(chat.id)} & set(people)
    return found
