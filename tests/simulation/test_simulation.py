"""The whole client in thousands of simulated worlds: nothing is lost or duplicated.

A seed that fails prints the command that runs it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutations import MUTATIONS, Mutation, mutated
from simulated_run import Broken, run_schedule

SHARDS = 4
SCHEDULES = 10_000
A_FEW = 60
ENOUGH = 400
"""Seeds within which every mutation is found."""
AGAIN = Path(__file__).with_name("again.py")


def run_schedules(seeds: range) -> Counter[str]:
    """Run them all; what happened in them."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        world = run_schedule(seed)
        seen += world.notes + world.network.faults
    return seen


def test_a_few_schedules() -> None:
    seen = run_schedules(range(A_FEW))
    # A simulation in which nothing goes wrong proves nothing.
    for what in ("direct", "plan", "outbox", "kills", "refused", "cut before", "cut after", "silent", "429", "503"):
        assert seen[what], (what, seen)
    for what in ("repeated", "late", "rotated ETHORA_CHAT_APP_SECRET", "rotated ROCKETCHAT_PASSWORD"):
        assert seen[what], (what, seen)
    for what in ("rotated ROCKETCHAT_CREATE_TOKENS_SECRET", "rotated ROCKETCHAT_TOKEN"):
        assert seen[what], (what, seen)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_ten_thousand_schedules(shard: int) -> None:
    run_schedules(range(shard, SCHEDULES, SHARDS))


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_a_mistake_is_found(mutation: Mutation) -> None:
    found = ""
    with mutated(mutation):
        for seed in range(ENOUGH):
            try:
                run_schedule(seed)
            except Broken as broken:
                found = str(broken)
                break
    assert f"again.py {seed}" in found, mutation.__doc__


@pytest.mark.slow
def test_a_seed_gives_the_same_run_in_another_process() -> None:
    root = AGAIN.parent.parent.parent

    def told(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        command = [sys.executable, str(AGAIN), *map(str, range(10))]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=root)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = told("1")
    assert len(first.splitlines()) > 100
    assert first == told("2")
