"""The process that the crash soak kills: brings users in step from a CSV file, and says where it is.

Arguments: the URL of the API, the app's id, the file, the journal. The app's secret stands in the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from ethora_async import EthoraClient
from ethora_async.errors import InvalidInputError
from ethora_async.sync import USERS, Progress, apply_plan, make_plan, open_source, resume


def tell(step: str, done: int) -> None:
    sys.stdout.write(f"{step} {done}\n")
    sys.stdout.flush()


def say(progress: Progress) -> None:
    tell(progress.step, progress.done)


async def main(url: str, app_id: str, people: str, journal: str) -> None:
    users = await open_source(people, USERS)
    async with EthoraClient(app_id=app_id, secret=os.environ["SOAK_SECRET"], api_url=url) as client:
        tell("begin", 0)
        if await asyncio.to_thread(Path(journal).exists):
            done = await resume(client, journal, sources={"user": users}, on_progress=say)
        else:
            async with await make_plan(client, users=users, journal=journal, on_progress=say) as plan:
                done = await apply_plan(client, plan, on_progress=say)
        tell("end", done.failed)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except InvalidInputError as error:
        sys.exit(str(error))
