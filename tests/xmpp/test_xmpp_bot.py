"""The sandbox's bot: a function that answers in rooms that it was added to."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from xmpp_helpers import APP, Client, World, presence, room

from ethora_async import EthoraClient
from ethora_async.sandbox import BotMessage, BotReply, EthoraSandbox

if TYPE_CHECKING:
    import aiohttp
    from still_clock import Clock


async def answer(message: BotMessage) -> str | BotReply | None:
    """Return the answer of the tests' bot."""
    match message.text:
        case "ask me":
            return BotReply("Sure?", [("Yes", "yes"), ('"No"', "no & never")])
        case "fail":
            msg = "broken"
            raise RuntimeError(msg)
        case "nonsense":
            return 5  # type: ignore[return-value]
        case "quiet":
            return None
        case text:
            return f"{message.user_name} said {text!r} in {message.chat_title}"


@pytest.fixture
def options() -> dict[str, Any]:
    return {"bot": answer}


async def entered(http: aiohttp.ClientSession, world: World) -> Client:
    """Ada, in the room."""
    ada = await Client.log_in(http, world, "ada")
    await ada.send(presence(f"{room(world.room)}/{APP}_ada"))
    await ada.until("<subject/>")
    return ada


async def let_in(world: World) -> None:
    """Do what the bot's owner does, with our own client."""
    settings = world.sandbox.environment
    async with EthoraClient(
        app_id=settings["ETHORA_CHAT_APP_ID"],
        secret=settings["ETHORA_CHAT_APP_SECRET"],
        api_url=settings["ETHORA_CHAT_API_URL"],
        bot_jid=settings["ETHORA_CHAT_BOT_JID"],
    ) as ethora:
        await ethora.chats.grant_bot("room")


async def say(client: Client, world: World, text: str, id: str) -> None:
    await client.send(f'<message to="{room(world.room)}" type="groupchat" id="{id}"><body>{text}</body></message>')
    await client.until(f"<body>{text}")


async def test_a_bot_that_was_let_in_answers(http: aiohttp.ClientSession, listening: World) -> None:
    async with await entered(http, listening) as ada:
        await say(ada, listening, "is anybody here?", "m0")
        await let_in(listening)
        assert "-bot" in await ada.until("<presence")
        notice = await ada.until("has joined the chat")
        assert 'isSystemMessage="true"' in notice
        await say(ada, listening, "hello", "m1")
        typing = await ada.until("<composing")
        assert "fullName=" in typing
        said = await ada.until("Ada Byron said 'hello' in Room")
        assert '<x xmlns="urn:ethora:bot" agentAddress="' in said
        assert "<archived" in said
        assert "<paused" in said
        await say(ada, listening, "ask me", "m2")
        asked = await ada.until("Sure?")
        found = re.search('quickReplies="(.*?)"', asked)
        assert found is not None
        buttons = json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))
        assert buttons == [{"name": "Yes", "value": "yes"}, {"name": '"No"', "value": "no & never"}]
    bodies = [message.body for message in listening.room.messages]
    assert bodies[0] == "is anybody here?"
    assert len(bodies) == 6


@pytest.mark.parametrize("text", ["fail", "nonsense", "quiet"])
async def test_a_bot_that_fails_or_says_nothing_stops_typing_and_goes_on(
    http: aiohttp.ClientSession, listening: World, text: str
) -> None:
    async with await entered(http, listening) as ada:
        await let_in(listening)
        await say(ada, listening, text, "m1")
        await ada.until("<composing")
        assert "<body>" not in await ada.until("<paused")
        await say(ada, listening, "next", "m2")
        await ada.until("said 'next'")


async def test_a_bot_answers_in_order_and_no_message_twice(http: aiohttp.ClientSession, listening: World) -> None:
    async with await entered(http, listening) as ada:
        await let_in(listening)
        for id in ("m1", "m2", "m2", "m3"):
            await say(ada, listening, id, id)
        await ada.until("said 'm3'")
        answers = [message.body for message in listening.room.messages if "said" in message.body]
        assert answers == [f"Ada Byron said '{id}' in Room" for id in ("m1", "m2", "m3")]


async def test_a_bot_minds_its_settings(http: aiohttp.ClientSession, listening: World) -> None:
    async with await entered(http, listening) as ada:
        await let_in(listening)
        settings = listening.sandbox.store.app(APP).bot
        assert settings is not None
        settings["trigger"] = "/bot"
        await say(ada, listening, "not you", "m1")
        await say(ada, listening, "/bot you", "m2")
        assert "said 'you'" in await ada.until("said")
        settings["status"] = "off"
        await say(ada, listening, "/bot again", "m3")
        settings["status"] = "on"
        await say(ada, listening, "/bot back", "m4")
        assert "said 'back'" in await ada.until("said")


async def test_a_bot_that_was_thrown_out_is_silent(http: aiohttp.ClientSession, listening: World, clock: Clock) -> None:
    bot = listening.sandbox.store.app(APP).users.find(listening.sandbox.environment["ETHORA_CHAT_BOT_JID"])
    assert bot is not None
    async with await entered(http, listening) as ada:
        await let_in(listening)
        listening.sandbox.store.leave(listening.room, bot, clock(), 0.0)
        await ada.until("unavailable")
        await say(ada, listening, "still there?", "m1")
        await say(ada, listening, "no", "m2")
    assert [message.body for message in listening.room.messages][-2:] == ["still there?", "no"]


async def test_a_plain_function_answers_too_and_holds_nobody_up(http: aiohttp.ClientSession, clock: Clock) -> None:
    import threading

    go = threading.Event()

    def slow(message: BotMessage) -> str:
        assert go.wait(30)
        return f"at last: {message.text}"

    world = World(EthoraSandbox(app_id=APP, secret="a secret of the tests", clock=clock, bot=slow), clock)
    async with world.sandbox, await entered(http, world) as ada:
        await let_in(world)
        await say(ada, world, "one", "m1")
        await say(ada, world, "two", "m2")
        go.set()
        await ada.until("at last: one")
        await ada.until("at last: two")


async def test_a_server_that_stops_waits_for_no_answer(http: aiohttp.ClientSession, clock: Clock) -> None:
    async def never(_: BotMessage) -> str:
        await asyncio.Event().wait()
        return "never"

    world = World(EthoraSandbox(app_id=APP, secret="a secret of the tests", clock=clock, bot=never), clock)
    async with world.sandbox, await entered(http, world) as ada:
        await let_in(world)
        await say(ada, world, "one", "m1")
        await ada.until("<composing")


@pytest.mark.parametrize(
    "buttons",
    [[("a", "b")] * 7, [("", "b")], [("a", "")], [("x" * 41, "b")], [("a", "x" * 201)]],
)
def test_buttons_have_limits(buttons: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="button"):
        BotReply("x", buttons)
