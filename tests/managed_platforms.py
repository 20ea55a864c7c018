"""The platforms whose users and chats are managed, as sandboxes of a test's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import EthoraClient, RetryPolicy, RocketChatClient
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox

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
    sandbox: Any = EthoraSandbox() if name == "ethora" else RocketChatSandbox(rate_limit=None)
    async with sandbox, client_for(name, sandbox.environment) as client:
        yield Platform(sandbox, client, name == "rocketchat")


def client_for(name: str, settings: dict[str, str]) -> Any:
    """A client with a sandbox's settings that gives up soon."""
    if name == "ethora":
        return EthoraClient(
            app_id=settings["ETHORA_CHAT_APP_ID"],
            secret=settings["ETHORA_CHAT_APP_SECRET"],
            api_url=settings["ETHORA_CHAT_API_URL"],
            xmpp_host="xmpp.example.com",
            timeout=2,
            retry=_QUICK,
        )
    return RocketChatClient(
        url=settings["ROCKETCHAT_URL"],
        user=settings["ROCKETCHAT_USER"],
        password=settings["ROCKETCHAT_PASSWORD"],
        timeout=2,
        retry=_QUICK,
    )


async def people_of(platform: Platform) -> dict[str, str | None]:
    """Id to e-mail address of everybody who is not the platform's own."""
    reserved = await platform.client.users.reserved()
    return {user.id: user.email async for user in platform.client.users.list() if not reserved(user)}


async def named_people_of(platform: Platform) -> dict[str, tuple[str | None, str | None]]:
    """Id to e-mail address and first name of everybody who is not the platform's own."""
    reserved = await platform.client.users.reserved()
    return {user.id: (user.email, user.first_name) async for user in platform.client.users.list() if not reserved(user)}


async def chats_of(platform: Platform) -> dict[str, set[str]]:
    """Id of each chat to the ids of its members, the platform's own left out."""
    people = await people_of(platform)
    reserved = await platform.client.chats.reserved()
    found = {}
    async for chat in platform.client.chats.list():
        if not reserved(chat):
            found[chat.id] = {user.id async for user in platform.client.chats.members(chat.id)} & set(people)
    return found
