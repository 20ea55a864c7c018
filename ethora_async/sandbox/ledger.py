"""Ordered collections that answer "items 900 000 to 900 500" as fast as "items 0 to 500".

A listing with `limit` and `offset` asks for positions, and deletions move every later position. A `TicketIndex`
keeps its items in blocks, with a Fenwick tree over the block sizes: finding a position or removing an item
costs a logarithm of the number of blocks plus work inside one block, whatever the offset.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

BLOCK = 512

ItemT = TypeVar("ItemT")
MemberT = TypeVar("MemberT", bound="Hashable")


class TicketIndex(Generic[ItemT]):
    """Items in the order of their tickets: ascending integers chosen by the caller.

    `append` needs a ticket above every earlier one. Not for use from several threads at once.
    """

    __slots__ = ("_blocks", "_size", "_starts", "_tickets", "_tree")

    def __init__(self, pairs: Iterable[tuple[int, ItemT]] = ()) -> None:
        self._size = 0
        self._starts: list[int] = []
        self._tickets: list[array[int]] = []
        self._blocks: list[list[ItemT]] = []
        self._tree: list[int] = [0]
        for ticket, item in pairs:
            self.append(ticket, item)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[ItemT]:
        for block in self._blocks:
            yield from block

    def append(self, ticket: int, item: ItemT) -> None:
        """Add `item` at the end."""
        if not self._blocks or len(self._blocks[-1]) >= BLOCK:
            self._open_block(ticket)
        self._tickets[-1].append(ticket)
        self._blocks[-1].append(item)
        self._count(len(self._blocks), 1)

    def get(self, ticket: int) -> ItemT | None:
        """Return the item with this ticket, or None."""
        found = self._find(ticket)
        return None if found is None else self._blocks[found[0]][found[1]]

    def remove(self, ticket: int) -> bool:
        """Remove the item with this ticket; return False when there is none."""
        found = self._find(ticket)
        if found is None:
            return False
        block, index = found
        del self._tickets[block][index]
        del self._blocks[block][index]
        self._count(block + 1, -1)
        if len(self._blocks) > 4 and self._size < len(self._blocks) * BLOCK // 4:
            self._compact()
        return True

    def window(self, offset: int, limit: int) -> list[ItemT]:
        """Return at most `limit` items from position `offset` on; both are at least 0."""
        if offset >= self._size:
            return []
        block, skip = self._locate(offset)
        items = self._blocks[block][skip : skip + limit]
        while len(items) < limit and block + 1 < len(self._blocks):
            block += 1
            items += self._blocks[block][: limit - len(items)]
        return items

    def _find(self, ticket: int) -> tuple[int, int] | None:
        block = bisect_right(self._starts, ticket) - 1
        if block < 0:
            return None
        tickets = self._tickets[block]
        index = bisect_left(tickets, ticket)
        return (block, index) if index < len(tickets) and tickets[index] == ticket else None

    def _open_block(self, ticket: int) -> None:
        self._starts.append(ticket)
        self._tickets.append(array("Q"))
        self._blocks.append([])
        node = len(self._blocks)
        self._tree.append(self._prefix(node - 1) - self._prefix(node - (node & -node)))

    def _prefix(self, node: int) -> int:
        total = 0
        while node:
            total += self._tree[node]
            node &= node - 1
        return total

    def _count(self, node: int, change: int) -> None:
        self._size += change
        while node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def _locate(self, position: int) -> tuple[int, int]:
        """Return the block that holds `position`, and the index inside it."""
        node = 0
        step = 1 << (len(self._tree) - 1).bit_length()
        while step:
            ahead = node + step
            if ahead < len(self._tree) and self._tree[ahead] <= position:
                node = ahead
                position -= self._tree[ahead]
            step >>= 1
        return node, position

    def _compact(self) -> None:
        """Refill the blocks after most items are gone."""
        tickets = [ticket for block in self._tickets for ticket in block]
        full: TicketIndex[ItemT] = TicketIndex(zip(tickets, self, strict=True))
        self._starts, self._tickets, self._blocks, self._tree = (
            full._starts,
            full._tickets,
            full._blocks,
            full._tree,
        )


class Roster(Generic[MemberT]):
    """A set in order of joining, listed by position.

    Leaving with a `due` time takes the member out at once, while listings go on showing it until `forget` is
    called with the same `due`: real servers lag like that after a removal.
    """

    __slots__ = ("_fading", "_ledger", "_next", "_tickets")

    def __init__(self) -> None:
        self._ledger: TicketIndex[MemberT] = TicketIndex()
        self._tickets: dict[MemberT, int] = {}
        self._fading: dict[MemberT, tuple[int, float]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[MemberT]:
        return iter(self._tickets)

    def __contains__(self, member: object) -> bool:
        return member in self._tickets

    @property
    def listed(self) -> int:
        """The number of listed members, including removed ones that listings still show."""
        return len(self._ledger)

    def window(self, offset: int, limit: int) -> list[MemberT]:
        """Return at most `limit` listed members from position `offset` on."""
        return self._ledger.window(offset, limit)

    def add(self, member: MemberT) -> bool:
        """Add `member`; return False when it is already in."""
        if member in self._tickets:
            return False
        faded = self._fading.pop(member, None)
        if faded is not None:
            self._tickets[member] = faded[0]
            return True
        self._tickets[member] = self._next
        self._ledger.append(self._next, member)
        self._next += 1
        return True

    def discard(self, member: MemberT, due: float | None = None) -> bool:
        """Remove `member`; return False when it is not in. With `due`, listings keep it until `forget`."""
        ticket = self._tickets.pop(member, None)
        if ticket is None:
            return False
        if due is None:
            self._ledger.remove(ticket)
        else:
            self._fading[member] = (ticket, due)
        return True

    def forget(self, member: MemberT, due: float) -> None:
        """End the fading started with `due`; a member who came back, or left again later, is untouched."""
        faded = self._fading.get(member)
        if faded is not None and faded[1] == due:
            del self._fading[member]
            self._ledger.remove(faded[0])
