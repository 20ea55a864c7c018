"""Delayed actions: removals that listings still show for a while."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """Actions with a due time, run by the next `settle`."""

    __slots__ = ("_entries", "_order")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def add(self, due: float, action: Callable[[], None]) -> None:
        """Run `action` at the first `settle` from `due` on."""
        heapq.heappush(self._entries, (due, next(self._order), action))

    def settle(self, now: float) -> None:
        """Run all actions that are due."""
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2]()
