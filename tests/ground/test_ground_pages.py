"""Paging as real platforms do it."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import _distinct, pages
from ethora_async.errors import InvalidInputError
from ethora_async.pages import Page, Pages
from ethora_async.testing.implementers import cancel_at_every_step


class Listing:
    """A server's list: at most `cap` items a page, and a total that may be wrong."""

    def __init__(self, items: list[str], *, cap: int = 100, total: int | None = None, blind: bool = False) -> None:
        self.items, self.cap, self.total, self.blind = items, cap, total, blind
        self.asked: list[tuple[int, int]] = []

    async def fetch(self, offset: int, limit: int) -> tuple[tuple[str, ...], int | None]:
        self.asked.append((offset, limit))
        start = 0 if self.blind else offset
        return tuple(self.items[start : start + min(limit, self.cap)]), self.total

    def pages(self, limit: int = 10, offset: int = 0) -> Pages[str]:
        return Pages(self.fetch, str, limit=limit, offset=offset, largest=500)


async def everything(of: Pages[str]) -> list[str]:
    return [item async for item in of]


@given(
    items=st.lists(st.integers(0, 30).map(str), max_size=40),
    cap=st.integers(7, 50),
    limit=st.integers(7, 50),
    counted=st.booleans(),
)
async def test_every_item_comes_once_whatever_the_page_size(
    items: list[str], cap: int, limit: int, counted: bool
) -> None:
    # Fewer than five pages: more of them with nothing new end the list, which has its own test.
    listing = Listing(items[:28], cap=cap, total=len(items[:28]) if counted else None)
    assert await everything(listing.pages(limit)) == list(dict.fromkeys(items[:28]))


async def test_a_short_page_is_not_the_end() -> None:
    listing = Listing([str(n) for n in range(25)], cap=3)
    assert len(await everything(listing.pages(10))) == 25
    assert [offset for offset, _ in listing.asked] == [*range(0, 25, 3), 25]


async def test_the_total_saves_the_last_request_and_an_empty_page_ends_it_sooner() -> None:
    listing = Listing([str(n) for n in range(20)], total=20)
    await everything(listing.pages(10))
    assert len(listing.asked) == 2
    shrunk = Listing([str(n) for n in range(5)], total=1_000)
    assert len(await everything(shrunk.pages(10))) == 5
    assert len(shrunk.asked) == 2


async def test_a_server_that_ignores_the_offset_is_given_up_on_after_five_fruitless_pages() -> None:
    listing = Listing([str(n) for n in range(10)], blind=True)
    assert len(await everything(listing.pages(10))) == 10
    assert len(listing.asked) == 6


async def test_a_few_fruitless_pages_in_between_are_borne() -> None:
    listing = Listing(["a"] * 4 + ["b"] + ["a"] * 4 + ["c"])
    assert await everything(listing.pages(1)) == ["a", "b", "c"]


async def test_an_empty_list_is_one_request() -> None:
    listing = Listing([])
    assert await everything(listing.pages()) == []
    assert len(listing.asked) == 1


async def test_awaiting_reads_the_first_page_only() -> None:
    listing = Listing([str(n) for n in range(25)], total=25)
    assert await listing.pages(10) == Page(tuple("0123456789"), 25, 0, 10)
    assert await listing.pages(10, offset=20) == Page(("20", "21", "22", "23", "24"), 25, 20, None)
    assert len(listing.asked) == 2


async def test_reading_can_be_resumed_where_it_ended() -> None:
    listing = Listing([str(n) for n in range(25)])
    read: list[str] = []
    async for page in listing.pages(10).by_page():
        read += page.items
        resume = page.next_offset
        break
    assert resume is not None
    assert read + await everything(listing.pages(10, offset=resume)) == listing.items


async def test_breaking_out_asks_for_no_more_and_closes_the_index_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    close = _distinct.Distinct._close

    def closing(self: _distinct.Distinct) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(_distinct.Distinct, "_close", closing)
    listing = Listing([str(n) for n in range(100)])
    walk = listing.pages(10).__aiter__()
    assert await walk.__anext__() == "0"
    await walk.aclose()  # type: ignore[attr-defined]
    assert (len(listing.asked), len(closed)) == (1, 1)
    gc.collect()


async def test_cancelling_anywhere_closes_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    class Watched(_distinct.Distinct):
        def __init__(self) -> None:
            super().__init__()
            opened.append(self)

    monkeypatch.setattr(pages, "Distinct", Watched)
    monkeypatch.setattr(_distinct, "IN_MEMORY", 0)  # a few keys would need no thread to be cancelled in

    async def check() -> None:
        async with _distinct.Distinct() as later:  # whatever still runs in the threads is done before this
            await later.add([("x", 0)])

    assert await cancel_at_every_step(lambda: everything(Listing(["a", "b", "c"]).pages(1)), check=check) >= 4
    assert opened


async def test_an_error_while_reading_reaches_the_caller() -> None:
    async def fetch(offset: int, limit: int) -> tuple[tuple[str, ...], int | None]:
        raise LookupError

    with pytest.raises(LookupError):
        await everything(Pages(fetch, str, limit=1, offset=0, largest=5))


@pytest.mark.parametrize(("limit", "offset", "field"), [(0, 0, "limit"), (501, 0, "limit"), (1, -1, "offset")])
def test_limits_and_offsets_out_of_range_are_refused(limit: int, offset: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Listing([]).pages(limit, offset)
    assert caught.value.field == field
