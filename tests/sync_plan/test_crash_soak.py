"""An import of 20,000 users whose process is killed again and again, wherever it happens to be."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.sandbox import EthoraSandbox, Store
from ethora_async.sync.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = 20_000
PASSWORD = "pw-canary-77aa"
KILLS = {"planning": 14, "creating": 32, "finishing": 10}
CHILD = Path(__file__).with_name("crash_child.py")


class Soak:
    """The sandbox, and one child at a time."""

    def __init__(self, sandbox: EthoraSandbox, people: Path, journal: Path, made: Counter[str]) -> None:
        self.sandbox, self.people, self.journal, self.made = sandbox, people, journal, made
        self.kills: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()
        self.dice = random.Random(5)

    async def child(self, time_to_die: Callable[[str, int], bool], phase: str) -> int | None:
        """Run one until it ends or it is time for it to die: its exit code, or None when it was killed."""
        arguments = [str(CHILD), self.sandbox.url, self.sandbox.app_id, str(self.people), str(self.journal)]
        environment = os.environ | {"SOAK_SECRET": self.sandbox.secret}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            while line := (await process.stdout.readline()).decode().rpartition(" "):
                if not line[1]:
                    break
                if time_to_die(line[0], int(line[2])):
                    await asyncio.sleep(self.dice.uniform(0, 0.02))  # anywhere between this sign of life and the next
                    if process.returncode is not None:
                        break
                    process.send_signal(signal.SIGKILL)
                    self.moments[line[0]] += 1
                    break
            code = await process.wait()
            if code == -signal.SIGKILL:
                self.kills[phase] += 1
                return None
            assert code == 0, (await process.stderr.read()).decode()
            return code
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            process._transport.close()  # type: ignore[attr-defined]

    async def plan_and_die(self) -> None:
        """Killed at any sign of life of the planning, the first as likely as the last."""
        for number in range(KILLS["planning"]):
            signs = 1 + number * 48 // KILLS["planning"]
            left = iter(range(signs))
            await self.child(lambda step, _, left=left: next(left, None) is None or step == "comparing", "planning")

    async def create_and_die(self) -> None:
        """Killed whenever about as many more users are there as make the kills last."""
        for number in range(KILLS["creating"]):
            share = PEOPLE * (number + self.dice.random()) / (KILLS["creating"] + 1)
            await self.child(lambda step, _, share=share: step == "create user" and len(self.made) >= share, "creating")

    async def finish_and_die(self) -> None:
        """Killed while the last are created, and while a journal is resumed that has nothing left to do."""
        for _ in range(3):
            await self.child(lambda step, _: step == "create user" and len(self.made) > PEOPLE - 500, "finishing")
        assert await self.child(lambda *_: False, "finishing") == 0
        while self.kills["finishing"] < KILLS["finishing"]:
            await self.child(lambda step, _: step == "begin", "finishing")


@pytest.mark.slow
async def test_killed_fifty_times_nobody_is_lost_and_nobody_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()
    create = Store.create_user

    def counted(store: Store, app: Any, data: Any, now: float) -> Any:
        made[data.uuid] += 1
        return create(store, app, data, now)

    people = tmp_path / "people.csv"
    rows = (
        f"u{number},u{number}@example.com,First{number},Last{number},{PASSWORD if number % 40 == 0 else ''}\n"
        for number in range(PEOPLE)
    )
    people.write_text("id,email,first_name,last_name,password\n" + "".join(rows))
    journal = tmp_path / "people.journal"
    async with EthoraSandbox() as sandbox:
        monkeypatch.setattr(Store, "create_user", counted)
        soak = Soak(sandbox, people, journal, made)
        await soak.plan_and_die()
        assert not made
        await soak.create_and_die()
        await soak.finish_and_die()
        assert sum(soak.kills.values()) >= 50
        assert len(soak.moments) >= 3, soak.moments
        assert await soak.child(lambda *_: False, "finishing") == 0
        users = sandbox.store.app(sandbox.app_id).users
        assert made == Counter({f"u{number}": 1 for number in range(PEOPLE)})
        await check_journal(journal, users)
    for file in [people, *tmp_path.glob("people.journal*")]:  # noqa: ASYNC240
        assert file == people or PASSWORD.encode() not in file.read_bytes()


async def check_journal(path: Path, users: Any) -> None:
    """What the journal says was created is what the sandbox has."""
    async with await Journal.open(path) as journal:
        assert await journal.counts() == {("user", "create", "created"): PEOPLE}
        after = 0
        while entries := await journal.entries(after=after, limit=1000):
            after = entries[-1].number
            for entry in entries:
                user, wanted = users.find(entry.key), dict(entry.after or {})
                assert (user.email, user.first_name, user.last_name) == (
                    wanted["email"], wanted["first_name"], wanted["last_name"],
                )  # fmt: skip
