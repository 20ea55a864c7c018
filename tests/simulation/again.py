"""Run schedules again, with their requests: `python tests/simulation/again.py SEED…`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main() -> None:
    """Run the schedules of the seeds that are named, and print what was sent."""
    from simulated_run import run_schedule

    for seed in sys.argv[1:]:
        world = run_schedule(int(seed))
        for attempt in world.network.log:
            print(f"{attempt.at:10.3f} {attempt.end:>9} {attempt.method:6} {attempt.url}")  # noqa: T201
        print(*world.trace, dict(world.notes), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
