"""Paged lists: await the first page, or iterate over all items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from ethora_async._distinct import Distinct
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sized

T = TypeVar("T")
S = TypeVar("S", bound="Sized")

_FRUITLESS_PAGES = 5


@attrs.frozen
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: the items; there may be fewer than `limit` although more pages follow.
        total: the number of items that the platform reports, repeats included; None when it reports none.
        offset: the page's start.
        next_offset: the start of the next page, or None after the last.
    """

    items: tuple[T, ...]
    total: int | None
    offset: int
    next_offset: int | None


Fetch = Callable[[int, int], Awaitable[tuple[tuple[T, ...], int | None]]]
"""Reads one page: (offset, limit) → (items, the reported total or None)."""


class Pages(Generic[T]):
    """A list that is read on demand.

    ``await pages`` reads the first `Page`; ``async for item in pages`` reads all of them, every item once; `by_page`
    yields whole pages, whose `next_offset` is where a later call can resume (``offset=``).

    Platforms return pages shorter than requested, and repeat items on later pages
    (docs/platforms/ethora.md#listing-users). So the list ends with an empty page or at ``offset ≥ total``, never with a
    short page; repeats are left out; and five pages in a row without a new item also end the list. Memory use does not
    grow with the number of items.

    Args:
        fetch: Reads one page.
        key: Returns what makes an item the same as another.
        limit: Items in a page, 1 to `largest`.
        offset: Where to start.
        largest: The largest page that the platform gives.
        numbered: Whether the platform counts pages, not items: then `offset` must be a multiple of `limit`.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        key: Callable[[T], str],
        *,
        limit: int,
        offset: int,
        largest: int,
        numbered: bool = False,
    ) -> None:
        given: dict[str, object] = {"limit": limit, "offset": offset}
        for name, value in given.items():
            if not isinstance(value, int) or isinstance(value, bool):
                msg = f"{name} must be a whole number, not {type(value).__name__}"
                raise InvalidInputError(msg, field=name)
        if not 1 <= limit <= largest:
            msg = f"limit must be from 1 to {largest}, not {limit}"
            raise InvalidInputError(msg, field="limit")
        if offset < 0:
            msg = f"offset must not be negative, not {offset}"
            raise InvalidInputError(msg, field="offset")
        if numbered and offset % limit:
            msg = f"offset must be a multiple of limit ({limit}), not {offset}: the platform counts pages, not items"
            raise InvalidInputError(msg, field="offset")
        self._numbered = numbered
        self._fetch = fetch
        self._key = key
        self._limit = limit
        self._offset = offset

    def __await__(self) -> Generator[None, None, Page[T]]:
        return self._page(self._offset, full=not self._offset).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        # Leaving the loop closes this generator, and with it, at once, the index of seen items.
        async with aclosing(self.by_page()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def by_page(self) -> AsyncGenerator[Page[T]]:
        """Yield every page without repeats; a page may be empty because of that."""
        offset: int | None = self._offset
        fruitless, full = 0, not self._offset
        async with Distinct() as seen:
            while offset is not None and fruitless < _FRUITLESS_PAGES:
                page = await self._page(offset, full=full)
                full = len(page.items) >= self._limit
                earlier = await seen.add([(self._key(item), offset) for item in page.items])
                fresh = tuple(item for item, place in zip(page.items, earlier, strict=True) if place is None)
                fruitless = 0 if fresh else fruitless + 1
                yield attrs.evolve(page, items=fresh)
                offset = page.next_offset

    async def _page(self, offset: int, *, full: bool = True) -> Page[T]:
        items, total = await self._fetch(offset, self._limit)
        following = _following(offset, len(items), total)
        if self._numbered and items:
            # The next page has the next number, however short this one is. A platform that caps the limit has more
            # pages than its total suggests; a full page before this one shows that it does not.
            following = None if full and following is None else offset + self._limit
        return Page(items, total, offset, following)


async def read_all(
    fetch: Callable[[int, int], Awaitable[tuple[S, int | None]]], keep: Callable[[S], Awaitable[int]], *, limit: int
) -> None:
    """Read a list to its end, as `Pages.by_page` does, for a caller who finds repeats by itself.

    Args:
        fetch: reads one page, as for `Pages`.
        keep: takes each page; returns how many of its items are new.
        limit: number of items to request at once.
    """
    offset: int | None = 0
    fruitless = 0
    while offset is not None and fruitless < _FRUITLESS_PAGES:
        items, total = await fetch(offset, limit)
        fruitless = 0 if await keep(items) else fruitless + 1
        offset = _following(offset, len(items), total)


def _following(offset: int, received: int, total: int | None) -> int | None:
    """Return the start of the next page, or None after the last."""
    # Advance by the number received, not by `limit`: a platform that caps the limit would make us skip the rest.
    after = offset + received
    return None if not received or (total is not None and after >= total) else after
