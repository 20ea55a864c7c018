"""One schedule: a world made from a seed, what is done in it, and what must hold of all of it."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from simulated_calls import direct_calls
from simulated_network import Attempt, Weather
from simulated_outbox import carried_out
from simulated_plans import synchronized
from simulated_world import LOOSE_END, World, determined, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator


class Broken(AssertionError):
    """An invariant does not hold."""


def _check_network(world: World) -> None:
    """Nothing is sent again that must not be, and nothing before it may be."""
    lost: dict[bytes, Attempt] = {}
    last: dict[int, Attempt] = {}
    for attempt in world.network.log:
        before = last.get(attempt.call)
        if before is not None and before.retry_after is not None and before.url == attempt.url:
            due = before.ended + before.retry_after
            if attempt.at < due - LOOSE_END:
                world.fail(f"sent {due - attempt.at:.3f} s before the platform allowed it again: {attempt}")
        last[attempt.call] = attempt
        if _once(attempt):
            # The texts are unique: the same body again is the same call again.
            if attempt.body in lost:
                world.fail(f"what must happen once was sent again after {lost[attempt.body].end}: {attempt}")
            if attempt.end in ("lost", "abandoned") or attempt.end.startswith("5"):
                lost[attempt.body] = attempt


def _once(attempt: Attempt) -> bool:
    return attempt.method == "POST" and "broadcast" in attempt.url


def _check_outputs(world: World, logged: list[str]) -> None:
    everything = "\n".join([*world.told.texts, *logged])
    for number, canary in enumerate(world.canaries):
        if canary in everything:
            world.fail(f"secret {number} is in the output")
    if any(token in everything for token in world.network.tokens):
        world.fail("a token is in the output")


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def _logging() -> Iterator[list[str]]:
    handler, logger = _Log(), logging.getLogger("ethora_async")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def run_schedule(seed: int) -> World:
    """Run the schedule of one seed.

    Raises:
        Broken: an invariant does not hold; the text says which, and how to run it again.
    """
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder, determined(seed):
        world = World(seed, Path(folder))
        world.network.weather = Weather.drawn(world.dice)
        world.store.failing = world.dice.choice((0.0, 0.0, 0.2))
        world.store.may_fail = world.store.failing > 0
        error: BaseException | None = None
        with simulated(world), _logging() as logged:
            try:
                kind = world.dice.random()
                if kind < 0.15:
                    world.notes["outbox"] += 1
                    carried_out(world)
                elif kind < 0.6:
                    world.notes["direct"] += 1
                    kill_at = int(world.dice.triangular(2, 600, 100)) if world.dice.random() < 0.3 else None
                    world.process(direct_calls(world), kill_at=kill_at)
                else:
                    world.notes["plan"] += 1
                    synchronized(world)
                world.settle()
                _check_network(world)
                repeats = world.network.repeats
                for text, count in world.platform.texts().items():
                    allowed = 1 + sum(f'"{text}"'.encode() in body for body in repeats)
                    if count > allowed and text.startswith("text-"):
                        world.fail(f"{text} was posted {count} times")
                _check_outputs(world, logged)
            except Exception as caught:  # noqa: BLE001  whatever it is, it is told with the seed
                error = caught
        what = world.broken or (None if error is None else f"{type(error).__name__}: {error}")
        if what is not None:
            msg = f"seed {seed}: {what}\nAgain: PYTHONPATH=$PWD .venv/bin/python tests/simulation/again.py {seed}"
            raise Broken(msg) from error
    return world
