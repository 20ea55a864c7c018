"""Replies in every known form (docs/platforms/ethora.md#users, #chats, #doubled-prefixes)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, Scripted, ok, person, reply

from ethora_async import (
    ApiError,
    ConflictError,
    JobFailedError,
    JobTimeoutError,
    MongoId,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    ServerFaultError,
    ValidationFailedError,
)
from ethora_async.redaction import MASK, Secret

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

USER = {
    "_id": RECORD,
    "uuid": "u1",
    "xmppUsername": f"{APP}_u1",
    "firstName": "Ann",
    "lastName": "Lee",
    "email": "u1@example.com",
    "tags": ["a", "b"],
    "profileImage": None,
    "createdAt": "2026-10-01T12:00:00.000Z",
    "updatedAt": 1_790_856_000_000,
    "xmppPassword": "xmpp-secret",
    "roles": ["user"],
}
CHAT = {
    "_id": RECORD,
    "name": f"{APP}_c1",
    "title": "Chat",
    "description": "",
    "type": "group",
    "picture": None,
    "usersCnt": 2,
    "createdBy": "x",
    "members": [{"_id": RECORD, "xmppUsername": f"{APP}_{APP}_u1", "firstName": "Ann", "lastName": "Lee"}],
}


async def test_a_user_record_is_read_whole_and_its_password_wrapped(clock: FakeClock) -> None:
    user = await Scripted(clock, ok({"success": True, "result": USER})).client.users.get("u1")
    assert (user.id, user.record_id, user.email, user.tags) == ("u1", RECORD, "u1@example.com", ("a", "b"))
    assert isinstance(user.record_id, MongoId)
    assert user.created_at == user.updated_at == datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert user.extra == {"xmppPassword": Secret("xmpp-secret"), "roles": ["user"]}
    assert "xmpp-secret" not in repr(user)


async def test_a_chat_record_is_read_whole(clock: FakeClock) -> None:
    (chat,) = (await Scripted(clock, ok({"results": [CHAT]})).client.chats.list()).items
    assert (chat.id, chat.name, chat.access, chat.member_count) == ("c1", f"{APP}_c1", "private", 2)
    assert [(member.id, member.xmpp_username) for member in chat.members or ()] == [("u1", f"{APP}_u1")]
    assert chat.extra == {"createdBy": "x"}


@pytest.mark.parametrize("key", ["items", "results", "users"])
async def test_users_are_found_under_any_of_their_names(key: str, clock: FakeClock) -> None:
    page = await Scripted(clock, ok({key: [USER], "total": 1})).client.users.list()
    assert ([user.id for user in page.items], page.total) == (["u1"], 1)


@pytest.mark.parametrize("key", ["items", "results", "chats"])
async def test_chats_are_found_under_any_of_their_names(key: str, clock: FakeClock) -> None:
    reply = ok({key: [CHAT], "pagination": {"total": 1, "limit": 500, "offset": 0}})
    for page in (
        await Scripted(clock, reply).client.chats.list(),
        await Scripted(clock, reply).client.users.chats("u1"),
    ):
        assert ([chat.id for chat in page.items], page.total) == (["c1"], 1)


async def test_a_bare_list_is_a_listing_too(clock: FakeClock) -> None:
    page = await Scripted(clock, ok([USER])).client.users.list()
    assert ([user.id for user in page.items], page.total) == (["u1"], None)


@pytest.mark.parametrize(
    ("fields", "id"),
    [
        ({"xmppUsername": f"{APP}_u1"}, "u1"),
        ({"xmppUsername": f"{APP}_{APP}_u1"}, "u1"),
        ({"xmppUsername": f"{APP}_u1@xmpp.example.com"}, "u1"),
        ({"uuid": f"{APP}_u1", "xmppUsername": f"{APP}_u1"}, "u1"),
        ({"uuid": "u1"}, "u1"),
        ({"_id": RECORD, "xmppUsername": f"{APP}_{RECORD}"}, RECORD),
        ({"_id": RECORD}, RECORD),
        ({"xmppUsername": f"{APP}9_u1"}, f"{APP}9_u1"),  # another app's, which only begins alike
    ],
)
async def test_a_users_plain_id_comes_out_of_every_form(fields: dict[str, Any], id: str, clock: FakeClock) -> None:
    for data in ({"result": fields}, fields):
        assert (await Scripted(clock, ok(data)).client.users.get(MongoId(RECORD))).id == id


@pytest.mark.parametrize("data", [{"result": {}}, {"result": {"xmppUsername": 5}}, {}, None, {"result": None}, "user"])
async def test_a_user_without_a_name_is_a_lost_reply_that_names_the_path(data: Any, clock: FakeClock) -> None:
    with pytest.raises(ReplyLostError, match="unexpected shape") as caught:
        await Scripted(clock, ok(data)).client.users.get("u1")
    assert caught.value.effect == "unknown"


@pytest.mark.parametrize("data", [{}, {"items": {}}, None, "users", {"items": [USER, {**USER, "email": ["x"]}]}])
async def test_an_unreadable_listing_is_a_lost_reply(data: Any, clock: FakeClock) -> None:
    with pytest.raises(ReplyLostError, match="unexpected shape"):
        await Scripted(clock, ok(data)).client.users.list()


async def test_the_path_of_a_bad_field_is_named_and_its_value_is_not(clock: FakeClock) -> None:
    with pytest.raises(ReplyLostError, match=r"reply\.items\[1\]\.email") as caught:
        await Scripted(clock, ok({"items": [USER, {**USER, "email": ["leak"]}]})).client.users.list()
    assert "leak" not in str(caught.value)


async def test_a_search_in_place_of_a_lookup_gives_the_right_user_or_none(clock: FakeClock) -> None:
    other = {"_id": "f" * 24, "xmppUsername": f"{APP}_u2"}
    for key in ("items", "results", "users"):
        wire = Scripted(clock, ok({key: [other, USER], "total": 2}))
        assert (await wire.client.users.get("u1")).id == "u1"
        assert (await wire.client.users.get(MongoId("f" * 24))).id == "u2"
        with pytest.raises(NotFoundError):
            await wire.client.users.get("u3")
    with pytest.raises(NotFoundError):
        await Scripted(clock, ok({"items": [], "total": 0})).client.users.get("u1")


@pytest.mark.parametrize(
    "answer",
    [
        reply(404, {"error": "User not found", "code": "USER_NOT_FOUND"}),
        reply(422, "user not found"),
        reply(422, b"Users not found"),
        reply(422, {"error": "user not found"}),
    ],
)
async def test_not_found_is_told_in_every_wording(answer: Any, clock: FakeClock) -> None:
    with pytest.raises(NotFoundError):
        await Scripted(clock, answer).client.users.get("u1")
    assert (await Scripted(clock, answer).client.users.delete("u1")).status == "absent"
    assert (await Scripted(clock, answer).client.chats.delete("c1")).status == "absent"


async def test_a_missing_route_is_not_taken_for_a_missing_record(clock: FakeClock) -> None:
    missing = reply(404, b"<!DOCTYPE html><pre>Cannot DELETE /v1/users/batch</pre>")
    with pytest.raises(ApiError) as caught:
        await Scripted(clock, missing).client.users.delete("u1")
    assert not isinstance(caught.value, NotFoundError)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "announced",
    [
        {"jobId": "j1", "statusUrl": "/v2/users/batch/other"},
        {"jobId": 17},
        {"statusUrl": "/v2/users/batch/j1"},
        {"statusUrl": "https://api.example.com/v2/users/batch/j1/?x=1"},
        {"ok": True, "jobId": "", "statusUrl": "/v2/users/batch/j1"},
        {"jobId": "a b/ü"},
    ],
)
async def test_a_job_is_asked_for_by_its_id_or_its_url(announced: Any, clock: FakeClock) -> None:
    done = ok({"state": "completed", "result": {"results": [{"status": "created", "user": USER}]}})
    wire = Scripted(clock, reply(202, announced), done)
    outcome = await wire.client.users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    assert (outcome.status, outcome.value.id) == ("created", "u1")
    asked = {17: "17", "a b/ü": "a%20b%2F%C3%BC"}.get(announced.get("jobId"), "j1")
    assert [(sent.method, sent.path) for sent in wire.sent[1:]] == [("GET", f"/v2/users/batch/{asked}")]


async def test_a_job_may_pass_through_any_state_on_its_way(clock: FakeClock) -> None:
    states = ["pending", "waiting", "delayed", "active", "running", "whatever"]
    done = ok({"state": "completed", "result": {"results": [{"status": "created", "xmppUsername": f"{APP}_u1"}]}})
    wire = Scripted(clock, reply(202, {"jobId": "j1"}), *[ok({"state": state}) for state in states], done)
    report = await wire.client.users.create_many([person("u1")])
    assert report.counts == {"created": 1}
    assert len(wire.sent) == 2 + len(states)


async def test_the_older_synchronous_reply_counts_as_created(clock: FakeClock) -> None:
    wire = Scripted(clock, ok({"ok": True, "success": True, "results": [USER]}))
    outcome = await wire.client.users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    assert (outcome.status, outcome.value.email, len(wire.sent)) == ("created", "u1@example.com", 1)


@pytest.mark.parametrize(
    ("answers", "error", "text"),
    [
        ([ok({"state": "failed", "error": "queue is gone"})], JobFailedError, "queue is gone"),
        ([ok({"state": "failed"})], JobFailedError, "did not say why"),
        ([ok({"state": None})], JobFailedError, "no state"),
        ([ok([])], JobFailedError, "no state"),
        ([reply(404, {"error": "Job not found"})], JobFailedError, "could not be asked for"),
        ([reply(403, {"error": "Forbidden"})], JobFailedError, "could not be asked for"),
        ([reply(500)], JobFailedError, "could not be asked for"),
        ([ok(b"{half")], ReplyLostError, "not JSON"),
        ([ok({"state": "running"})], JobTimeoutError, "still running after 120 s"),
    ],
)
async def test_whatever_becomes_of_a_job_its_users_are_unknown_until_it_says(
    answers: list[Any], error: type[Exception], text: str, clock: FakeClock
) -> None:
    wire = Scripted(clock, reply(202, {"jobId": "j1"}), *answers)
    report = await wire.client.users.create_many([person("u1"), person("u2")])
    assert report.counts == {"unknown": 2}
    for outcome in report.failures:
        assert isinstance(outcome.error, error)
        assert text in str(outcome.error)
        assert outcome.error.effect == "unknown"
        assert outcome.error.operation is not None


async def test_a_job_that_cannot_be_asked_for_is_unknown_even_if_the_question_was_not_sent(clock: FakeClock) -> None:
    wire = Scripted(clock, reply(202, {"jobId": "j1"}))
    original = wire.transport.send

    async def send(request: Any) -> Any:
        if request.method == "GET":
            raise NotSentError("no route to host")
        return await original(request)

    wire.transport.send = send  # type: ignore[method-assign]
    report = await wire.client.users.create_many([person("u1")])
    assert report.counts == {"unknown": 1}


@pytest.mark.parametrize("data", [None, {}, [], {"results": 5}, {"results": [None, 5]}, {"result": {"results": "x"}}])
async def test_users_whom_no_row_mentions_are_unknown(data: Any, clock: FakeClock) -> None:
    report = await Scripted(clock, ok(data)).client.users.create_many([person("u1"), person("u2")])
    assert report.counts == {"unknown": 2}
    assert "does not mention 'u1'" in str(report.failures[0].error)


async def test_rows_without_a_name_go_by_their_place(clock: FakeClock) -> None:
    rows = [{"status": "created"}, {"status": "error", "error": "no room"}, {"status": "exists"}, {}]
    run = Scripted(clock, ok({"results": rows})).client.users.create_many(
        [person(f"u{n}") for n in range(4)], ordered=True
    )
    assert [outcome.status async for outcome in run] == ["created", "failed", "existed", "unknown"]


@pytest.mark.parametrize(
    ("row", "kind", "text"),
    [
        ({"status": "exists", "xmppUsername": f"{APP}_other"}, ConflictError, "belongs to another user"),
        ({"status": "failed", "message": "bad name"}, ValidationFailedError, "failed for 'u1': bad name"),
        ({"status": "not-found"}, NotFoundError, "not_found"),
        ({"status": "error", "code": "E_X", "reason": "r"}, ValidationFailedError, "code E_X"),
    ],
)
async def test_a_refused_row_says_why(row: dict[str, Any], kind: type[Exception], text: str, clock: FakeClock) -> None:
    wire = Scripted(clock, ok({"results": [{"xmppUsername": f"{APP}_u1", **row}]}))
    with pytest.raises(kind, match=text) as caught:
        await wire.client.users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    assert getattr(caught.value, "effect", None) == "none"


@pytest.mark.parametrize(
    ("word", "status"),
    [("updated", "updated"), ("skipped", "unchanged"), ("not-found", "failed"), ("invalid", "failed")],
)
async def test_the_words_of_changed_rows(word: str, status: str, clock: FakeClock) -> None:
    row = {"xmppUsername": f"{APP}_{APP}_u1", "status": word, "user": {**USER, "firstName": "Bea"}}
    wire = Scripted(clock, ok({"ok": True, "results": [row]}))
    from ethora_async.platforms.ethora.users.api import UserChange

    (outcome,) = [outcome async for outcome in wire.client.users.update_many([UserChange(id="u1", first_name="Bea")])]
    assert outcome.status == status


async def test_a_change_that_no_row_mentions_is_unknown(clock: FakeClock) -> None:
    with pytest.raises(ReplyLostError, match="does not mention 'u1'"):
        await Scripted(clock, ok({"results": []})).client.users.update("u1", first_name="Bea")


@pytest.mark.parametrize(
    ("word", "granted", "revoked"),
    [
        ("added", "created", "deleted"),
        ("ok", "created", "deleted"),
        ("already-member", "existed", "absent"),
        ("Already In", "existed", "absent"),
        ("not_a_member", "existed", "absent"),
        ("not-member", "existed", "absent"),
        ("not-found", "failed", "failed"),
        ("USER NOT FOUND", "failed", "failed"),
        ("does_not_exist", "failed", "failed"),
        ("forbidden", "failed", "failed"),
    ],
)
async def test_the_words_of_access_rows(word: str, granted: str, revoked: str, clock: FakeClock) -> None:
    wire = Scripted(clock, ok({"ok": True, "details": [{"xmppUsername": f"{APP}_{APP}_u1", "status": word}]}))
    assert (await wire.client.chats.grant("c1", "u1")).counts == {granted: 1}
    assert (await wire.client.chats.revoke("c1", "u1")).counts == {revoked: 1}


@pytest.mark.parametrize("data", [None, {"ok": True}, {"ok": True, "results": [USER]}, {"details": []}])
async def test_access_replies_without_words_mean_done(data: Any, clock: FakeClock) -> None:
    assert (await Scripted(clock, ok(data)).client.chats.grant("c1", "u1")).counts == {"created": 1}


async def test_an_access_row_is_found_by_record_id(clock: FakeClock) -> None:
    row = {"_id": RECORD, "xmppUsername": f"{APP}_u1", "status": "already"}
    wire = Scripted(clock, ok({"details": [row]}))
    assert (await wire.client.chats.grant("c1", MongoId(RECORD))).counts == {"existed": 1}


@pytest.mark.parametrize("data", [None, {}, {"ok": True}, {"result": {"title": "no name"}}])
async def test_a_chat_that_was_created_stays_so_however_badly_it_is_shown(data: Any, clock: FakeClock) -> None:
    outcome = await Scripted(clock, reply(201, data)).client.chats.create("c1", title="Chat")
    assert (outcome.status, outcome.value) == ("created", None)


@pytest.mark.parametrize(
    "answer",
    [
        reply(409, {"error": "exists"}),
        reply(422, {"error": "Chat already exists"}),
        reply(422, {"code": "CHAT_ALREADY_EXISTS"}),
    ],
)
async def test_a_chat_that_is_there_existed(answer: Any, clock: FakeClock) -> None:
    assert (await Scripted(clock, answer).client.chats.create("c1", title="Chat")).status == "existed"


async def test_a_fault_after_sending_leaves_a_chat_unknown(clock: FakeClock) -> None:
    from ethora_async import NewChat

    report = await Scripted(clock, reply(500)).client.chats.create_many([NewChat(id="c1", title="Chat")])
    assert report.counts == {"unknown": 1}
    assert isinstance(report.failures[0].error, ServerFaultError)


async def test_a_ping_tells_the_servers_clock_where_it_shows_one(clock: FakeClock) -> None:
    dated = reply(200, b"pong", Date="Thu, 01 Oct 2026 12:00:00 GMT")
    assert (await Scripted(clock, dated).client.ping()).server_time == datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()
    for date in ("", "soon", "Thu, 01 Oct 99999 12:00:00 GMT"):
        assert (await Scripted(clock, reply(200, b"pong", Date=date)).client.ping()).server_time is None
    assert MASK not in repr(await Scripted(clock, dated).client.ping())
