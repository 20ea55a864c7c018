"""Lists that the platform returns whole, as `Pages` like every other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ethora_async.pages import Pages
from ethora_async.platforms.ethora.listings import LARGEST_PAGE

T = TypeVar("T")


Read = Callable[[dict[str, str | int]], Awaitable[tuple[tuple[T, ...], int | None]]]
"""Reads the list with a query: (its items, the reported total or None)."""


def whole_list(read: Read[T], key: Callable[[T], str]) -> Pages[T]:
    """Return a list from a route without known paging: one request.

    If the reply's total is larger than the number of its items, further pages are requested by ``offset``.
    """

    async def fetch(offset: int, limit: int) -> tuple[tuple[T, ...], int | None]:
        items, total = await read({"limit": limit, "offset": offset} if offset else {})
        return items, len(items) if total is None and not offset else total

    return Pages(fetch, key, limit=LARGEST_PAGE, offset=0, largest=LARGEST_PAGE)
