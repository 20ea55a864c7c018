"""A million mutated inputs: each is read, or refused with a documented error.

The corpus in `corpus/` is what real peers send, and what once broke a reader. The file of an input that fails is named
by the failure: keep it there.
"""

from __future__ import annotations

import hashlib
import logging
import random
import resource
import signal
import sys
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutation import mutated
from targets import TARGETS, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).with_name("corpus")
INPUTS = 1_000_000
SHARDS = 4
A_FEW = 5_000
STEPS = 5.0
"""Seconds of processor time that one input may take: thousands of times what any needs."""
GROWTH = 300 * 1024 * 1024
"""Bytes by which a million inputs may raise this process's memory."""


@lru_cache
def corpus(name: str) -> tuple[bytes, ...]:
    """Return the inputs of a target's folder."""
    found = tuple(path.read_bytes() for path in sorted((CORPUS / name).iterdir()))
    assert found, f"the corpus has nothing for {name}"
    return found


class HangError(Exception):
    """An input took too long."""


@contextmanager
def bounded() -> Iterator[None]:
    """Limit processor time and memory: `signal.setitimer` counts processor time, not wall time."""

    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGVTALRM, stop)
    memory = _memory()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert _memory() - memory < GROWTH


def _memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def feed(target: Target, data: bytes, folder: Path) -> None:
    """Read one input; anything but success and a documented error fails, with the input kept."""
    signal.setitimer(signal.ITIMER_VIRTUAL, STEPS)
    try:
        target.run(data, folder)
    except target.allowed:
        return
    except BaseException as error:
        kept = Path(tempfile.gettempdir()) / f"fuzz-{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        kept.write_bytes(data)
        error.add_note(f"{target.run.__name__} read {kept}: keep it in {CORPUS / target.name}")
        raise


def fuzz(count: int, seed: int, folder: Path) -> int:
    """Feed this many inputs, divided among the targets; return the number."""
    fed = 0
    whole = sum(target.share for target in TARGETS)
    for place, target in enumerate(TARGETS):
        dice = random.Random(seed * 1_000 + place)
        inputs = corpus(target.name)
        for _ in range(count * target.share // whole + 1):
            feed(target, mutated(inputs, dice), folder)
            fed += 1
    return fed


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.run.__name__)
def test_the_corpus_is_read(target: Target, tmp_path: Path) -> None:
    with bounded():
        for data in corpus(target.name):
            feed(target, data, tmp_path)


def test_a_few_thousand_inputs(tmp_path: Path) -> None:
    with bounded():
        assert fuzz(A_FEW, 0, tmp_path) >= A_FEW


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_million_inputs(shard: int, tmp_path: Path) -> None:
    with bounded():
        assert fuzz(INPUTS // SHARDS, 1 + shard, tmp_path) >= INPUTS // SHARDS


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.run.__name__)
def test_the_corpus_holds_something_that_is_taken(target: Target, tmp_path: Path) -> None:
    """Check that the corpus also holds valid inputs: refused ones would fuzz the first check alone."""
    taken = 0
    for data in corpus(target.name):
        try:
            target.run(data, tmp_path)
        except target.allowed:
            continue
        taken += 1
    assert taken
