"""Messages: marks, threads, lists and files, read back from the other side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async.attachments import Attachment
from ethora_async.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError, ValidationFailedError

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.platforms.rocketchat.message_records import Message
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock


@pytest.fixture
async def message(rocketchat: RocketChatClient) -> Message:
    """A message to ada in `town`, where bob is too."""
    await rocketchat.chats.create("town", title="Town", access="public", members=["ada", "bob"])
    return await rocketchat.messages.send("town", "hello @ada")


async def test_reactions_are_set_and_taken_back_however_often_they_are_sent(
    rocketchat: RocketChatClient, message: Message
) -> None:
    ada = rocketchat.as_user("ada")
    for _ in range(2):
        await ada.messages.react(message.id, ":tada:")
        reactions = (await rocketchat.messages.get(message.id)).extra["reactions"]
        assert reactions == {":tada:": {"usernames": ["ada"]}}
    for _ in range(2):
        await ada.messages.unreact(message.id, "tada")
        assert "reactions" not in (await rocketchat.messages.get(message.id)).extra
    with pytest.raises(ForbiddenError):
        await ada.messages.react(message.id, "no such emoji")
    with pytest.raises(InvalidInputError):
        await ada.messages.react(message.id, " ")


@pytest.mark.parametrize("version", ["6.0", "8.8.1", "9.0"], indirect=True)
async def test_an_unknown_message_is_not_found(rocketchat: RocketChatClient) -> None:
    marks = rocketchat.messages
    for call in (
        marks.react("nothing-here-000001", "tada"),
        marks.pin("nothing-here-000001"),
        marks.star("nothing-here-000001"),
        marks.follow("nothing-here-000001"),
        marks.report("nothing-here-000001", "rude"),
    ):
        with pytest.raises(NotFoundError) as missing:
            await call
        assert missing.value.code == "error-message-not-found"
    with pytest.raises(NotFoundError):
        await marks.thread("nothing-here-000001")


async def test_pins_stars_and_mentions_are_listed(rocketchat: RocketChatClient, message: Message) -> None:
    ada = rocketchat.as_user("ada")
    await rocketchat.messages.pin(message.id)
    await ada.messages.star(message.id)
    assert [one.id async for one in ada.messages.pinned("town")] == [message.id]
    assert [one.id async for one in ada.messages.starred("town")] == [message.id]
    assert [one.id async for one in ada.messages.mentioning_me("town")] == [message.id]
    assert [one async for one in rocketchat.messages.starred("town")] == []
    assert (await ada.messages.get(message.id)).extra["pinned"] is True
    await rocketchat.messages.unpin(message.id)
    await ada.messages.unstar(message.id)
    assert [one async for one in ada.messages.pinned("town")] == []
    assert [one async for one in ada.messages.starred("town")] == []
    with pytest.raises(ForbiddenError):
        await ada.messages.pin(message.id)


async def test_a_thread_counts_its_answers_and_knows_its_followers(
    rocketchat: RocketChatClient, message: Message, clock: FakeClock
) -> None:
    ada, bob = rocketchat.as_user("ada"), rocketchat.as_user("bob")
    clock.advance(1)
    answer = await ada.messages.send("town", "an answer", thread=message.id)
    await bob.messages.follow(message.id)
    clock.advance(1)
    second = await ada.messages.send("town", "another", thread=message.id)
    assert [one.id async for one in bob.messages.thread(message.id)] == [answer.id, second.id]
    assert (await bob.messages.get(message.id)).extra["tcount"] == 2
    since = datetime.fromtimestamp(clock.now(), UTC) - timedelta(seconds=0.5)
    assert [one.id for one in (await bob.messages.thread_changes(message.id, since)).updated] == [second.id]
    assert [one.id async for one in bob.messages.threads("town", "unread")] == [message.id]
    assert [one.id async for one in bob.messages.threads("town", "following", text="hello")] == [message.id]
    await bob.messages.unfollow(message.id)
    assert [one async for one in bob.messages.threads("town", "following")] == []
    assert [one.id async for one in bob.messages.threads("town")] == [message.id]


async def test_messages_are_found_edited_and_deleted(rocketchat: RocketChatClient, message: Message) -> None:
    edited = await rocketchat.messages.edit("town", message.id, "goodbye")
    assert (edited.text, (await rocketchat.messages.get(message.id)).text) == ("goodbye", "goodbye")
    assert [one.id async for one in rocketchat.messages.search("town", "GOOD")] == [message.id]
    assert [one async for one in rocketchat.messages.search("town", "hello")] == []
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("ada").messages.edit("town", message.id, "mine")
    assert (await rocketchat.messages.delete("town", message.id)).status == "deleted"
    assert (await rocketchat.messages.delete("town", message.id)).status == "absent"
    with pytest.raises(NotFoundError):
        await rocketchat.messages.get(message.id)


async def test_a_text_that_is_too_long_is_refused(rocketchat: RocketChatClient, message: Message) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        await rocketchat.messages.send("town", "x" * 5001)
    assert refused.value.code == "error-message-size-exceeded"


async def test_reports_ignores_and_previews(
    rocketchat: RocketChatClient, message: Message, sandbox: RocketChatSandbox
) -> None:
    ada = rocketchat.as_user("ada")
    await ada.messages.report(message.id, "rude")
    room = sandbox.store.rooms.with_name("town")
    assert room is not None
    assert [report.text for report in room.messages[message.id].reports] == ["rude"]
    await ada.messages.ignore_user("town", "bob")
    standing = await ada.chats.subscription("town")
    bob = sandbox.store.users.with_username("bob")
    assert standing is not None
    assert bob is not None
    assert standing["ignored"] == [bob.id]
    await ada.messages.ignore_user("town", "bob", ignore=False)
    assert "ignored" not in ((await ada.chats.subscription("town")) or {})
    preview = await ada.messages.url_preview("town", "https://example.com/")
    assert preview["url"] == "https://example.com/"
    assert (preview["meta"], preview["ignoreParse"], "headers" in preview) == ({}, True, False)
    with pytest.raises(InvalidInputError):
        await ada.messages.url_preview("town", "file:///etc/passwd")


@pytest.mark.parametrize("one_step", [False, True])
async def test_a_file_arrives_whole_in_one_step_and_in_two(
    rocketchat: RocketChatClient, message: Message, sandbox: RocketChatSandbox, one_step: bool
) -> None:
    ada = rocketchat.as_user("ada")
    picture = Attachment(source=b"\x89PNG and so on", name="map.png")
    sent = await ada.messages.send_file(
        "town", picture, text="look", description="the map", thread=message.id, one_step=one_step
    )
    assert (sent.text, sent.thread_id, sent.extra["file"]["name"]) == ("look", message.id, "map.png")
    (file,) = [file async for file in rocketchat.chats.files("town")]
    assert (file.name, file.content_type, file.size) == ("map.png", "image/png", 14)
    room = sandbox.store.rooms.with_name("town")
    assert room is not None
    assert room.files[file.id].content == b"\x89PNG and so on"


async def test_files_are_refused_where_messages_are(rocketchat: RocketChatClient, message: Message) -> None:
    await rocketchat.chats.archive("town")
    with pytest.raises(ConflictError):
        await rocketchat.messages.send_file("town", Attachment(source=b"x", name="x.txt"))
    assert [file async for file in rocketchat.chats.files("town")] == []


async def test_a_file_that_is_too_large_is_refused(
    rocketchat: RocketChatClient, message: Message, sandbox: RocketChatSandbox
) -> None:
    sandbox.settings["FileUpload_MaxFileSize"] = 3
    with pytest.raises(ValidationFailedError) as refused:
        await rocketchat.messages.send_file("town", Attachment(source=b"four", name="x.txt"))
    assert refused.value.code == "error-file-too-large"


def names(found: list[Any]) -> list[str]:
    return [one.id for one in found]


async def test_users_rooms_and_counts_are_found(rocketchat: RocketChatClient, message: Message) -> None:
    assert names([room async for room in rocketchat.server.channels("tow")]) == ["town"]
    assert names([user async for user in rocketchat.server.users("ad")]) == ["ada", "admin"]
    assert [room async for room in rocketchat.server.teams()] == []
    found = await rocketchat.server.search("@ad")
    assert (names([*found.users]), found.rooms) == (["admin", "ada"], ())
    found = await rocketchat.server.search("#town")
    assert (found.users, names([*found.rooms])) == ((), ["town"])
    counts = await rocketchat.server.statistics(refresh=True)
    assert (counts["totalUsers"], counts["totalChannels"]) == (3, 2)
    assert [row["totalUsers"] async for row in rocketchat.server.past_statistics()] == [3]
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("ada").server.statistics()
