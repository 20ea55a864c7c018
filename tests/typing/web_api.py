"""What a type checker makes of the web part. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from ethora_async import AvayaClient, ChatToken, EthoraClient, ImbaChatClient, RocketChatClient, User
from ethora_async.web import AppClient, Health, OwnLoop, Request, Routes, TokenEndpoint, UserInfoEndpoint, WebResponse
from ethora_async.web.rooms import channel_url, group_url, room_jid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ethora_async import UserInfo
    from ethora_async.capabilities import AnswersPing, KnowsWhetherReady
    from ethora_async.records import Id
    from ethora_async.web.rooms import RoomAddress


async def identify(native: Any) -> str | None:
    return None


async def people(ids: Sequence[int]) -> Iterable[UserInfo]:
    return []


async def verified(client: AvayaClient, user: Id) -> ChatToken:
    return await client.tokens.for_user(user, verified=True)


async def quick(client: EthoraClient, user: Id) -> ChatToken:
    return await client.tokens.for_user(user, ttl=60)


async def may_enter(user: Id, room: str) -> bool:
    return True


def wrong_identify(native: Any) -> str:
    return "ann"


def ready(_: KnowsWhetherReady) -> None: ...
def pings(_: AnswersPing) -> None: ...


def every_client_fits(
    ethora: EthoraClient, rocketchat: RocketChatClient, avaya: AvayaClient, imbachat: ImbaChatClient
) -> None:
    assert_type(TokenEndpoint(ethora, identify), TokenEndpoint[EthoraClient])
    assert_type(TokenEndpoint(rocketchat, identify), TokenEndpoint[RocketChatClient])
    assert_type(TokenEndpoint(avaya, identify, mint=verified), TokenEndpoint[AvayaClient])
    assert_type(TokenEndpoint(imbachat, identify), TokenEndpoint[ImbaChatClient])
    ready(ethora)
    ready(rocketchat)
    ready(avaya)
    ready(imbachat)
    pings(ethora)
    pings(rocketchat)
    pings(avaya)  # type: ignore[arg-type]
    pings(imbachat)  # type: ignore[arg-type]


def wherever_they_live() -> None:
    chat = AppClient(EthoraClient.from_env)
    assert_type(chat, AppClient[EthoraClient])
    assert_type(chat(), EthoraClient)
    assert_type(TokenEndpoint(chat, identify, mint=quick, may_enter=may_enter), TokenEndpoint[EthoraClient])
    apart = OwnLoop(RocketChatClient.from_env)
    assert_type(apart, OwnLoop[RocketChatClient])
    assert_type(TokenEndpoint(apart, identify), TokenEndpoint[RocketChatClient])


async def calls(apart: OwnLoop[EthoraClient], imbachat: ImbaChatClient) -> None:
    assert_type(await apart.run(lambda client: client.users.get("ann")), User)
    routes = Routes(
        token=TokenEndpoint(apart, identify),
        user_info=UserInfoEndpoint(imbachat.user_info(people)),
        health=Health(apart),
        prefix="/chat",
    )
    assert_type(await routes.handle(Request.of("GET", "/healthz")), WebResponse)


async def rooms(ethora: EthoraClient, rocketchat: RocketChatClient) -> None:
    found: Mapping[str, str] = await room_jid(ethora, "order-7")
    found = await group_url(rocketchat, "order-7")
    found = await channel_url(rocketchat, "order-7")
    assert found
    some: RoomAddress = room_jid
    TokenEndpoint(ethora, identify, rooms=some)
    await room_jid(rocketchat, "order-7")  # type: ignore[arg-type]
    await group_url(ethora, "order-7")  # type: ignore[arg-type]


def misuse(ethora: EthoraClient) -> None:
    TokenEndpoint(object(), identify)  # type: ignore[arg-type]
    TokenEndpoint(ethora, wrong_identify)  # type: ignore[arg-type]
    AppClient(object)  # type: ignore[type-var]
    Routes(token=ethora)  # type: ignore[arg-type]
