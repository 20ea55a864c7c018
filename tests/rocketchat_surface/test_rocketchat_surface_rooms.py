"""Rooms: a change on one side is visible on both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.attachments import Attachment
from ethora_async.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ValidationFailedError,
)
from ethora_async.platforms.rocketchat.names import RecordId

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock

every_version = pytest.mark.parametrize("version", ["6.0", "7.5", "8.0", "8.8.1", "9.0"], indirect=True)
both_kinds = pytest.mark.parametrize("access", ["public", "private"])


async def make(rocketchat: RocketChatClient, access: Any = "public", name: str = "town") -> None:
    await rocketchat.chats.create(name, title="Town", access=access, members=["ada", "bob"])


@every_version
@both_kinds
async def test_an_archived_room_refuses_messages_until_it_is_opened_again(
    rocketchat: RocketChatClient, access: Any
) -> None:
    await make(rocketchat, access)
    assert (await rocketchat.chats.archive("town")).status == "updated"
    assert (await rocketchat.chats.archive("town")).status == "unchanged"
    with pytest.raises(ConflictError) as refused:
        await rocketchat.messages.send("town", "hello")
    assert refused.value.code == "error-room-archived"
    assert (await rocketchat.chats.get("town")).extra["archived"] is True
    assert (await rocketchat.chats.unarchive("town")).status == "updated"
    assert (await rocketchat.chats.unarchive("town")).status == "unchanged"
    await rocketchat.messages.send("town", "hello")


@every_version
@both_kinds
async def test_a_room_takes_another_name(rocketchat: RocketChatClient, sandbox: RocketChatSandbox, access: Any) -> None:
    await make(rocketchat, access)
    await make(rocketchat, access, "taken")
    assert (await rocketchat.chats.rename("town", "city")).status == "updated"
    assert (await rocketchat.chats.get("city")).id == "city"
    with pytest.raises(NotFoundError):
        await rocketchat.chats.get("town")
    assert (await rocketchat.chats.rename("city", "city")).status == "unchanged"
    with pytest.raises(ConflictError) as taken:
        await rocketchat.chats.rename("city", "taken")
    assert taken.value.code == "error-duplicate-channel-name"
    with pytest.raises(InvalidInputError):
        await rocketchat.chats.rename("city", "no blanks")
    sandbox.settings["UTF8_Channel_Names_Validation"] = "[a-z]+"
    with pytest.raises(ValidationFailedError) as invalid:
        await rocketchat.chats.rename("city", "city-1")
    assert invalid.value.code == "error-invalid-room-name"


@both_kinds
async def test_texts_flags_and_fields_of_a_room(rocketchat: RocketChatClient, access: Any) -> None:
    await make(rocketchat, access)
    await rocketchat.chats.set_topic("town", "News")
    await rocketchat.chats.set_description("town", "All of it")
    await rocketchat.chats.set_announcement("town", "Closed on Monday")
    await rocketchat.chats.set_custom_fields("town", {"order": 7})
    if access == "private":
        await rocketchat.chats.set_encrypted("town", True)
    else:
        with pytest.raises(ForbiddenError):
            await rocketchat.chats.set_encrypted("town", True)
    await rocketchat.chats.set_default("town", True)
    assert (await rocketchat.chats.set_read_only("town", True)).status == "updated"
    assert (await rocketchat.chats.set_read_only("town", True)).status == "unchanged"
    room = await rocketchat.chats.get("town")
    assert (room.title, room.description) == ("News", "All of it")
    extra = room.extra
    assert (extra["announcement"], extra["customFields"], extra["ro"]) == ("Closed on Monday", {"order": 7}, True)
    assert (extra["encrypted"], extra["default"]) == (access == "private", True)
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("ada").messages.send("town", "may I?")
    await rocketchat.chats.set_announcement("town", "")
    assert (await rocketchat.chats.get("town")).extra["announcement"] == ""


async def test_a_channel_becomes_a_group_and_a_channel_again(rocketchat: RocketChatClient) -> None:
    await make(rocketchat)
    assert (await rocketchat.chats.set_access("town", "private")).status == "updated"
    assert (await rocketchat.chats.get("town")).access == "private"
    assert [member.id async for member in rocketchat.chats.members("town")] == ["ada", "admin", "bob"]
    assert (await rocketchat.chats.set_access("town", "private")).status == "unchanged"
    assert (await rocketchat.chats.set_access("town", "public")).status == "updated"
    with pytest.raises(InvalidInputError):
        await rocketchat.chats.set_access("town", "secret")  # type: ignore[arg-type]


@every_version
@both_kinds
async def test_roles_are_given_listed_and_taken(rocketchat: RocketChatClient, access: Any) -> None:
    await make(rocketchat, access)
    assert (await rocketchat.chats.add_role("town", "ada", "owner")).status == "updated"
    assert (await rocketchat.chats.add_role("town", "ada", "owner")).status == "unchanged"
    await rocketchat.chats.add_role("town", "bob", "moderator")
    await rocketchat.chats.add_role("town", "bob", "leader")
    held = {holder.username: holder.roles for holder in await rocketchat.chats.roles("town")}
    assert held == {"admin": ("owner",), "ada": ("owner",), "bob": ("moderator", "leader")}
    await rocketchat.chats.remove_role("town", "admin", "owner")
    with pytest.raises(ConflictError) as last:
        await rocketchat.chats.remove_role("town", "ada", "owner")
    assert last.value.code == "error-remove-last-owner"
    assert (await rocketchat.chats.remove_role("town", "bob", "owner")).status == "unchanged"
    with pytest.raises(InvalidInputError):
        await rocketchat.chats.add_role("town", "bob", "king")  # type: ignore[arg-type]
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("bob").chats.add_role("town", "bob", "owner")


async def test_who_is_not_in_a_room_gets_no_role_there(
    rocketchat: RocketChatClient, sandbox: RocketChatSandbox
) -> None:
    await make(rocketchat)
    sandbox.add_user("eve")
    with pytest.raises(NotFoundError) as missing:
        await rocketchat.chats.add_role("town", "eve", "owner")
    assert missing.value.code == "error-user-not-in-room"
    with pytest.raises(NotFoundError):
        await rocketchat.chats.add_role("town", "nobody", "owner")


async def test_a_join_code_is_asked_for(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    await make(rocketchat)
    await rocketchat.chats.set_join_code("town", "sesame")
    sandbox.add_user("eve")
    eve = rocketchat.as_user("eve")
    with pytest.raises(ForbiddenError) as wrong:
        await eve.chats.join("town", code="open")
    assert wrong.value.code == "error-code-invalid"
    await eve.chats.join("town", code="sesame")
    assert "eve" in [member.id async for member in rocketchat.chats.members("town")]
    assert (await eve.chats.leave("town")).status == "updated"
    assert (await eve.chats.leave("town")).status == "absent"
    assert "eve" not in [member.id async for member in rocketchat.chats.members("town")]


async def test_standing_in_a_room(rocketchat: RocketChatClient, clock: FakeClock) -> None:
    await make(rocketchat)
    ada = rocketchat.as_user("ada")
    await ada.chats.set_favorite("town")
    await ada.chats.hide("town")
    standing = await ada.chats.subscription("town")
    assert standing is not None
    assert (standing["f"], standing["open"]) == (True, False)
    await ada.chats.open("town")
    await ada.chats.set_favorite("town", False)
    standing = await ada.chats.subscription("town")
    assert standing is not None
    assert ("f" in standing, standing["open"]) == (False, True)
    clock.advance(1)
    first = await rocketchat.messages.send("town", "one @ada")
    clock.advance(1)
    await rocketchat.messages.send("town", "two")
    counted = await ada.chats.counters("town")
    assert (counted.joined, counted.members, counted.unread, counted.mentions) == (True, 3, 1, 1)
    await ada.chats.mark_read("town")
    assert (await ada.chats.counters("town")).unread == 0
    await ada.chats.mark_unread("town", first=first.id)
    assert (await ada.chats.counters("town")).unread == 2
    assert (await rocketchat.chats.counters("town", user="bob")).joined


async def test_cleaning_takes_what_was_written_and_nothing_else(rocketchat: RocketChatClient, clock: FakeClock) -> None:
    await make(rocketchat)
    old = await rocketchat.messages.send("town", "old")
    kept = await rocketchat.messages.send("town", "pinned")
    await rocketchat.messages.pin(kept.id)
    clock.advance(60)
    line = datetime.fromtimestamp(clock.now(), UTC)
    clock.advance(60)
    new = await rocketchat.messages.send("town", "new")
    assert await rocketchat.chats.clean_history("town", before=line, keep_pinned=True, users=["admin"]) >= 1
    left = [message.id for message in await rocketchat.messages.history("town")]
    assert old.id not in left
    assert {kept.id, new.id} <= set(left)
    gone = [id async for id in rocketchat.messages.deleted("town", line - timedelta(hours=1))]
    assert old.id in gone
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("ada").chats.clean_history("town", before=line)
    with pytest.raises(InvalidInputError):
        await rocketchat.chats.clean_history("town", before=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_discussions_teams_and_lists_of_rooms(rocketchat: RocketChatClient) -> None:
    await make(rocketchat)
    await make(rocketchat, "private", "club")
    discussion = await rocketchat.chats.create_discussion("town", "The bridge", users=["ada"])
    assert discussion.record_id is not None
    assert [room.record_id for room in await rocketchat.chats.discussions("town")] == [discussion.record_id]
    told = [message async for message in rocketchat.messages.discussions("town")]
    assert [message.extra["drid"] for message in told] == [discussion.record_id]
    with pytest.raises(ValidationFailedError) as nested:
        await rocketchat.chats.create_discussion(RecordId(discussion.record_id), "deeper")
    assert nested.value.code == "error-nested-discussion"
    team = await rocketchat.chats.convert_to_team("club")
    assert team["name"] == "club"
    with pytest.raises(ConflictError):
        await rocketchat.chats.convert_to_team("club")
    names = [room.id async for room in rocketchat.chats.everywhere(kinds=["c", "p"])]
    assert {"town", "club", "general"} <= set(names)
    assert [room.id async for room in rocketchat.chats.everywhere(name="clu")] == ["club"]
    assert [row async for row in rocketchat.chats.integrations("town")] == []


async def test_what_a_kind_of_room_has_not_is_said_before_anything_is_sent(rocketchat: RocketChatClient) -> None:
    room = await rocketchat.chats.direct(["ada", "bob"])
    direct = RecordId(room.record_id or "")
    ada = rocketchat.as_user("ada")
    await ada.chats.set_topic(direct, "us")
    assert (await ada.chats.get(direct)).title == "us"
    assert (await ada.chats.counters(direct)).members == 2
    for wrong in (ada.chats.archive(direct), ada.chats.rename(direct, "x"), ada.chats.add_role(direct, "bob", "owner")):
        with pytest.raises(InvalidInputError) as refused:
            await wrong
        assert refused.value.field == "id"
    with pytest.raises(NotFoundError):
        await rocketchat.chats.archive("nowhere")


async def test_who_is_online_and_everybody_let_in(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    await make(rocketchat)
    sandbox.add_user("eve")
    await rocketchat.as_user("ada").people.set_status("busy")
    assert [user.id for user in await rocketchat.chats.online("town")] == ["ada"]
    await rocketchat.chats.invite_all("town")
    assert {"eve", "ada", "bob"} <= {member.id async for member in rocketchat.chats.members("town")}


@pytest.mark.parametrize("version", ["6.8.0", "8.8.1", "9.0"], indirect=True)
@pytest.mark.parametrize("access", ["public", "private"])
async def test_who_is_muted_neither_writes_nor_reacts(rocketchat: RocketChatClient, access: Any) -> None:
    ada = rocketchat.as_user("ada")
    await rocketchat.chats.create("town", title="Town", access=access, members=["ada"])
    message = await ada.messages.send("town", "mine")
    for _ in range(2):
        assert (await rocketchat.chats.mute_user("town", "ada")).status == "updated"
    for call in (
        lambda: ada.messages.send("town", "no"),
        lambda: ada.messages.edit("town", message.id, "no"),
        lambda: ada.messages.react(message.id, "tada"),
        lambda: ada.messages.send_file("town", Attachment(source=b"no", name="no.txt")),
        lambda: ada.chats.unmute_user("town", "ada"),
    ):
        with pytest.raises(ForbiddenError):
            await call()
    assert (await rocketchat.chats.get("town")).extra["muted"] == ["ada"]
    await rocketchat.chats.unmute_user("town", "ada")
    await ada.messages.send("town", "again")
    await rocketchat.chats.set_read_only("town", True)
    with pytest.raises(ForbiddenError):
        await ada.messages.send("town", "read-only")
    await rocketchat.chats.unmute_user("town", "ada")
    await ada.messages.send("town", "unmuted")
    said = {one.text for one in await rocketchat.messages.history("town") if one.type is None}
    assert said == {"unmuted", "again", "mine"}


async def test_only_members_of_channels_and_groups_are_muted(rocketchat: RocketChatClient) -> None:
    await rocketchat.chats.create("town", title="Town", access="public")
    with pytest.raises(NotFoundError) as absent:
        await rocketchat.chats.mute_user("town", "ada")
    assert absent.value.code == "error-user-not-in-room"
    with pytest.raises(NotFoundError):
        await rocketchat.chats.mute_user("town", "nobody")
    direct = await rocketchat.chats.direct(["ada", "bob"])
    with pytest.raises(InvalidInputError):
        await rocketchat.as_user("ada").chats.mute_user(RecordId(direct.record_id or ""), "bob")
