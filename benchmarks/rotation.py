"""Secrets rotated under load in every store: runs the soak of ``tests/rotation``, and shows what it saw."""

from __future__ import annotations

import re
import subprocess
import sys

from _measure import HERE, quick, show

ROOT = HERE.parent
SOAK = "tests/rotation/test_rotation_soak.py"
TESTS = {
    True: "test_a_secret_rotated_under_load",
    False: "test_two_hundred_rotations_under_the_load_of_sixty_four_workers",
}
_LINE = re.compile(r"^(.+): (\d+) rotations, (\d+) calls, (\d+) failed,.*$", re.MULTILINE)
_LEFT_OUT = re.compile(r"^(?:SKIPPED|FAILED|ERROR) .*$", re.MULTILINE)


def main() -> None:
    test = f"{SOAK}::{TESTS[quick(__doc__ or '')]}"
    command = [sys.executable, "-m", "pytest", test, "-s", "-rsfE", "-m", "slow or not slow"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seen = list(_LINE.finditer(run.stdout))
    if not seen:
        show("rotation", "not measured", run.stdout.strip().splitlines()[-3:], aim="no call fails")
        sys.exit(run.returncode)
    rotations, calls, failed = (sum(int(match[group]) for match in seen) for group in (2, 3, 4))
    show(
        "rotation",
        f"{failed} of {calls:,} calls failed, through {rotations} rotations of the secret",
        [match[0] for match in seen] + _LEFT_OUT.findall(run.stdout),
        aim="no call fails",
    )
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
