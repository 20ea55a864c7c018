"""What a type checker makes of keeping an Ethora app in step. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_type

from ethora_async import Chat, EthoraClient, NewChat, NewUser, User
from ethora_async.platforms.ethora.users.api import UserChange

if TYPE_CHECKING:
    from ethora_async.bulk import Run
    from ethora_async.capabilities import (
        AnswersUserInfo,
        ChatDirectory,
        ManagesChats,
        ManagesUsers,
        State,
        StreamsEvents,
        UserDirectory,
    )


def answers(client: AnswersUserInfo) -> None: ...
def streams(client: StreamsEvents) -> None: ...


def abilities(ethora: EthoraClient) -> None:
    with_users: ManagesUsers = ethora
    with_chats: ManagesChats = ethora
    child_users: ManagesUsers = ethora.in_app("child")
    child_chats: ManagesChats = ethora.in_app("child")
    users: UserDirectory[UserChange] = ethora.users
    chats: ChatDirectory = ethora.chats
    other_changes: UserDirectory[str] = ethora.users  # type: ignore[assignment]
    a_users_own: ManagesChats = ethora.as_user(api_key="key")  # type: ignore[assignment]
    answers(ethora)  # type: ignore[arg-type]
    streams(ethora)
    _ = (with_users, with_chats, child_users, child_chats, users, chats, other_changes, a_users_own)


async def members(ethora: EthoraClient, user: NewUser, chat: NewChat) -> None:
    state: State = ethora.users.comparable(user)
    assert_type(state["email"], str | None)
    assert_type(ethora.users.key(7), str)
    assert_type(ethora.users.changeable, frozenset[str])
    change = ethora.users.change(user, frozenset({"first_name"}))
    assert_type(change, UserChange)
    changed: Run[UserChange] = ethora.users.update_many([change])
    await changed
    assert_type(await ethora.users.reserved(), Callable[[User], bool])
    assert_type(await ethora.chats.reserved(), Callable[[Chat], bool])
    ethora.chats.comparable(chat)
    ethora.chats.comparable(user)  # type: ignore[arg-type]
    ethora.users.comparable(chat)  # type: ignore[arg-type]
    ethora.users.change(user, {"first_name"})  # type: ignore[arg-type]
