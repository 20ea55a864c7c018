"""Progress of planning and applying."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.frozen
class Progress:
    """The progress of one step.

    Attributes:
        step: a description: ``reading users``, ``listing chats``, ``create user``, …
        done: number of records done.
        total: number of records, if known.
        failed: number of records that failed or are unknown.
    """

    step: str
    done: int
    total: int | None = None
    failed: int = 0


OnProgress = Callable[[Progress], None]
"""Called often, in the event loop: it must be quick."""


def silent(_: Progress) -> None:
    """Report nothing."""
