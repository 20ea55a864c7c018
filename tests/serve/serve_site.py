"""What `--may-enter` and `--users-info` name: a site's own functions, loaded into the process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from ethora_async import UserInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

not_a_function = 5


async def may_enter(user: str, room: str) -> bool:
    """Everybody enters their own rooms; "slow" ones only once the test says so, by a file."""
    if room.startswith("/"):
        entered, go = Path(room, "entered"), Path(room, "go")
        entered.touch()  # noqa: ASYNC240
        while not go.exists():  # noqa: ASYNC110, ASYNC240  told from another process
            await asyncio.sleep(0.01)
        return False
    return room == f"of-{user}"


async def people(ids: Sequence[int]) -> Iterable[UserInfo]:
    return [UserInfo(user_id=id, name=f"Person {id}") for id in ids if id < 10]
