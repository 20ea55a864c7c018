"""What a platform cannot do is a type error: every capability, every client. Checked by mypy and pyright, never run.

Every ``type: ignore`` below marks a misuse that must be an error: both checkers report one that has become needless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async import AvayaClient, EthoraClient, ImbaChatClient, RocketChatClient
from ethora_async.sync import apply_plan, make_plan, resume, verify

if TYPE_CHECKING:
    from ethora_async import ChatToken, NewUser
    from ethora_async.capabilities import (
        AnswersPing,
        AnswersUserInfo,
        KnowsWhetherReady,
        ManagesChats,
        ManagesUsers,
        MintsUserTokens,
        RevokesTokens,
        StreamsEvents,
    )
    from ethora_async.sync import Plan, Source
    from ethora_async_secrets import SecretProvider


def mint(_: MintsUserTokens) -> None: ...
def revoke(_: RevokesTokens) -> None: ...
def keep_users(_: ManagesUsers) -> None: ...
def keep_chats(_: ManagesChats) -> None: ...
def stream(_: StreamsEvents) -> None: ...
def answer(_: AnswersUserInfo) -> None: ...
def tell(_: KnowsWhetherReady) -> None: ...
def ping(_: AnswersPing) -> None: ...


def of_ethora(ethora: EthoraClient) -> None:
    mint(ethora)
    revoke(ethora)  # type: ignore[arg-type]
    keep_users(ethora)
    keep_chats(ethora)
    stream(ethora)
    answer(ethora)  # type: ignore[arg-type]
    tell(ethora)
    ping(ethora)


def of_rocketchat(rocketchat: RocketChatClient) -> None:
    mint(rocketchat)
    revoke(rocketchat)
    keep_users(rocketchat)
    keep_chats(rocketchat)
    stream(rocketchat)
    answer(rocketchat)  # type: ignore[arg-type]
    tell(rocketchat)
    ping(rocketchat)


def of_avaya(avaya: AvayaClient) -> None:
    mint(avaya)
    revoke(avaya)  # type: ignore[arg-type]
    keep_users(avaya)  # type: ignore[arg-type]
    keep_chats(avaya)  # type: ignore[arg-type]
    stream(avaya)  # type: ignore[arg-type]
    answer(avaya)  # type: ignore[arg-type]
    tell(avaya)
    ping(avaya)  # type: ignore[arg-type]


def of_imbachat(imbachat: ImbaChatClient) -> None:
    mint(imbachat)
    revoke(imbachat)  # type: ignore[arg-type]
    keep_users(imbachat)  # type: ignore[arg-type]
    keep_chats(imbachat)  # type: ignore[arg-type]
    stream(imbachat)  # type: ignore[arg-type]
    answer(imbachat)
    tell(imbachat)
    ping(imbachat)  # type: ignore[arg-type]


async def absent(avaya: AvayaClient, imbachat: ImbaChatClient, ethora: EthoraClient, token: ChatToken) -> None:
    _ = avaya.users  # type: ignore[attr-defined]
    _ = avaya.chats  # type: ignore[attr-defined]
    _ = imbachat.users  # type: ignore[attr-defined]
    await imbachat.tokens.revoke(token)  # type: ignore[attr-defined]
    await avaya.tokens.revoke(token)  # type: ignore[attr-defined]
    await ethora.tokens.revoke(token)  # type: ignore[attr-defined]
    ethora.realtime("ann")


async def in_step(
    ethora: EthoraClient,
    rocketchat: RocketChatClient,
    avaya: AvayaClient,
    imbachat: ImbaChatClient,
    users: Source[NewUser],
    plan: Plan,
) -> None:
    await make_plan(ethora, users=users)
    await make_plan(rocketchat, users=users)
    await make_plan(ethora.in_app("child"), users=users)
    await make_plan(avaya, users=users)  # type: ignore[arg-type]
    await make_plan(imbachat, users=users)  # type: ignore[arg-type]
    await apply_plan(rocketchat, plan)
    await apply_plan(avaya, plan)  # type: ignore[arg-type]
    await resume(rocketchat, "a.journal")
    await resume(imbachat, "a.journal")  # type: ignore[arg-type]
    await verify(rocketchat, users=users)
    await verify(avaya, users=users)  # type: ignore[arg-type]


def options(provider: SecretProvider) -> None:
    """The options of `from_env` and `from_secrets` are checked by name and type."""
    EthoraClient.from_env(app_id="a", secret=provider, timeout=5, token_cache_size=1)
    EthoraClient.from_env(timout=5)  # type: ignore[call-arg]
    EthoraClient.from_secrets(provider, app_id="a", scoped=False)
    EthoraClient.from_secrets(provider, app_id=5)  # type: ignore[arg-type]
    EthoraClient(secret=provider, verfiy=False)  # type: ignore[call-arg]
    RocketChatClient.from_env(user="a", secret="word")
    RocketChatClient.from_env(secrets=provider)  # type: ignore[call-arg]
    RocketChatClient.from_secrets(provider, token_grace=5)
    AvayaClient.from_env(region="eu", secret="word")
    AvayaClient.from_env(client_secret="word")  # type: ignore[call-arg]
    AvayaClient.from_secrets("env:", timeout="5")  # type: ignore[arg-type]
    ImbaChatClient.from_env(widget_id=5, secret="word")
    ImbaChatClient.from_env(timeout=5)  # type: ignore[call-arg]
    ImbaChatClient.from_secrets(provider, secret_key="word")  # type: ignore[call-arg]
