"""``EthoraClient(legacy_api=True)``: the guide's ``/chats/`` and ``/chat-access/``, on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, CHAT_JID, USER_JID, Scripted, SentRequest, reply

from ethora_async import (
    Access,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    MongoId,
    NewChat,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    ServerFaultError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.legacy_wire import AccessSetting

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

MEMBER = Access.READ | Access.WRITE
OK = reply(200, {"ok": True})
FOREIGN = "team-chat@conference.other.example.com"


def older(clock: FakeClock, *replies: Any) -> Scripted:
    return Scripted(clock, *(replies or (OK,)), legacy_api=True)


@pytest.mark.parametrize(
    ("id", "sent"),
    [
        (42, 42),
        ("42", 42),
        (0, 0),
        ("007", "007"),
        (-5, "-5"),
        (10**15, str(10**15)),
        ("order-42", "order-42"),
    ],
)
async def test_a_chat_is_created_by_its_uuid_whole_numbers_as_such(id: Any, sent: Any, clock: FakeClock) -> None:
    wire = older(clock, reply(200, {"ok": True, "jid": CHAT_JID}))
    outcome = await wire.client.chats.create(id, title="Order", access="public")
    assert wire.only == SentRequest("POST", "/chats/", body={"access": "public", "title": "Order", "UUID": sent})
    assert (outcome.status, outcome.key) == ("created", str(sent))


@pytest.mark.parametrize(
    "data",
    [
        {"ok": True, "jid": CHAT_JID},
        {"status": "success", "JID": CHAT_JID},
        {"status": True, "chatJid": CHAT_JID, "result": {"_id": "0" * 24}},
        {"success": True, "result": {"jid": CHAT_JID}},
        {"success": True, "chat": {"roomJid": CHAT_JID}},
        {"result": CHAT_JID},
        {"ok": True, "result": {"name": f"{APP}_c1", "_id": "0" * 24}},
        {"ok": True, "jid": f"{APP}_{APP}_c1@conference.xmpp.example.com"},
        CHAT_JID,
    ],
)
async def test_every_plausible_reply_names_the_new_chat(data: Any, clock: FakeClock) -> None:
    outcome = await older(clock, reply(200, data)).client.chats.create("c1", title="Order")
    assert (outcome.value.id, outcome.value.name) == ("c1", f"{APP}_c1")
    assert (outcome.value.title, outcome.value.access) == ("Order", "private")


async def test_the_address_of_a_new_chat_is_kept(clock: FakeClock) -> None:
    outcome = await older(clock, reply(200, {"ok": True, "jid": CHAT_JID})).client.chats.create("c1", title="Order")
    assert outcome.value.extra["jid"] == CHAT_JID


@pytest.mark.parametrize("data", [None, {"ok": True}, [], "", {"result": None}, {"jid": 7}])
async def test_a_reply_without_an_address_still_says_that_it_happened(data: Any, clock: FakeClock) -> None:
    outcome = await older(clock, reply(200, data)).client.chats.create("c1", title="Order")
    assert (outcome.status, outcome.value) == ("created", None)


async def test_a_chat_without_an_id_goes_by_its_address(clock: FakeClock) -> None:
    wire = older(clock, reply(200, {"ok": True, "jid": CHAT_JID}), reply(200, {"ok": True, "jid": FOREIGN}))
    ours = await wire.client.chats.create(title="Ours")
    foreign = await wire.client.chats.create(title="Foreign")
    assert wire.sent[0] == SentRequest("POST", "/chats/", body={"access": "private", "title": "Ours"})
    assert (ours.key, ours.item.id) == ("c1", "c1")
    assert (foreign.key, foreign.value.id, foreign.value.name) == (FOREIGN, FOREIGN, FOREIGN)


async def test_a_chat_without_an_id_is_never_made_twice(clock: FakeClock) -> None:
    wire = older(clock, reply(503))
    with pytest.raises(ServerFaultError):
        await wire.client.chats.create(title="Chat")
    assert len(wire.sent) == 1
    with pytest.raises(ReplyLostError):
        await older(clock).client.chats.create(title="Chat")


async def test_everything_else_may_be_repeated(clock: FakeClock) -> None:
    wire = older(clock, reply(503), OK)
    assert (await wire.client.chats.create("c1", title="Chat")).attempts == 2
    wire = older(clock, reply(503), OK)
    assert (await wire.client.chats.delete("c1")).attempts == 2
    wire = older(clock, reply(503), OK)
    assert (await wire.client.chats.set_access("c1", "u1", "0001")).attempts == 2


@pytest.mark.parametrize(
    "replied",
    [
        reply(409, {"error": "exists"}),
        reply(422, {"error": "Chat already exists", "code": "CHAT_ALREADY_EXISTS"}),
        reply(200, {"ok": False, "error": "Chat already exists"}),
        reply(200, {"status": "error", "code": "CHAT_ALREADY_EXISTS"}),
    ],
)
async def test_a_chat_that_is_there_already_existed(replied: Any, clock: FakeClock) -> None:
    assert (await older(clock, replied).client.chats.create("c1", title="Chat")).status == "existed"


async def test_members_and_descriptions_are_refused_before_sending(clock: FakeClock) -> None:
    wire = older(clock)
    with pytest.raises(InvalidInputError, match=r"does not accept members.*grant access once"):
        await wire.client.chats.create("c1", title="Chat", members=["u1"])
    with pytest.raises(InvalidInputError, match="does not accept description"):
        await wire.client.chats.create(title="Chat", description="About")
    outcomes = [
        outcome
        async for outcome in wire.client.chats.create_many(
            [NewChat(id="c1", title="Chat", members="u1"), NewChat(id="c2", title="Chat")], ordered=True
        )
    ]
    assert [outcome.status for outcome in outcomes] == ["failed", "created"]
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("id", "body"),
    [
        (42, {"UUID": 42}),
        ("c1", {"UUID": "c1"}),
        (f"{APP}_c1", {"UUID": "c1"}),
        (CHAT_JID, {"chatJid": CHAT_JID}),
        (FOREIGN, {"chatJid": FOREIGN}),
    ],
)
async def test_a_chat_is_deleted_by_uuid_or_by_address(id: Any, body: Any, clock: FakeClock) -> None:
    wire = older(clock)
    assert (await wire.client.chats.delete(id)).status == "deleted"
    assert wire.only == SentRequest("DELETE", "/chats/", body=body)


@pytest.mark.parametrize(
    "replied",
    [
        reply(404, {"error": "Chat not found", "code": "CHAT_NOT_FOUND"}),
        reply(422, b"Chat not found"),
        reply(200, {"ok": False, "reason": "Chat room not found"}),
    ],
)
async def test_a_chat_that_is_not_there_is_absent(replied: Any, clock: FakeClock) -> None:
    assert (await older(clock, replied).client.chats.delete("c1")).status == "absent"


@pytest.mark.parametrize("access", [Access(number) for number in range(16)])
async def test_every_code_goes_out_as_it_is(access: Access, clock: FakeClock) -> None:
    wire = older(clock)
    outcome = await wire.client.chats.set_access("c1", "u1", access)
    body = {"chatUuid": "c1", "userUuid": "u1", "accessCode": access.code}
    assert wire.only == SentRequest("POST", "/chat-access/", body=body)
    assert (outcome.status, outcome.key) == ("updated", "c1/u1")
    assert outcome.value == AccessSetting(access=access, extra={"ok": True})


@pytest.mark.parametrize(
    ("chat", "user", "names"),
    [
        (42, 7, {"chatUuid": 42, "userUuid": "7"}),
        (CHAT_JID, "u1", {"chatJid": CHAT_JID, "userUuid": "u1"}),
        (f"{APP}_c1", USER_JID, {"chatUuid": "c1", "userJid": USER_JID}),
        (f"{APP}_{CHAT_JID}", f"{APP}_{USER_JID}", {"chatJid": CHAT_JID, "userJid": USER_JID}),
        (FOREIGN, "who@other.example.com", {"chatJid": FOREIGN, "userJid": "who@other.example.com"}),
    ],
)
async def test_chat_and_user_are_named_by_address_or_by_uuid(
    chat: Any, user: Any, names: dict[str, Any], clock: FakeClock
) -> None:
    wire = older(clock)
    await wire.client.chats.set_access(chat, user, "0100")
    assert wire.only.body == {**names, "accessCode": "0100"}


@pytest.mark.parametrize("timer", [60, 60.0, timedelta(minutes=1)])
async def test_a_timer_goes_out_in_seconds(timer: Any, clock: FakeClock) -> None:
    wire = older(clock)
    await wire.client.chats.set_access("c1", "u1", Access.NONE, expires_in=timer)
    body = wire.only.body
    assert (body["accessCode"], body["accessTimer"]) == ("0000", 60)
    assert type(body["accessTimer"]) is int


@pytest.mark.parametrize(
    ("data", "access", "expires"),
    [
        ({"ok": True, "accessCode": "0001", "expiresAt": None}, "0001", None),
        ({"accessCode": 11, "expiresAt": 1_700_000_060}, "0011", 60),
        ({"result": {"accessCode": "0100", "expiresAt": 1_700_000_060_000}}, "0100", 60),
        ({"accessCode": "yes", "expiresAt": "2023-11-14T22:14:20Z"}, "0001", 60),
        ({"expiresAt": "2023-11-14T22:14:20"}, "0001", 60),
        ({"expiresAt": "soon", "accessCode": 10**30}, "0001", None),
        ({"expiresAt": 1e300, "accessCode": None}, "0001", None),
        (None, "0001", None),
        ("done", "0001", None),
    ],
)
async def test_every_plausible_reply_tells_what_was_set(
    data: Any, access: str, expires: int | None, clock: FakeClock
) -> None:
    setting = (await older(clock, reply(200, data)).client.chats.set_access("c1", "u1", "0001")).value
    assert str(setting.access) == access
    assert setting.expires_at == (
        None if expires is None else datetime.fromtimestamp(1_700_000_000, UTC) + timedelta(seconds=expires)
    )


async def test_unknown_fields_of_a_reply_survive(clock: FakeClock) -> None:
    data = {"ok": True, "chatJid": CHAT_JID, "userJid": USER_JID, "accessCode": "0001", "banned": False}
    setting = (await older(clock, reply(200, data)).client.chats.set_access("c1", "u1", "0001")).value
    assert (setting.chat_jid, setting.user_jid) == (CHAT_JID, USER_JID)
    assert setting.extra == {"ok": True, "banned": False}


async def test_record_ids_are_unknown_to_the_older_api(clock: FakeClock) -> None:
    wire = older(clock)
    record = MongoId("0" * 24)
    for chat, user in ((record, "u1"), ("c1", record)):
        with pytest.raises(InvalidInputError, match="MongoId"):
            await wire.client.chats.set_access(chat, user, MEMBER)
        with pytest.raises(InvalidInputError, match="MongoId"):
            await wire.client.chats.grant(chat, ["u2", user])
    with pytest.raises(InvalidInputError, match="MongoId"):
        await wire.client.chats.delete(record)
    assert wire.sent == []


async def test_grants_and_revocations_are_a_request_for_each_user(clock: FakeClock) -> None:
    wire = older(clock, OK, reply(404, {"error": "no", "code": "USER_NOT_FOUND"}), reply(422, {"error": "no"}), OK)
    report = await wire.client.chats.grant("c1", ["u1", "u1", "nobody", "bad"])
    assert report.counts == {"created": 1, "failed": 2}
    assert [type(outcome.error) for outcome in report.failures] == [NotFoundError, ValidationFailedError]
    assert (await wire.client.chats.revoke(CHAT_JID, "u1")).counts == {"deleted": 1}
    assert {request.path for request in wire.sent} == {"/chat-access/"}
    assert wire.sent[0].body == {"chatUuid": "c1", "userUuid": "u1", "accessCode": "0011"}
    assert wire.sent[-1].body == {"chatJid": CHAT_JID, "userUuid": "u1", "accessCode": "0000"}


async def test_granting_nobody_is_refused(clock: FakeClock) -> None:
    with pytest.raises(InvalidInputError, match="users is empty"):
        await older(clock).client.chats.grant("c1", [])


@pytest.mark.parametrize(
    ("replied", "kind"),
    [
        (reply(404, {"error": "no", "code": "CHAT_NOT_FOUND"}), NotFoundError),
        (reply(403, {"error": "Forbidden", "code": "APP_ARCHIVED"}), ForbiddenError),
    ],
)
async def test_what_is_not_about_one_user_ends_the_grant(replied: Any, kind: Any, clock: FakeClock) -> None:
    wire = older(clock, replied)
    with pytest.raises(kind):
        await wire.client.chats.grant("c1", ["u1", "u2"])
    assert len(wire.sent) == 1


async def test_grant_many_ends_every_pair_by_itself(clock: FakeClock) -> None:
    wire = older(clock, OK, reply(404, {"error": "no", "code": "USER_NOT_FOUND"}), OK)
    pairs = [("c1", "u1"), ("c1", "nobody"), ("c1", ""), ("c2", "u1")]
    outcomes = [outcome async for outcome in wire.client.chats.grant_many(pairs, ordered=True)]
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "failed", "created"]
    assert [outcome.item for outcome in outcomes] == pairs
    assert len(wire.sent) == 3


async def test_revoke_many_takes_access_away_pair_by_pair(clock: FakeClock) -> None:
    wire = older(clock, OK, reply(404, {"error": "no", "code": "USER_NOT_FOUND"}))
    pairs = [("c1", "u1"), ("c1", "nobody")]
    outcomes = [outcome async for outcome in wire.client.chats.revoke_many(pairs, ordered=True)]
    assert [outcome.status for outcome in outcomes] == ["deleted", "failed"]
    assert [outcome.key for outcome in outcomes] == ["c1/u1", "c1/nobody"]
    assert [request.body["accessCode"] for request in wire.sent] == ["0000"] * 2


async def test_refusals_carry_code_and_request_id(clock: FakeClock) -> None:
    wire = older(clock, reply(422, {"error": "bad code", "code": "VALIDATION_ERROR", "requestId": "r-1"}))
    with pytest.raises(ValidationFailedError) as caught:
        await wire.client.chats.set_access("c1", "u1", MEMBER)
    error = caught.value
    assert (error.code, error.request_id, error.operation) == ("VALIDATION_ERROR", "r-1", "chats.set_access")


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        ({"ok": False, "error": "no such right"}, ValidationFailedError, "no such right"),
        ({"success": False}, ValidationFailedError, "without saying why"),
        ({"status": "failed", "message": "User not found"}, NotFoundError, "User not found"),
        ({"ok": False, "code": "USER_NOT_FOUND"}, NotFoundError, "without saying why"),
        ({"ok": False, "error": {"deep": 1}, "code": 7}, ValidationFailedError, "without saying why"),
        ({"status": "KO", "msg": "already exists"}, ConflictError, "already exists"),
    ],
)
async def test_a_good_status_with_bad_news_is_an_error(data: Any, kind: Any, text: str, clock: FakeClock) -> None:
    with pytest.raises(kind, match=text) as caught:
        await older(clock, reply(200, data)).client.chats.set_access("c1", "u1", MEMBER)
    assert (caught.value.status, caught.value.effect, caught.value.attempts) == (200, "none", 1)


async def test_what_the_guide_has_no_call_for_is_todays(clock: FakeClock) -> None:
    wire = older(clock, reply(200, {"results": [], "total": 0}))
    await wire.client.chats.list()
    await wire.client.chats.update("c1", title="New")
    await wire.client.users.list()
    assert [request.path for request in wire.sent] == [
        f"/v2/apps/{APP}/chats",
        f"/v2/apps/{APP}/chats/{APP}_c1",
        "/v2/chats/users",
    ]


async def test_a_closed_client_sends_nothing(clock: FakeClock) -> None:
    wire = older(clock)
    await wire.client.aclose()
    with pytest.raises(NotSentError):
        await wire.client.chats.set_access("c1", "u1", MEMBER)
