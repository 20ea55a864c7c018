"""Batches that are rejected as a whole because of one item: find the item and send the others."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from ethora_async.bulk.outcome import Outcome, failed
from ethora_async.errors import ChatError, ConflictError, InvalidInputError, NotFoundError, ValidationFailedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

_ABOUT_AN_ITEM = (InvalidInputError, ValidationFailedError, NotFoundError, ConflictError)
_MEANT_BY_A_REFUSAL = ("absent", "existed", "failed")


async def split_around(
    items: Sequence[T], send: Callable[[Sequence[T]], Awaitable[Sequence[Outcome[T]]]], key: Callable[[T], str]
) -> Sequence[Outcome[T]]:
    """Send the items together; if they are rejected because of one, find it and send the others.

    A rejection does not name the item (docs/platforms/ethora.md#deleting-users), so it is found by bisection. When the
    first half is accepted, the culprit is in the other half, which need not be sent to know it. Otherwise the other
    half waits until the culprit is found, and is then sent with the remaining items. The remaining items are sent in
    groups sized by the share of culprits so far. One culprit among n costs about log₂n more requests, k culprits about
    k·log₂(n/k), and if all items are culprits, slightly more than one request each. A culprit found before sending
    costs none.

    Errors that are not about an item's content fail all items that were sent together. No `ChatError` is raised: every
    item gets its outcome, in order. `key` must not raise.
    """
    try:
        return await send(items)  # usually no item is rejected
    except ChatError as error:
        if len(items) == 1 or not isinstance(error, _ABOUT_AN_ITEM):
            return [failed(item, key(item), error) for item in items]
    search = _Search(items, send, key)
    await search.find_culprit(range(len(items)))
    while search.left:
        await search.go_on()
    return [search.outcomes[place] for place in range(len(items))]


class _Search(Generic[T]):
    """The progress over the items, which are identified by index."""

    def __init__(
        self,
        items: Sequence[T],
        send: Callable[[Sequence[T]], Awaitable[Sequence[Outcome[T]]]],
        key: Callable[[T], str],
    ) -> None:
        self.left: deque[int] = deque()
        self.outcomes: dict[int, Outcome[T]] = {}
        self._items = items
        self._send = send
        self._key = key
        self._culprits = 0

    async def go_on(self) -> None:
        """Send the next group, and find the first culprit in it if it is rejected."""
        group = [self.left.popleft() for _ in range(min(len(self.left), self._sensible()))]
        if await self._refused(group):
            await self.find_culprit(group)

    async def find_culprit(self, group: Sequence[int]) -> None:
        """Find the first culprit in a rejected group; all items before it are accepted on the way."""
        while len(group) > 1:
            half, rest = group[: len(group) // 2], group[len(group) // 2 :]
            refused = await self._refused(half)
            if refused is False:
                group = rest
                continue
            self.left.extendleft(reversed(rest))
            if refused is None:
                return
            group = half
        if group[0] not in self.outcomes:
            # It was never sent alone so far: only a rejection of the item by itself is final.
            await self._refused(group)
        self._culprits += 1

    def _sensible(self) -> int:
        """Return the number of items to send together: as many as are accepted with a probability of about one half."""
        if self._culprits < 2:  # most often there is just one
            return len(self._items)
        return int(max(1, 1 + (len(self.outcomes) - self._culprits) // self._culprits))

    async def _refused(self, group: Sequence[int]) -> bool | None:
        """Send a group; return whether it was rejected because of an item in it, or None if that is unknown."""
        try:
            done = await self._send([self._items[place] for place in group])
        except ChatError as error:
            about_an_item = True if isinstance(error, _ABOUT_AN_ITEM) else None
            if about_an_item and len(group) > 1:
                return True
            done = [failed(self._items[place], self._key(self._items[place]), error) for place in group]
        else:
            # For a single item, `send` may interpret the rejection itself.
            about_an_item = len(group) == 1 and done[0].status in _MEANT_BY_A_REFUSAL
        self.outcomes.update(zip(group, done, strict=True))
        return about_an_item
