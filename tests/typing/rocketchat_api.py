"""What a type checker makes of the Rocket.Chat client. Checked by mypy and pyright, never run.

Run from the root: ``mypy tests/typing/rocketchat_api.py`` and ``pyright tests/typing``. Every ``type: ignore`` below
marks a misuse that must be an error: both checkers report one that has become needless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from ethora_async import Chat, ChatToken, NewChat, NewUser, RocketChatClient, User
from ethora_async.bulk import Outcome, Report, Run
from ethora_async.pages import Page
from ethora_async.platforms.rocketchat.message_records import Message
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.platforms.rocketchat.realtime.events import MessageReceived, RoomLeft
from ethora_async.platforms.rocketchat.users import UserChange

if TYPE_CHECKING:
    from ethora_async.capabilities import (
        AnswersUserInfo,
        ManagesChats,
        ManagesUsers,
        MintsUserTokens,
        RevokesTokens,
        StreamsEvents,
    )


def keep_users(_: ManagesUsers) -> None: ...
def keep_chats(_: ManagesChats) -> None: ...
def mint(_: MintsUserTokens) -> None: ...
def revoke(_: RevokesTokens) -> None: ...
def stream_events(_: StreamsEvents) -> None: ...
def answer(_: AnswersUserInfo) -> None: ...


def abilities(client: RocketChatClient) -> None:
    keep_users(client)
    keep_chats(client)
    mint(client)
    revoke(client)
    stream_events(client)
    answer(client)  # type: ignore[arg-type]


async def records(client: RocketChatClient) -> None:
    assert_type(await client.users.create("ann", email="a@b.c", first_name="Ann", last_name="Lee"), Outcome[NewUser])
    assert_type(await client.users.get(RecordId("rbAXPnMktTFbNpwtJ")), User)
    assert_type(await client.users.list(), Page[User])
    changes: Run[UserChange] = client.users.update_many([UserChange(id="ann", name="Ann Lee")])
    assert_type(await changes, Report)
    assert_type(await client.chats.create("order-7", title="Order 7", members=["ann", 7]), Outcome[NewChat])
    async for chat in client.chats.list():
        assert_type(chat, Chat)
    assert_type(await client.messages.send("order-7", "hello"), Message)
    await client.logout()  # type: ignore[call-arg]


async def tokens(client: RocketChatClient) -> None:
    token = await client.tokens.for_user("ann")
    assert_type(token, ChatToken)
    assert_type(await client.tokens.revoke(token), bool)
    async with client.realtime(token, rooms="order-7") as stream:
        async for event in stream:
            match event:
                case MessageReceived(message):
                    assert_type(message, Message)
                case RoomLeft(room_id):
                    assert_type(room_id, str)
                case _:
                    pass
