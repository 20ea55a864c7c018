"""A sandbox in a separate process, with faults given by its argument.

It prints its URL, app id and secret, and, once its standard input ends, what it has seen: one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    from ethora_async.sandbox.logs import RequestRecord


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(spec: str) -> None:
    seen: list[tuple[float, int]] = []

    def note(record: RequestRecord) -> None:
        seen.append((time.monotonic(), record.status))

    async with EthoraSandbox(on_request=note) as sandbox:
        sandbox.faults.load(spec)
        tell(f"{sandbox.url} {sandbox.app_id} {sandbox.secret}")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        users = sandbox.store.app(sandbox.app_id).users
        ids = [user.uuid for user in users]
        later = [status for at, status in seen if at >= seen[0][0] + 1]
        told = {
            "users": len(ids),
            "distinct": len(set(ids)),
            "found": sum(users.find(f"soak-{number}") is not None for number in range(len(ids) - 1)),
            "statuses": Counter(str(status) for _, status in seen),
            "later": Counter(str(status) for status in later),
        }
        tell(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
