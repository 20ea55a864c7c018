"""Broadcasts: requests, the result for each chat, and jobs that are resumed by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_ethora import APP, CHILD, OTHER_RECORD, RECORD, Scripted, SentRequest, ok, reply

from ethora_async import (
    ConfigError,
    ForbiddenError,
    InvalidInputError,
    JobFailedError,
    JobTimeoutError,
    MongoId,
    NotFoundError,
    ReplyLostError,
    ServerFaultError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.users.batch_rows import match_sent

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

STARTED = reply(202, {"jobId": "b1", "statusUrl": "/v2/…/b1"})


def done(*rows: dict[str, Any], **more: Any) -> Any:
    return ok({"state": "completed", "result": {"total": len(rows), "results": list(rows), **more}})


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ({"all_chats": True}, {"allRooms": True}),
        ({"chats": "c1"}, {"chatNames": [f"{APP}_c1"]}),
        ({"chats": 7}, {"chatNames": [f"{APP}_7"]}),
        (
            {"chats": ["c1", f"{APP}_c2", f"{APP}_{APP}_c3", f"{APP}_c1@conference.x.y", RECORD]},
            {"chatNames": [f"{APP}_c1", f"{APP}_c2", f"{APP}_c3", f"{APP}_{RECORD}"]},
        ),
        ({"chats": [MongoId(RECORD)]}, {"chatIds": [RECORD]}),
        ({"chats": [MongoId(RECORD), "c1", f"{APP}_c2"]}, {"chatIds": [RECORD, "c1", "c2"]}),
    ],
)
async def test_chats_are_named_in_the_form_that_cannot_be_mistaken(
    clock: FakeClock, arguments: dict[str, Any], target: dict[str, Any]
) -> None:
    script = Scripted(clock, STARTED)
    job = await script.client.broadcasts.send(" hi ", **arguments)
    assert script.only == SentRequest("POST", f"/v2/apps/{APP}/chats/broadcast", {}, {"text": "hi", **target})
    assert (job.id, repr(job)) == ("b1", "BroadcastJob('b1')")


async def test_metadata_and_a_rehearsal_are_sent_when_asked_for(clock: FakeClock) -> None:
    script = Scripted(clock, STARTED, done({"status": "sent", "chatName": f"{APP}_c1"}))
    job = await script.client.broadcasts.send("hi", chats="c1", metadata={"k": [1]}, dry_run=True)
    body = {"text": "hi", "chatNames": [f"{APP}_c1"], "metadata": {"k": [1]}, "dryRun": True}
    assert script.only.body == body
    assert str(await job) == "1 unchanged"


async def test_the_results_come_as_a_report_and_as_outcomes(clock: FakeClock) -> None:
    rows = (
        {"status": "sent", "chatName": f"{APP}_c1"},
        {"status": "failed", "chatName": f"{APP}_gone", "error": "Chat not found", "code": "CHAT_NOT_FOUND"},
        {"status": "queued", "chatName": f"{APP}_c3"},
        {"status": "failed", "chatName": f"{APP}_c5", "error": "too long"},
    )
    script = Scripted(clock, STARTED, ok({"state": "waiting"}), ok({"state": "active"}), done(*rows))
    job = await script.client.broadcasts.send("hi", chats=["c1", "gone", "c3", "c4", "c5"])
    report = await job
    assert str(report) == "1 created, 2 failed, 2 unknown"
    assert script.sent[-1] == SentRequest("GET", f"/v2/apps/{APP}/chats/broadcast/b1")
    outcomes = {outcome.key: outcome async for outcome in job}
    assert {key: outcome.status for key, outcome in outcomes.items()} == {
        "c1": "created",
        "gone": "failed",
        "c3": "unknown",
        "c4": "unknown",
        "c5": "failed",
    }
    assert outcomes["c1"].value == rows[0]
    gone = outcomes["gone"].error
    assert isinstance(gone, NotFoundError)
    assert (gone.code, "Chat not found" in gone.message) == ("CHAT_NOT_FOUND", True)
    assert isinstance(outcomes["c5"].error, ValidationFailedError)
    assert isinstance(outcomes["c3"].error, ReplyLostError)
    assert "does not mention" in str(outcomes["c4"].error)
    with pytest.raises(ExceptionGroup, match="4 of 5"):
        report.raise_for_failures()


@pytest.mark.parametrize("key", ["chatName", "name", "chatJid", "roomJid", "jid", "room", "chatId", "chat"])
@pytest.mark.parametrize("form", ["{}", APP + "_{}", APP + "_" + APP + "_{}", APP + "_{}@conference.x.y"])
def test_a_row_names_its_chat_in_any_way(key: str, form: str) -> None:
    rows = [{"status": "sent", key: form.format("c2")}, {"status": "failed", "chat": {"name": form.format("c1")}}]
    outcomes = list(match_sent(["c1", "c2"], {"result": {"results": rows}}, Names(APP)))
    assert [(outcome.key, outcome.status) for outcome in outcomes] == [("c1", "failed"), ("c2", "created")]


def test_rows_that_name_nobody_known_stand_for_their_places_when_none_is_missing() -> None:
    rows = [{"status": "sent", "chatId": RECORD}, {"status": "failed", "chatId": OTHER_RECORD}]
    data = {"result": {"results": rows}}
    outcomes = list(match_sent(["c1", "c2"], data, Names(APP)))
    assert [(outcome.key, outcome.status) for outcome in outcomes] == [("c1", "created"), ("c2", "failed")]
    three = [(one.key, one.status) for one in match_sent(["c1", "c2", "c3"], data, Names(APP))]
    assert three == [
        ("c1", "unknown"),
        ("c2", "unknown"),
        ("c3", "unknown"),
        (RECORD, "created"),
        (OTHER_RECORD, "failed"),
    ]


def test_chats_that_are_counted_and_not_listed_are_unknown() -> None:
    data = {
        "result": {"total": 3, "results": [{"status": "sent", "chatName": f"{APP}_c1"}, "junk", {"status": "sent"}]}
    }
    outcomes = [(one.key, one.status) for one in match_sent([], data, Names(APP))]
    assert outcomes == [("c1", "created"), ("", "created"), ("", "unknown")]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("sent", "created"),
        (" SENT ", "created"),
        ("unsent", "failed"),
        ("not-sent", "failed"),
        ("skipped", "failed"),
        ("not_found", "failed"),
        ("error", "failed"),
        ("dry-run", "unchanged"),
        ("queued", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_only_sent_counts_as_sent(word: Any, status: str) -> None:
    (outcome,) = match_sent(["c1"], {"result": {"results": [{"status": word, "chatName": "c1"}]}}, Names(APP))
    assert outcome.status == status


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_ROW = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["sent", "failed", "odd"]) | _JSON,
        "chatName": st.sampled_from(["a", f"{APP}_b", "c@x"]) | _JSON,
        "chat": _JSON,
        "error": _JSON,
        "code": _JSON,
    },
)


@given(chats=st.lists(st.sampled_from("abcd"), unique=True), rows=st.lists(_ROW | _JSON, max_size=5), total=_JSON)
def test_whatever_comes_back_each_chat_has_exactly_one_outcome(chats: list[str], rows: list[Any], total: Any) -> None:
    bounded = total if not isinstance(total, int) else min(total, 50)
    outcomes = list(match_sent(chats, {"result": {"results": rows, "total": bounded}}, Names(APP)))
    assert [outcome.key for outcome in outcomes[: len(chats)]] == chats
    assert all((outcome.error is None) == (outcome.status in ("created", "unchanged")) for outcome in outcomes)


async def test_a_job_is_found_again_by_its_id(clock: FakeClock) -> None:
    script = Scripted(
        clock, ok({"state": "running", "progress": 3}), done({"status": "sent", "chatName": f"{CHILD}_c1"})
    )
    broadcasts = script.client.in_app(CHILD).broadcasts
    job = broadcasts.job(" b/1 ")
    status = await job.status()
    assert (status.state, status.ended, status.extra) == ("running", False, {"progress": 3})
    assert [(outcome.key, outcome.status) async for outcome in job] == [("c1", "created")]
    assert script.sent == [SentRequest("GET", f"/v2/apps/{CHILD}/chats/broadcast/b%2F1")] * 2


async def test_a_rehearsal_that_is_answered_at_once_needs_no_job(clock: FakeClock) -> None:
    row = {"status": "dry-run", "chatName": f"{APP}_c1"}
    for data in ({"result": {"results": [row]}}, {"results": [row]}):
        script = Scripted(clock, ok(data))
        job = await script.client.broadcasts.send("hi", chats="c1", dry_run=True)
        assert job.id == ""
        assert str(await job) == "1 unchanged"
        assert (await job.status()).ended
        assert len(script.sent) == 1


async def test_a_job_says_by_itself_that_it_was_a_rehearsal(clock: FakeClock) -> None:
    script = Scripted(clock, done({"status": "ok", "chatName": "c1"}, dryRun=True))
    assert str(await script.client.broadcasts.job("b1")) == "1 unchanged"


async def test_a_job_that_is_named_by_its_url_only(clock: FakeClock) -> None:
    script = Scripted(clock, reply(202, {"statusUrl": "https://x/v2/apps/a/chats/broadcast/b%209?x=1"}))
    assert (await script.client.broadcasts.send("hi", all_chats=True)).id == "b 9"


async def test_a_broadcast_without_a_job_or_results_is_lost(clock: FakeClock) -> None:
    for data in (None, {}, [], {"result": {"results": 3}}):
        with pytest.raises(ReplyLostError) as caught:
            await Scripted(clock, reply(202, data)).client.broadcasts.send("hi", all_chats=True)
        assert caught.value.effect == "unknown"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_broadcast_is_never_sent_twice(clock: FakeClock, status: int) -> None:
    script = Scripted(clock, reply(status))
    with pytest.raises(ServerFaultError) as caught:
        await script.client.broadcasts.send("hi", all_chats=True)
    assert (len(script.sent), caught.value.effect) == (1, "unknown")


async def test_a_job_that_fails_or_does_not_end_is_typed(clock: FakeClock) -> None:
    script = Scripted(clock, STARTED, ok({"state": "failed", "error": "archive full"}))
    with pytest.raises(JobFailedError, match="archive full"):
        await (await script.client.broadcasts.send("hi", all_chats=True))
    script = Scripted(clock, STARTED, ok({"state": "active"}))
    job = await script.client.broadcasts.send("hi", all_chats=True, timeout=5)
    with pytest.raises(JobTimeoutError, match="after 5 s"):
        await job
    assert sum(clock.slept) <= 5
    with pytest.raises(JobTimeoutError, match="after 1 s"):
        [outcome async for outcome in script.client.broadcasts.job("b1", timeout=1)]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "chats"),
        ({"chats": []}, "chats"),
        ({"chats": None}, "chats"),
        ({"chats": ["c1"], "all_chats": True}, "chats"),
        ({"chats": [], "all_chats": True}, "chats"),
        ({"chats": [""]}, "chats"),
        ({"chats": [MongoId(RECORD), OTHER_RECORD]}, "chats"),
        ({"text": " ", "all_chats": True}, "text"),
        ({"text": None, "all_chats": True}, "text"),
    ],
)
async def test_a_broadcast_without_a_clear_target_is_refused_before_sending(
    clock: FakeClock, arguments: dict[str, Any], field: str
) -> None:
    script = Scripted(clock, STARTED)
    with pytest.raises(InvalidInputError) as caught:
        await script.client.broadcasts.send(**{"text": "hi", **arguments})
    assert caught.value.field == field
    assert script.sent == []


async def test_a_deadline_that_cannot_be_is_refused(clock: FakeClock) -> None:
    script = Scripted(clock, STARTED)
    with pytest.raises(ConfigError, match="timeout"):
        await script.client.broadcasts.send("hi", all_chats=True, timeout=0)
    with pytest.raises(InvalidInputError):
        script.client.broadcasts.job(" ")
    assert script.sent == []


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (400, {"error": "no target"}, ValidationFailedError),
        (403, {"error": "archived", "code": "APP_ARCHIVED"}, ForbiddenError),
        (403, "Forbidden", ForbiddenError),
        (404, {"error": "Chat not found", "code": "CHAT_NOT_FOUND"}, NotFoundError),
    ],
)
async def test_refusals_are_typed(clock: FakeClock, status: int, data: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await Scripted(clock, reply(status, data)).client.broadcasts.send("hi", chats="c1")
