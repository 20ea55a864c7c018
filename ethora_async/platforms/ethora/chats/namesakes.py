"""Find the chat that has the room of a new one: the platform rejects a taken name without giving its spelling.

``board`` and ``Board`` are one room on the chat server. If they counted as the same chat, members of one would get
access to the other.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from contextlib import aclosing
from hashlib import blake2b
from math import inf
from secrets import token_bytes
from typing import TYPE_CHECKING

from ethora_async.platforms.ethora import names
from ethora_async.platforms.ethora.listings import chat_pages

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import AppContext

KEPT = 300.0
"""Seconds for which a listing counts as proof that a chat exists."""


class Namesakes:
    """The names of an app's chats, listed at the first conflict of a new chat with an old one, and then cached for a
    while.

    Eight bytes are kept for each name: an app may have a million chats, and an import may conflict with all of them.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._salt = token_bytes(16)
        self._known: array[int] = array("Q")
        self._listed = -inf

    async def holder(self, name: str) -> str | None:
        """Return the name of the listed chat that has this one's room: the same name if it exists; None if none is
        listed.

        Raises:
            ChatError: the platform does not list its chats.
        """
        clock = self._context.clock
        asked = clock.monotonic()
        async with self._lock:
            fresh = self._listed >= clock.monotonic() - KEPT
            if not (fresh and self._has(name)) and self._listed <= asked:
                await self._list()
            if self._has(name):
                return name
        return await self._other_spelling(name)

    async def _list(self) -> None:
        began, found = self._context.clock.monotonic(), array("Q")
        async with aclosing(chat_pages(self._context).by_page()) as pages:
            async for page in pages:
                found.extend([self._number(chat.name) for chat in page.items])
        self._known, self._listed = array("Q", sorted(found)), began

    async def _other_spelling(self, name: str) -> str | None:
        key = names.key(name)
        async with aclosing(chat_pages(self._context).by_page()) as pages:
            async for page in pages:
                for chat in page.items:
                    if names.key(chat.name) == key:
                        return chat.name
        return None

    def _has(self, name: str) -> bool:
        number = self._number(name)
        at = bisect_left(self._known, number)
        return at < len(self._known) and self._known[at] == number

    def _number(self, name: str) -> int:
        return int.from_bytes(blake2b(name.encode(), key=self._salt, digest_size=8).digest(), "big")
