"""Join codes and personal access tokens never appear in logs, events, errors, tracebacks or reprs."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from ethora_async import RocketChatClient
from ethora_async.errors import ChatError, ForbiddenError, NotSentError
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock

CODE = "canary-join-code-0123456789"
WRONG = "canary-wrong-code-9876543210"


async def test_nothing_shows_a_code_or_a_token(sandbox: RocketChatSandbox, clock: FakeClock) -> None:
    events: list[object] = []
    errors: list[BaseException] = []
    sandbox.add_user("eve")
    given = {"url": sandbox.url, "user": "admin", "password": sandbox.admin_password}
    with Canary(CODE, WRONG, sandbox.admin_password) as canary:
        async with RocketChatClient(
            **given, create_tokens_secret=sandbox.secret, clock=clock, on_event=events.append
        ) as client:
            await client.chats.create("town", title="Town", access="public")
            outcome = await client.chats.set_join_code("town", CODE)
            eve = client.as_user("eve")
            with pytest.raises(ForbiddenError) as refused:
                await eve.chats.join("town", code=WRONG)
            errors.append(refused.value)
            joined = await eve.chats.join("town", code=CODE)
            with pytest.raises(ChatError) as unknown:
                await client.chats.set_join_code("nowhere", CODE)
            errors.append(unknown.value)
            room = await client.chats.get("town")
            listed = [chat async for chat in client.chats.everywhere()]
            token = await client.personal_tokens.create("robot")
            with pytest.raises(ChatError) as taken:
                await client.personal_tokens.create("robot")
            errors.append(taken.value)
            tokens = await client.personal_tokens.list()
            await sandbox.aclose()
            with pytest.raises((NotSentError, ChatError)) as gone:
                await eve.chats.join("town", code=CODE)
            errors.append(gone.value)
            held = (client, eve, outcome, joined, room, room.extra, listed, tokens, token)
            canary.check(*held, *errors, *events)
            Canary(token.reveal()).check(*canary.records, *held, *errors, *events)
            for error in errors:
                frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]  # the first is this test
                shown = [f"{frame.f_code.co_qualname}: {frame.f_locals!r}" for frame in frames]
                assert [text for text in shown if CODE in text or WRONG in text] == []
