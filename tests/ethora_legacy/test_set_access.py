"""``chats.set_access`` on today's platform: two settings it can express, and the rest refused before sending."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, CHAT_JID, USER_JID, Scripted, SentRequest, person, reply

from ethora_async import Access, EthoraClient, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

MEMBER = Access.READ | Access.WRITE
OK = reply(200, {"ok": True})
BODY = {"chatName": f"{APP}_c1", "members": [f"{APP}_u1"]}


@pytest.mark.parametrize("chat", ["c1", f"{APP}_c1", f"{APP}_{APP}_c1", CHAT_JID])
async def test_a_member_and_no_access_are_a_grant_and_a_revocation(chat: str, clock: FakeClock) -> None:
    wire, user = Scripted(clock, OK), "u1"
    granted = await wire.client.chats.set_access(chat, user, MEMBER)
    revoked = await wire.client.chats.set_access(chat, user, Access.NONE)
    assert wire.sent == [SentRequest(method, "/v2/chats/users-access", body=BODY) for method in ("POST", "DELETE")]
    assert (granted.status, granted.key, granted.item) == ("created", "c1/u1", (chat, user))
    assert revoked.status == "deleted"


@pytest.mark.parametrize("user", [f"{APP}_u1", f"{APP}_{APP}_u1", USER_JID, "u1 ", "\u00a0u1"])
async def test_access_is_set_for_the_plain_id_alone(user: str, clock: FakeClock) -> None:
    wire = Scripted(clock, OK)
    with pytest.raises(InvalidInputError):
        await wire.client.chats.set_access("c1", user, MEMBER)
    assert wire.sent == []


async def test_codes_say_the_same_as_rights(clock: FakeClock) -> None:
    wire = Scripted(clock, OK)
    await wire.client.chats.set_access(7, 8, "0011")
    await wire.client.chats.set_access(7, 8, "0000")
    assert [request.method for request in wire.sent] == ["POST", "DELETE"]


@pytest.mark.parametrize("number", [number for number in range(16) if number not in (0, 3)])
async def test_what_today_s_platform_cannot_express_is_refused_before_sending(number: int, clock: FakeClock) -> None:
    wire = Scripted(clock, OK)
    for access in (Access(number), f"{number:04b}"):
        with pytest.raises(
            InvalidInputError, match=f"cannot express access {number:04b}: use .*legacy_api=True"
        ) as caught:
            await wire.client.chats.set_access("c1", "u1", access)
        assert caught.value.field == "access"
    assert wire.sent == []


@pytest.mark.parametrize("access", [Access.NONE, MEMBER])
async def test_a_timer_is_never_emulated(access: Access, clock: FakeClock) -> None:
    wire = Scripted(clock, OK)
    with pytest.raises(InvalidInputError, match=r"keeps no timer.*legacy_api=True") as caught:
        await wire.client.chats.set_access("c1", "u1", access, expires_in=timedelta(hours=1))
    assert caught.value.field == "expires_in"
    assert wire.sent == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "timer", [0, -1, -0.5, timedelta(0), timedelta(seconds=-5), 1.5, float("nan"), 1e300, True, "60"]
)
async def test_times_that_cannot_be_used_are_refused(timer: Any, legacy: bool, clock: FakeClock) -> None:
    wire = Scripted(clock, OK, legacy_api=legacy)
    with pytest.raises(InvalidInputError) as caught:
        await wire.client.chats.set_access("c1", "u1", MEMBER, expires_in=timer)
    assert caught.value.field == "expires_in"
    assert wire.sent == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrong", ["2", "xxx1", "00011", 3, None])
async def test_codes_that_are_none_are_refused(wrong: Any, legacy: bool, clock: FakeClock) -> None:
    wire = Scripted(clock, OK, legacy_api=legacy)
    with pytest.raises(InvalidInputError, match="'0000' to '1111'"):
        await wire.client.chats.set_access("c1", "u1", wrong)
    assert wire.sent == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(("chat", "user"), [("", "u1"), ("c1", " "), ("c1", None), ("@host", "u1"), ("c1", "a\x00b")])
async def test_ids_that_cannot_be_used_are_refused(chat: Any, user: Any, legacy: bool, clock: FakeClock) -> None:
    wire = Scripted(clock, OK, legacy_api=legacy)
    with pytest.raises(InvalidInputError):
        await wire.client.chats.set_access(chat, user, MEMBER)
    assert wire.sent == []


async def test_it_takes_effect_and_says_what_changed(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person("u1")])
    await ethora.chats.create("c1", title="Chat")
    statuses = [
        (await ethora.chats.set_access("c1", "u1", access)).status for access in (MEMBER, "0011", Access.NONE, "0000")
    ]
    assert statuses == ["created", "existed", "deleted", "absent"]
    assert [user.id async for user in ethora.chats.members("c1")] == []


async def test_an_unknown_chat_or_user_is_not_found(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person("u1")])
    await ethora.chats.create("c1", title="Chat")
    with pytest.raises(NotFoundError) as caught:
        await ethora.chats.set_access("nowhere", "u1", MEMBER)
    assert (caught.value.code, caught.value.operation) == ("CHAT_NOT_FOUND", "chats.grant")
    with pytest.raises(NotFoundError, match="nobody"):
        await ethora.chats.set_access("c1", "nobody", MEMBER)


async def test_another_apps_chats_take_it_too(clock: FakeClock) -> None:
    for legacy in (False, True):  # the older API cannot name an app
        wire = Scripted(clock, OK, legacy_api=legacy)
        await wire.client.in_app("child").chats.set_access("c1", "u1", MEMBER)
        body = {"chatName": "child_c1", "members": ["child_u1"]}
        assert wire.only == SentRequest("POST", "/v2/apps/child/chats/users-access", body=body)
