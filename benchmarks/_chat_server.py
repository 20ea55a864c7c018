"""A sandbox with people in rooms, in a process of its own.

Prints one line of JSON when it listens, and one with its CPU seconds and memory for each line that it reads. It ends
when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.store import ChatData, UserData

KEPT = 100
"""Messages that a chat keeps: so few that memory stands still early in the measured time."""


async def serve(rooms: int, members: int) -> None:
    sandbox = EthoraSandbox(messages_per_chat=KEPT)
    store, app, now = sandbox.store, sandbox.store.app(sandbox.app_id), time.time()
    platform = sandbox.realtime.hub.platform
    told: list[dict[str, str]] = []
    for number in range(rooms):
        users = [
            store.create_user(app, UserData("Ada", f"Number {number}-{place}", uuid=f"u{number}-{place}"), now)
            for place in range(members)
        ]
        chat = store.create_chat(app, ChatData(f"Room {number}", "group", f"r{number}"), now, members=users)
        told += [
            {"user": user.xmpp_username, "password": platform.signer.derive(f"xmpp:{user.id}"), "room": chat.name}
            for user in users
        ]
    async with sandbox:
        print(json.dumps({"url": sandbox.url, "sessions": told}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            usage = os.times()
            print(json.dumps({"cpu": usage.user + usage.system, "memory": _memory()}), flush=True)


def _memory() -> int:
    """The resident memory in bytes; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
