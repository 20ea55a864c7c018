"""A sandbox in a process of its own: prints its URL, app id and secret, and ends when its standard input does."""

from __future__ import annotations

import asyncio
import sys

from ethora_async.sandbox import EthoraSandbox


async def serve() -> None:
    async with EthoraSandbox() as sandbox:
        print(sandbox.url, sandbox.app_id, sandbox.secret, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
