"""What a type checker makes of Avaya's and ImbaChat's clients. Checked by mypy and pyright, never run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_type

from ethora_async import AvayaClient, ChatToken, ImbaChatClient, UserInfo
from ethora_async.platforms.imbachat.widget import Html
from ethora_async.web_response import WebResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ethora_async.capabilities import AnswersUserInfo, ManagesChats, ManagesUsers, MintsUserTokens


def mints(client: MintsUserTokens) -> None: ...
def answers(client: AnswersUserInfo) -> None: ...
def users(client: ManagesUsers) -> None: ...
def chats(client: ManagesChats) -> None: ...


async def people(ids: Sequence[int]) -> Iterable[UserInfo]:
    return [UserInfo(user_id=id, name="x") for id in ids]


async def abilities(avaya: AvayaClient, imbachat: ImbaChatClient) -> None:
    mints(avaya)
    mints(imbachat)
    answers(imbachat)
    answers(avaya)  # type: ignore[arg-type]
    users(avaya)  # type: ignore[arg-type]
    users(imbachat)  # type: ignore[arg-type]
    chats(avaya)  # type: ignore[arg-type]
    chats(imbachat)  # type: ignore[arg-type]


async def calls(avaya: AvayaClient, imbachat: ImbaChatClient) -> None:
    token = await avaya.tokens.for_user("c", verified=True, identifiers={"a": ["b"], "c": "d"}, ttl=timedelta(hours=1))
    assert_type(token, ChatToken)
    assert_type(await avaya.tokens.for_guest(), ChatToken)
    assert_type(await imbachat.tokens.for_user(5), ChatToken)
    assert_type(await imbachat.user_info(people).handle("GET", "/", "", {}), WebResponse)
    assert_type(await imbachat.user_info(people).handle("GET", "/", {"ids": "1"}, [("a", "b")]), WebResponse)
    assert_type(await imbachat.widget_snippet(token), Html)
