"""Memory use by file size: peaks of processes that create users from a small and from a large CSV file.

Two ways: `create_many` alone, and `make_plan` with `apply_plan`, whose journal holds both sides on disk.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from _measure import HERE, pin, quick, server, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async import EthoraClient

SMALL = 10_000


def write_users(path: Path, number: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("id,email,first_name,last_name\n")
        for one in range(number):
            file.write(f"user-{one},user-{one}@example.com,First{one},Last{one}\n")


def peak_of_import(way: str, file: Path, users: int) -> tuple[float, float]:
    """Return the peak in megabytes, and the journal's bytes for each user (0 where there is none).

    Each import has a server and a process of its own.
    """
    with server("_sandbox_server.py") as (url, app_id, secret):
        arguments = ["--import", way, str(file), str(users), url, app_id, secret]
        command = [sys.executable, str(HERE / "bulk_memory.py"), *arguments]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    peak, journal = map(float, output.split())
    return peak, journal


def import_here(way: str, file: str, users: str, url: str, app_id: str, secret: str) -> None:
    """The child: import the file, and print the peak of this process."""
    asyncio.run(_import(way, file, int(users), url, app_id, secret))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    journal = Path(f"{file}.journal")
    print(peak, journal.stat().st_size / int(users) if way == "plan and apply" else 0.0)


async def _import(way: str, file: str, users: int, url: str, app_id: str, secret: str) -> None:
    from ethora_async import EthoraClient

    async with EthoraClient(app_id=app_id, secret=secret, api_url=url) as client:
        counts = await WAYS[way](client, file)
    if counts != {"created": users}:
        sys.exit(f"the import went wrong: {dict(counts)}")


async def _create_many(client: EthoraClient, file: str) -> Mapping[str, int]:
    from ethora_async.sync import USERS, open_source
    from ethora_async.sync.importing import RowResult, import_rows

    counts: Counter[str] = Counter()

    def count(result: RowResult) -> None:
        counts[result.status] += 1

    await import_rows(await open_source(file, USERS), client.users.create_many, count)
    return counts


async def _plan_and_apply(client: EthoraClient, file: str) -> Mapping[str, int]:
    from ethora_async.sync import USERS, apply_plan, make_plan, open_source

    users = await open_source(file, USERS)
    async with await make_plan(client, users=users, journal=f"{file}.journal") as plan:
        applied = await apply_plan(client, plan)
    return {status: number for (_, _, status), number in applied.counts.items()}


WAYS = {"create_many": _create_many, "plan and apply": _plan_and_apply}


def main() -> None:
    large = 100_000 if quick(__doc__ or "") else 1_000_000
    pin(0)
    peaks: dict[tuple[str, int], float] = {}
    journal = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for users in (SMALL, large):
            file = Path(folder, f"{users}.csv")
            write_users(file, users)
            for way in WAYS:
                peaks[way, users], size = peak_of_import(way, file, users)
                journal = size or journal
    growth = {way: peaks[way, large] - peaks[way, SMALL] for way in WAYS}
    worst = max(WAYS, key=growth.__getitem__)
    show(
        "bulk_memory",
        f"{peaks[worst, large] / peaks[worst, SMALL]:.2f} x the memory for {large // SMALL} x the users "
        f"({growth[worst]:+.1f} MB, {worst})",
        [
            *(f"{way:14} {users:9,} users: peak {peak:6.1f} MB" for (way, users), peak in sorted(peaks.items())),
            f"the largest: {max(peaks.values()):.1f} MB  (aim: 110 MB)",
            f"the journal's file: {journal:.0f} bytes for each user  (aim: 250)",
        ],
        aim="at most +30 MB",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--import"]:
        import_here(*sys.argv[2:])
    else:
        main()
