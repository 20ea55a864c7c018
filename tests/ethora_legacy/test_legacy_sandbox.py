"""The guide's older calls from end to end, on a local Ethora that still has them (seed 000)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, CHAT_JID, URL, Scripted, person, reply

from ethora_async import Access, EthoraClient, NotFoundError, ValidationFailedError
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock

MEMBER = Access.READ | Access.WRITE


@pytest.fixture(autouse=True)
async def crowd(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person(f"u{number}") for number in range(3)])


async def members(ethora: EthoraClient, chat: Any) -> list[str]:
    return [user.id async for user in ethora.chats.members(chat)]


def bits(app: App, chat: str, user: str) -> int:
    found, whose = app.chats.find(chat), app.users.find(user)
    assert found is not None
    assert whose is not None
    return found.access(whose)


async def test_the_guides_life_of_a_chat(older: EthoraClient, app: App) -> None:
    created = await older.chats.create(1042, title="Order 1042", access="private")
    assert created.status == "created"
    assert created.value.extra["jid"] == f"{APP}_1042@conference.xmpp.localhost"
    assert (await older.chats.create(1042, title="Order 1042")).status == "existed"
    public = await older.chats.create(7, title="Lounge", access="public")
    assert {chat.id: chat.access async for chat in older.chats.list()} == {"1042": "private", "7": "public"}

    assert (await older.chats.grant(1042, ["u0", "u1"])).counts == {"created": 2}
    assert await members(older, 1042) == ["u0", "u1"]
    assert (await older.chats.revoke(1042, "u0")).counts == {"deleted": 1}
    assert await members(older, 1042) == ["u1"]

    assert (await older.chats.delete(1042)).status == "deleted"
    assert (await older.chats.delete(1042)).status == "absent"
    assert (await older.chats.delete(public.value.extra["jid"])).status == "deleted"
    assert len(app.chats) == 0


@pytest.mark.parametrize("access", [Access(number) for number in range(16)])
async def test_every_code_is_kept(access: Access, older: EthoraClient, app: App) -> None:
    await older.chats.create("c1", title="Chat")
    setting = (await older.chats.set_access("c1", "u1", access)).value
    assert (setting.access, setting.expires_at) == (access, None)
    assert setting.chat_jid == f"{APP}_c1@conference.xmpp.localhost"
    assert bits(app, "c1", "u1") == access
    assert await members(older, "c1") == (["u1"] if access else [])


@pytest.mark.parametrize("chat", ["c1", f"{APP}_c1", CHAT_JID, f"{APP}_{CHAT_JID}"])
@pytest.mark.parametrize("user", ["u1", f"{APP}_u1", f"{APP}_u1@xmpp.localhost"])
async def test_chat_and_user_go_by_any_name(chat: str, user: str, older: EthoraClient, app: App) -> None:
    await older.chats.create("c1", title="Chat")
    outcome = await older.chats.set_access(chat, user, "0101")
    assert outcome.key == "c1/u1"
    assert bits(app, "c1", "u1") == 0b0101


async def test_a_ban_ends_by_itself(older: EthoraClient, app: App, clock: FakeClock) -> None:
    await older.chats.create("c1", title="Chat")
    await older.chats.set_access("c1", "u1", MEMBER)
    ban = (await older.chats.set_access("c1", "u1", Access.NONE, expires_in=600)).value
    assert ban.expires_at == datetime.fromtimestamp(clock.now() + 600, UTC)
    assert await members(older, "c1") == []
    clock.advance(601)
    assert await members(older, "c1") == ["u1"]
    assert bits(app, "c1", "u1") == MEMBER


async def test_what_is_unknown_is_not_found(older: EthoraClient) -> None:
    await older.chats.create("c1", title="Chat")
    for chat, user, code in (("nowhere", "u1", "CHAT_NOT_FOUND"), ("c1", "nobody", "USER_NOT_FOUND")):
        with pytest.raises(NotFoundError) as caught:
            await older.chats.set_access(chat, user, MEMBER)
        assert caught.value.code == code
        assert caught.value.request_id
    assert (await older.chats.grant("c1", ["u1", "nobody"])).counts == {"created": 1, "failed": 1}
    pairs = [("c1", "u2"), ("nowhere", "u2"), ("c1", "nobody")]
    assert (await older.chats.grant_many(pairs)).counts == {"created": 1, "failed": 2}


async def test_chats_without_an_id_are_made_and_found_again(older: EthoraClient) -> None:
    first = await older.chats.create(title="First")
    second = await older.chats.create(title="Second")
    assert first.key != second.key
    assert (await older.chats.get(first.key)).title == "First"


async def test_both_clients_see_the_same(older: EthoraClient, ethora: EthoraClient) -> None:
    await older.chats.create("c1", title="Chat", access="public")
    assert (await ethora.chats.get("c1")).access == "public"
    await ethora.chats.set_access("c1", "u1", "0011")
    assert await members(older, "c1") == ["u1"]
    assert (await older.reset(confirm=APP)).counts == {"deleted": 4}
    assert [user.id async for user in ethora.users.list() if not user.id.startswith("owner-")] == []


async def test_the_guides_token_logs_in_by_email(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    token = await ethora.tokens.for_email("U1@example.com")
    session = await ethora.sessions.exchange(token)
    assert session.user.id == "u1"
    with pytest.raises(NotFoundError):
        await ethora.sessions.exchange(await ethora.tokens.for_email("nobody@example.com"))


async def test_what_a_server_repeats_of_our_token_gets_nowhere(clock: FakeClock) -> None:
    """A server that answers 200 with an error that contains our own token."""
    wire = Scripted(clock, reply(200, {"ok": True}), legacy_api=True)
    await wire.client.chats.set_access("c1", "u1", MEMBER)
    token = wire.transport.requests[0].headers["x-custom-token"]
    refusing = Scripted(clock, reply(200, {"ok": False, "error": f"bad token {token}", "code": token}), legacy_api=True)
    with Canary(token, "a-secret-that-is-long-enough-for-anyone") as canary:
        with pytest.raises(ValidationFailedError) as caught:
            await refusing.client.chats.set_access("c1", "u1", MEMBER)
        report = await refusing.client.chats.grant("c1", ["u1"])
    assert URL not in str(caught.value)
    canary.check(caught.value, report, *report.failures, refusing.client)
