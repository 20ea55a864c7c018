"""The example of a bot, on the sandbox."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from ethora_async import EthoraClient
from ethora_async.platforms.ethora.realtime.events import MessageReceived
from ethora_async.sandbox import EthoraSandbox

if TYPE_CHECKING:
    import pytest

BOT = Path(__file__).parents[2] / "examples" / "ethora_bot.py"


async def test_the_bot_answers_where_it_is_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = runpy.run_path(str(BOT))["answer"]
    async with EthoraSandbox() as sandbox:
        for name, value in (sandbox.environment | sandbox.front_end_environment).items():
            monkeypatch.setenv(name, value)
        async with EthoraClient.from_env() as ethora:
            for name in ("bot-1", "ann"):
                await ethora.users.create(name, email=f"{name}@example.com", first_name="Ann", last_name="Byron")
            await ethora.chats.create("order-7", title="Order 7", members=["bot-1", "ann"])
            async with ethora.realtime("ann", rooms=["order-7"]) as ann:
                bot = asyncio.create_task(answer("bot-1", "order-7"))
                # The bot says nothing when it comes: ann repeats herself until it hears her.
                heard: list[str] = []
                async with asyncio.timeout(120):
                    while "You said: hello" not in heard:
                        await ann.send("order-7", "hello")
                        async for event in ann:
                            if isinstance(event, MessageReceived):
                                heard.append(event.message.body or "")
                                break
                bot.cancel()
                await asyncio.wait({bot})
    assert bot.cancelled()
