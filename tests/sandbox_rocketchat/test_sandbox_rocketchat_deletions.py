"""What is deleted takes its thread, its file and its discussions with it, and the counts follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from rocket_helpers import Ddp

if TYPE_CHECKING:
    from rocket_helpers import Rest, Who

LONG_AGO, LATER = "2000-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b"inside\r\n--b--\r\n"
)


@pytest_asyncio.fixture
async def ada(rest: Rest) -> Who:
    return await rest.make_member("ada")


@pytest_asyncio.fixture(params=["channels", "groups"])
async def room(rest: Rest, ada: Who, request: pytest.FixtureRequest) -> str:
    made = (await rest.post(f"{request.param}.create", {"name": "town", "members": ["ada"]})).body
    found: str = made[request.param.removesuffix("s")]["_id"]
    return found


async def said(rest: Rest, room: str, text: str, *, who: Who | str = "admin", **more: Any) -> str:
    reply = await rest.post("chat.sendMessage", {"message": {"rid": room, "msg": text, **more}}, who=who)
    assert reply.status == 200, reply
    found: str = reply.body["message"]["_id"]
    return found


async def remove(rest: Rest, room: str, message: str) -> None:
    assert (await rest.post("chat.delete", {"roomId": room, "msgId": message})).status == 200


async def thread_of(rest: Rest, room: str, who: Who) -> tuple[list[int], list[str]]:
    """The counts of the threads, and the threads that the member has not read."""
    threads = (await rest.get("chat.getThreadsList", rid=room)).body["threads"]
    member = (await rest.get("subscriptions.getOne", who=who, roomId=room)).body["subscription"]
    return [one["tcount"] for one in threads], member.get("tunread", [])


async def test_a_thread_loses_its_deleted_answers_and_ends_with_the_last(rest: Rest, ada: Who, room: str) -> None:
    first = await said(rest, room, "question", who=ada)
    answers = [await said(rest, room, text, tmid=first) for text in ("one", "two")]
    assert await thread_of(rest, room, ada) == ([2], [first])
    async with await Ddp.connect(rest, ada) as ddp:
        await ddp.sub("stream-room-messages", room)
        await remove(rest, room, answers[1])
        assert (await ddp.event(room))[0]["tcount"] == 1
        await remove(rest, room, answers[0])
        assert "tcount" not in (await ddp.event(room))[0]
    assert await thread_of(rest, room, ada) == ([], [])
    await said(rest, room, "three", tmid=first)
    assert await thread_of(rest, room, ada) == ([1], [first])


async def test_answers_without_a_first_message_are_messages(rest: Rest, ada: Who, room: str) -> None:
    first = await said(rest, room, "question")
    answer = await said(rest, room, "answer", who=ada, tmid=first)
    await remove(rest, room, first)
    assert "tmid" not in (await rest.get("chat.getMessage", msgId=answer)).body["message"]
    assert await thread_of(rest, room, ada) == ([], [])
    assert (await rest.get("chat.getThreadMessages", tmid=first)).body["errorType"] == "error-invalid-message"


@pytest.mark.parametrize("way", ["delete", "clean"])
async def test_a_file_goes_with_its_message(rest: Rest, room: str, way: str) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    message = (await rest("POST", f"rooms.upload/{room}", data=FORM, headers=kind)).body["message"]
    address = message["attachments"][0]["title_link"]
    assert (await rest.get(address)).body == "inside"
    if way == "delete":
        await remove(rest, room, message["_id"])
    else:
        body = {"roomId": room, "oldest": LONG_AGO, "latest": LATER}
        assert (await rest.post("rooms.cleanHistory", body)).body["count"] >= 1
    family = "channels" if (await rest.get("rooms.info", roomId=room)).body["room"]["t"] == "c" else "groups"
    assert (await rest.get(f"{family}.files", roomId=room)).body["files"] == []
    assert (await rest.get(address)).status == 404


async def test_a_discussion_quotes_counts_and_goes_with_its_message_or_room(rest: Rest, ada: Who, room: str) -> None:
    about = await said(rest, room, "the bridge", who=ada)
    body = {"prid": room, "t_name": "Bridge", "pmid": about, "reply": "Well?", "users": ["ada"]}
    talk = (await rest.post("rooms.createDiscussion", body)).body["discussion"]["_id"]
    second = (await rest.post("rooms.createDiscussion", {"prid": room, "t_name": "Other"})).body["discussion"]["_id"]
    await said(rest, talk, "yes", who=ada)
    family = "channels" if (await rest.get("rooms.info", roomId=talk)).body["room"]["t"] == "c" else "groups"
    told = (await rest.get(f"{family}.history", who=ada, roomId=talk)).body["messages"]
    assert [one["msg"] for one in told] == ["yes", "Well?", ""]
    assert told[-1]["attachments"][0]["text"] == "the bridge"
    shown = (await rest.get("chat.getDiscussions", roomId=room)).body["messages"]
    assert [(one["msg"], one.get("dcount")) for one in shown] == [("Other", None), ("Bridge", 3)]
    await remove(rest, talk, told[0]["_id"])
    assert (await rest.get("chat.getMessage", msgId=shown[1]["_id"])).body["message"]["dcount"] == 2
    await remove(rest, room, shown[1]["_id"])
    assert (await rest.get("rooms.info", roomId=talk)).body["errorType"] == "error-room-not-found"
    third = (await rest.post("rooms.createDiscussion", {"prid": room, "t_name": "Third"})).body["discussion"]["_id"]
    assert (await rest.post("rooms.delete", {"roomId": third})).status == 200
    left = (await rest.get("chat.getDiscussions", roomId=room)).body["messages"]
    assert [one["msg"] for one in left] == ["Other"]
    assert (await rest.post("rooms.delete", {"roomId": room})).status == 200
    assert (await rest.get("rooms.info", roomId=second)).body["errorType"] == "error-room-not-found"


@pytest.mark.parametrize(("setting", "code"), [("archive", "error-room-archived"), ("join code", "error-code-invalid")])
async def test_who_may_not_enter_a_channel_does_not_by_posting(rest: Rest, ada: Who, setting: str, code: str) -> None:
    room = (await rest.post("channels.create", {"name": "town"})).body["channel"]["_id"]
    if setting == "archive":
        await rest.post("channels.archive", {"roomId": room})
    else:
        await rest.post("channels.setJoinCode", {"roomId": room, "joinCode": "sesame"})
    refused = await rest.post("chat.postMessage", {"channel": "#town", "text": "hi"}, who=ada)
    assert refused.body["errorType"] == code
    assert [one["username"] for one in (await rest.get("channels.members", roomId=room)).body["members"]] == ["admin"]


async def test_a_changed_text_is_checked_like_a_new_one(rest: Rest, room: str) -> None:
    message = await said(rest, room, "short")
    longest = rest.sandbox.settings["Message_MaxAllowedSize"]
    change = {"roomId": room, "msgId": message, "text": "x" * (longest + 1)}
    assert (await rest.post("chat.update", change)).body["errorType"] == "error-message-size-exceeded"
    assert (await rest.post("chat.update", {**change, "text": "x" * longest})).status == 200
    await rest.post("rooms.changeArchivationState", {"rid": room, "action": "archive"})
    assert (await rest.post("chat.update", {**change, "text": "y"})).body["errorType"] == "error-room-archived"


async def test_everybody_is_mentioned_at_once(rest: Rest, ada: Who, room: str) -> None:
    async def standing() -> tuple[int, int, int]:
        one = (await rest.get("subscriptions.getOne", who=ada, roomId=room)).body["subscription"]
        return one["unread"], one["userMentions"], one["groupMentions"]

    await said(rest, room, "@all and @here")
    await said(rest, room, "@ada")
    assert await standing() == (2, 1, 1)
    assert (await rest.get("chat.getMentionedMessages", who=ada, roomId=room)).body["total"] == 1
    await rest.post("subscriptions.read", {"rid": room}, who=ada)
    assert await standing() == (0, 0, 0)
