"""Progress of planning and applying."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.frozen
class Progress:
    """The progress of one step.

    Attributes:
        step: what happens, in words: ``reading users``, ``listing chats``, ``create user``, …
        done: how many records are done.
        total: of how many, where that is known.
        failed: how many of those failed, or are unknown.
    """

    step: str
    done: int
    total: int | None = None
    failed: int = 0


OnProgress = Callable[[Progress], None]
"""Called often, in the event loop: it must be quick."""


def silent(_: Progress) -> None:
    """Report nothing."""
