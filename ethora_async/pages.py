"""Lists that come in pages: await the first, or iterate over everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from ethora_async._distinct import Distinct
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator

T = TypeVar("T")

_FRUITLESS_PAGES = 5


@attrs.frozen
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: what the page holds; it may be shorter than `limit` although more follow.
        total: how many the platform counts, repeats included; None when it did not say.
        offset: where the page starts.
        next_offset: where the next one starts, or None after the last.
    """

    items: tuple[T, ...]
    total: int | None
    offset: int
    next_offset: int | None


Fetch = Callable[[int, int], Awaitable[tuple[tuple[T, ...], int | None]]]
"""Reads one page: (offset, limit) → (its items, the total when the platform said one)."""


class Pages(Generic[T]):
    """A list that is read as it is needed.

    ``await pages`` reads the first `Page`; ``async for item in pages`` reads all of them, every item once; `by_page`
    yields whole pages, whose `next_offset` is where a later call can resume (``offset=``).

    Real platforms answer pages that are shorter than asked for, and repeat items on later pages
    (docs/platforms/ethora.md#listing-users). So the end is an empty page or ``offset ≥ total``, never a short page;
    repeats are left out; and after five pages in a row with nothing new the list counts as finished. Memory does not
    grow with the number of items.
    """

    def __init__(self, fetch: Fetch[T], key: Callable[[T], str], *, limit: int, offset: int, largest: int) -> None:
        if not 1 <= limit <= largest:
            msg = f"limit must be from 1 to {largest}, not {limit}"
            raise InvalidInputError(msg, field="limit")
        if offset < 0:
            msg = f"offset must not be negative, not {offset}"
            raise InvalidInputError(msg, field="offset")
        self._fetch = fetch
        self._key = key
        self._limit = limit
        self._offset = offset

    def __await__(self) -> Generator[None, None, Page[T]]:
        return self._page(self._offset).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        # Whoever breaks out of the loop leaves this generator; the index of what was seen goes with it, not later.
        async with aclosing(self.by_page()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def by_page(self) -> AsyncGenerator[Page[T]]:
        """Yield every page, repeats left out; a page may be empty for that reason."""
        offset: int | None = self._offset
        fruitless = 0
        async with Distinct() as seen:
            while offset is not None and fruitless < _FRUITLESS_PAGES:
                page = await self._page(offset)
                earlier = await seen.add([(self._key(item), offset) for item in page.items])
                fresh = tuple(item for item, place in zip(page.items, earlier, strict=True) if place is None)
                fruitless = 0 if fresh else fruitless + 1
                yield attrs.evolve(page, items=fresh)
                offset = page.next_offset

    async def _page(self, offset: int) -> Page[T]:
        items, total = await self._fetch(offset, self._limit)
        # As many further on as came, not one `limit`: a platform that caps the limit would make us skip the rest.
        after = offset + len(items)
        last = not items or (total is not None and after >= total)
        return Page(items, total, offset, None if last else after)
