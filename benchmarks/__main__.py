"""Run all benchmarks, one after another: ``python -m benchmarks [--quick]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = (
    "request_overhead",
    "import_time",
    "token_cache",
    "token_signing",
    "bulk_vs_node",
    "bulk_memory",
    "second_plan",
    "rotation",
    "sandbox_chat",
    "outbox",
    "telemetry",
    "workers",
    "guard",
)

if __name__ == "__main__":
    for name in NAMES:
        subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py"), *sys.argv[1:]], check=True)
