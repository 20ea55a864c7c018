"""How far a plan or its carrying out has come."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.frozen
class Progress:
    """One step on its way.

    Attributes:
        step: what is done, in words: ``reading users``, ``listing chats``, ``create user``, …
        done: how many are.
        total: of how many, where that is known.
        failed: how many of those failed, or are unknown.
    """

    step: str
    done: int
    total: int | None = None
    failed: int = 0


OnProgress = Callable[[Progress], None]
"""Called in the event loop, often: it must be quick."""


def silent(_: Progress) -> None:
    """Tell nobody."""
