"""The parts of a client that plans work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.capabilities import ManagesChats
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from ethora_async.capabilities import ChatDirectory, ManagesUsers


def chats_of(client: ManagesUsers, field: str = "chats") -> ChatDirectory:
    """Return the client's chats.

    Raises:
        InvalidInputError: the platform has none.
    """
    if not isinstance(client, ManagesChats):
        msg = f"{type(client).__name__} manages no chats: leave chats and members out"
        raise InvalidInputError(msg, field=field)
    chats: ChatDirectory = client.chats
    return chats


def identity(client: ManagesUsers) -> str:
    """Return a text that identifies the app and platform: the client's repr, or its type if it has none."""
    text = repr(client)
    return type(client).__name__ if " object at 0x" in text else text


async def check_identity(client: ManagesUsers, platform: str) -> Any:
    """Check that a plan was made for this client, and return the predicate for the platform's own users.

    Raises:
        InvalidInputError: it was made for another one.
        ChatError: the platform cannot be reached.
    """
    own = await client.users.reserved()  # the first call: afterwards the client knows its app
    if identity(client) != platform:
        msg = f"the plan was made for {platform}, and this is {identity(client)}"
        raise InvalidInputError(msg, field="plan")
    return own
