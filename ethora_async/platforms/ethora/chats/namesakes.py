"""Which chat has the room of a new one: the platform refuses a taken name without saying how that is spelled.

``board`` and ``Board`` are one room on the chat server. Taken for the same chat, one of them would let people into the
other.
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
"""Seconds for which a listing is trusted to say that a chat is there."""


class Namesakes:
    """The names of an app's chats, listed when the first new chat meets an old one, and then known for a while.

    Of each name eight bytes are kept: an app may have a million chats, all of which a first import meets.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._salt = token_bytes(16)
        self._known: array[int] = array("Q")
        self._listed = -inf

    async def holder(self, name: str) -> str | None:
        """Return the name of the listed chat that has this one's room: the same if it is there; None if none is listed.

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
