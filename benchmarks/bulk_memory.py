"""How memory grows with the file: the peak of a process that imports users from CSV, a small file against a large."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import HERE, pin, quick, server, show

SMALL = 10_000


def write_users(path: Path, number: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("id,email,first_name,last_name\n")
        for one in range(number):
            file.write(f"user-{one},user-{one}@example.com,First{one},Last{one}\n")


def peak_of_import(file: Path, users: int) -> float:
    """Megabytes; each import has a server and a process of its own."""
    with server("_sandbox_server.py") as (url, app_id, secret):
        command = [sys.executable, str(HERE / "bulk_memory.py"), "--import", str(file), str(users), url, app_id, secret]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output)


def import_here(file: str, users: str, url: str, app_id: str, secret: str) -> None:
    """The child: import the file as the command line does, and print the peak of this process."""
    asyncio.run(_import(file, int(users), url, app_id, secret))
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


async def _import(file: str, users: int, url: str, app_id: str, secret: str) -> None:
    from collections import Counter

    from ethora_async import EthoraClient
    from ethora_async.sync.csv_file import CsvFile
    from ethora_async.sync.formats import USERS
    from ethora_async.sync.importing import RowResult, import_rows

    counts: Counter[str] = Counter()

    def count(result: RowResult) -> None:
        counts[result.status] += 1

    async with EthoraClient(app_id=app_id, secret=secret, api_url=url) as client:
        await import_rows(await CsvFile.open(file, USERS), client.users.create_many, count)
    if counts != {"created": users}:
        sys.exit(f"the import went wrong: {dict(counts)}")


def main() -> None:
    large = 100_000 if quick(__doc__ or "") else 1_000_000
    pin(0)
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for users in (SMALL, large):
            file = Path(folder, f"{users}.csv")
            write_users(file, users)
            peaks[users] = peak_of_import(file, users)
    show(
        "bulk_memory",
        f"{peaks[large] / peaks[SMALL]:.2f} x the memory for {large // SMALL} x the users "
        f"({peaks[large] - peaks[SMALL]:+.1f} MB)",
        [f"{users:9,} users: peak {peak:6.1f} MB" for users, peak in peaks.items()],
        aim="at most +30 MB",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--import"]:
        import_here(*sys.argv[2:])
    else:
        main()
