"""Apps: the exact requests, every form of reply, and what is refused before sending."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import CHILD, OTHER_RECORD, RECORD, Scripted, SentRequest, ok, reply

from ethora_async import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    ReplyLostError,
    ServerFaultError,
    ValidationFailedError,
)
from ethora_async.platforms.ethora.apps.api import NewRoom
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async import EthoraClient
    from ethora_async.testing.users import FakeClock

RECORD_OF_APP = {
    "_id": CHILD,
    "displayName": "Shop",
    "domainName": "shop",
    "parentAppId": RECORD,
    "status": "active",
    "appToken": "JWT eyJhbGciOiJIUzI1NiJ9.e30.x",
    "appSecret": "the-secret-of-the-shop",
    "createdAt": "2026-02-03T04:05:06Z",
    "primaryColor": "#112233",
}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda app: {"app": app},
        lambda app: {"ok": True, "result": app},
        lambda app: {"result": app, "app": app},
        lambda app: app,
        lambda app: {**{key: value for key, value in app.items() if key != "_id"}, "id": app["_id"]},
        lambda app: {**{key: value for key, value in app.items() if key != "_id"}, "appId": app["_id"]},
    ],
)
async def test_an_app_is_read_in_every_form(clock: FakeClock, wrap: Callable[[dict[str, Any]], Any]) -> None:
    script = Scripted(clock, ok(wrap(RECORD_OF_APP)))
    app = await script.client.apps.get(CHILD)
    assert script.only == SentRequest("GET", f"/v2/apps/{CHILD}")
    assert (app.id, app.display_name, app.domain_name, app.parent_id) == (CHILD, "Shop", "shop", RECORD)
    assert app.created_at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert app.app_token == Secret(RECORD_OF_APP["appToken"])
    assert app.app_secret == Secret(RECORD_OF_APP["appSecret"])
    assert app.extra["primaryColor"] == "#112233"
    assert not app.archived


@pytest.mark.parametrize(
    ("told", "archived"),
    [
        ({"status": "archived"}, True),
        ({"archivedAt": "2026-01-01T00:00:00Z"}, True),
        ({"status": "active", "archivedAt": None}, False),
        ({"status": "active", "archivedAt": "2026-01-01T00:00:00Z"}, False),
        ({}, False),
    ],
)
async def test_an_archived_app_says_so(clock: FakeClock, told: dict[str, Any], archived: bool) -> None:
    app = await Scripted(clock, ok({"_id": CHILD, **told})).client.apps.get(CHILD)
    assert app.archived is archived


@pytest.mark.parametrize("data", [None, [], {"result": {}}, {"app": {"displayName": "no id"}}, {"_id": [1]}])
async def test_a_reply_that_shows_no_app_is_lost(clock: FakeClock, data: Any) -> None:
    with pytest.raises(ReplyLostError, match="unexpected shape"):
        await Scripted(clock, ok(data)).client.apps.get(CHILD)


@pytest.mark.parametrize("key", ["apps", "items", "results"])
async def test_apps_are_listed_page_by_page_under_any_key(clock: FakeClock, key: str) -> None:
    first, second = {"_id": RECORD, "displayName": "A"}, {"_id": OTHER_RECORD, "displayName": "B"}
    script = Scripted(clock, ok({key: [first], "total": 2}), ok({key: [second], "total": 2}))
    pages = script.client.apps.list(order_by="total_chats", order="desc", include_archived=True, limit=1, offset=3)
    assert [app.display_name async for app in script.client.apps.list(limit=1)] == ["A", "B"]
    assert [asked.query for asked in script.sent] == [
        {"limit": "1", "offset": "0"},
        {"limit": "1", "offset": "1"},
    ]
    await pages
    assert script.sent[-1] == SentRequest(
        "GET",
        "/v2/apps",
        {"limit": "1", "offset": "3", "orderBy": "totalChats", "order": "desc", "includeArchived": "true"},
    )


async def test_creation_sends_what_was_given_and_nothing_else(clock: FakeClock) -> None:
    script = Scripted(clock, reply(201, {"app": RECORD_OF_APP}))
    await script.client.apps.create(" Shop ")
    app = await script.client.apps.create(
        "Shop", domain_name="shop1", default_chat=False, primary_color="#aAbB01", fields={"usersCanFree": True}
    )
    assert script.sent == [
        SentRequest("POST", "/v2/apps", {}, {"displayName": "Shop"}),
        SentRequest(
            "POST",
            "/v2/apps",
            {},
            {
                "displayName": "Shop",
                "domainName": "shop1",
                "createDefaultChat": False,
                "primaryColor": "#aAbB01",
                "usersCanFree": True,
            },
        ),
    ]
    assert app.id == CHILD


async def test_creation_is_not_repeated_when_its_effect_is_unknown(clock: FakeClock) -> None:
    script = Scripted(clock, reply(502))
    with pytest.raises(ServerFaultError) as caught:
        await script.client.apps.create("Shop")
    assert len(script.sent) == 1
    assert caught.value.effect == "unknown"


async def test_a_change_clears_with_an_empty_text_and_leaves_out_none(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"result": RECORD_OF_APP}), reply(204))
    changed = await script.client.apps.update(CHILD, tagline="", fields={"bundleId": None})
    assert script.sent[0] == SentRequest("PATCH", f"/v2/apps/{CHILD}", {}, {"appTagline": "", "bundleId": None})
    assert (changed.status, changed.key, changed.value.display_name) == ("updated", CHILD, "Shop")
    again = await script.client.apps.update(CHILD, display_name="New", primary_color="#000000")
    assert script.sent[1].body == {"displayName": "New", "primaryColor": "#000000"}
    assert (again.status, again.value) == ("updated", None)


async def test_deletion_archives_and_an_absent_app_is_a_result(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"status": "archived"}), ok({"ok": True}), reply(404, {"code": "APP_NOT_FOUND"}))
    for status in ("deleted", "deleted", "absent"):
        assert (await script.client.apps.delete(CHILD)).status == status
    assert script.sent == [SentRequest("DELETE", f"/v2/apps/{CHILD}")] * 3


async def test_a_hard_deletion_is_a_job_to_await(clock: FakeClock) -> None:
    script = Scripted(
        clock,
        reply(202, {"jobId": "p/1"}),
        ok({"state": "running"}),
        ok({"state": "running"}),
        ok({"state": "completed", "result": {}}),
    )
    job = await script.client.apps.delete(CHILD, hard=True)
    assert script.only == SentRequest("DELETE", f"/v1/apps/{CHILD}", {"mode": "hard"})
    assert (job.id, repr(job)) == ("p/1", "Job('p/1')")
    status = await job.status()
    assert (status.state, status.ended) == ("running", False)
    outcome = await job
    assert (outcome.status, outcome.key) == ("deleted", CHILD)
    assert script.sent[-1] == SentRequest("GET", "/v2/apps/purge-jobs/p%2F1")


@pytest.mark.parametrize("wrap", [lambda job: job, lambda job: {"job": job}, lambda job: {"ok": True, "result": job}])
@pytest.mark.parametrize("word", ["state", "status"])
async def test_a_jobs_state_is_found_in_every_form(
    clock: FakeClock, wrap: Callable[[dict[str, Any]], Any], word: str
) -> None:
    script = Scripted(clock, ok(wrap({word: "completed", "error": None})))
    job = script.client.apps.purge_job("p1")
    assert (await job).status == "deleted"
    assert (await job.status()).ended


async def test_a_purge_that_fails_or_lasts_is_typed_and_can_be_found_again(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"state": "failed", "error": "no\nway"}))
    job = script.client.apps.purge_job("p1")
    status = await job.status()
    assert (status.state, status.error, status.ended) == ("failed", "no way", True)
    with pytest.raises(JobFailedError, match="no way"):
        await job
    waiting = Scripted(clock, ok({"state": "running"})).client.apps.purge_job("p1", timeout=3)
    with pytest.raises(JobTimeoutError, match="still running after 3 s"):
        await waiting
    with pytest.raises(JobTimeoutError, match="after 7 s"):
        await waiting.wait(timeout=7)
    nothing = Scripted(clock, ok(["?"])).client.apps.purge_job("p1")
    with pytest.raises(ReplyLostError, match="no state"):
        await nothing.status()
    with pytest.raises(JobFailedError, match="no state"):
        await nothing
    missing = Scripted(clock, reply(404, {"code": "JOB_NOT_FOUND", "error": "Job not found"})).client.apps
    with pytest.raises(NotFoundError):
        await missing.purge_job("p1").status()
    with pytest.raises(JobFailedError) as caught:
        await missing.purge_job("p1")
    assert (caught.value.status, caught.value.code) == (404, "JOB_NOT_FOUND")


async def test_a_purge_of_no_app_is_absent_and_one_without_a_job_is_lost(clock: FakeClock) -> None:
    job = await Scripted(clock, reply(404, {"code": "APP_NOT_FOUND"})).client.apps.delete(CHILD, hard=True)
    assert ((await job).status, job.id) == ("absent", "")
    with pytest.raises(ReplyLostError, match="names no job"):
        await Scripted(clock, reply(202, {})).client.apps.delete(CHILD, hard=True)


async def test_an_app_is_restored(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"status": "active"}))
    assert (await script.client.apps.restore(CHILD)).status == "updated"
    assert script.only == SentRequest("POST", f"/v1/apps/{CHILD}/restore", {}, {})


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"result": it}, lambda it: {"bundle": it}])
async def test_an_app_is_exported_and_imported(clock: FakeClock, wrap: Callable[[Any], Any]) -> None:
    content = {"schemaVersion": "ethora.app.bundle.v1", "result": {"a": 1}, "users": []}
    summary = {"summary": {"newAppId": RECORD, "users": 0}}
    script = Scripted(clock, ok(wrap(content)), reply(201, summary), reply(201, {"result": summary}))
    bundle = await script.client.apps.export(CHILD, include="users")
    assert script.sent[0] == SentRequest("GET", f"/v2/apps/{CHILD}/export", {"format": "json", "include": "users"})
    assert (bundle.schema_version, bundle.content) == ("ethora.app.bundle.v1", content)
    imported = await script.client.apps.import_bundle(bundle)
    assert (imported.id, imported.summary["users"]) == (RECORD, 0)
    assert (await script.client.apps.import_bundle(content, domain_name="shop2")).id == RECORD
    assert script.sent[1:] == [
        SentRequest("POST", "/v2/apps/import", {}, content),
        SentRequest("POST", "/v2/apps/import", {"domainNameOverride": "shop2"}, content),
    ]


async def test_a_bundle_shows_nothing_by_itself(clock: FakeClock) -> None:
    content = {"users": [{"email": "private@example.com"}]}
    bundle = await Scripted(clock, ok(content)).client.apps.export(CHILD)
    assert bundle.schema_version is None
    assert "private" not in f"{bundle} {bundle!r}"


async def test_an_import_or_export_that_shows_nothing_is_lost(clock: FakeClock) -> None:
    for data in ({}, {"summary": {"newAppId": 1}}, ["x"]):
        with pytest.raises(ReplyLostError, match="newAppId"):
            await Scripted(clock, reply(201, data)).client.apps.import_bundle({})
    with pytest.raises(ReplyLostError, match="an object"):
        await Scripted(clock, ok([])).client.apps.export(CHILD)


async def test_an_app_is_found_by_its_domain_name_without_any_token(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"result": {**RECORD_OF_APP, "xmppHost": "xmpp.example.com"}}))
    app = await script.client.apps.find("Shop1")
    assert script.only == SentRequest("GET", "/v1/apps/get-config", {"domainName": "Shop1"})
    assert "authorization" not in {name.lower() for name in script.transport.requests[0].headers}
    assert (app.id, app.xmpp_host) == (CHILD, "xmpp.example.com")


@pytest.mark.parametrize(
    ("status", "data", "free"),
    [
        (200, {"exists": False}, True),
        (200, {"exists": True}, False),
        (422, {"exists": True}, False),
        (422, {"error": "domainName already exists", "code": "DOMAIN_NAME_EXISTS"}, False),
        (409, {"error": "taken"}, False),
    ],
)
async def test_a_domain_name_is_free_or_not(clock: FakeClock, status: int, data: Any, free: bool) -> None:
    script = Scripted(clock, reply(status, data))
    assert await script.client.apps.domain_name_is_free("shop") is free
    assert script.only == SentRequest("POST", "/v1/apps/check-domain-name", {}, {"domainName": "shop"})


async def test_a_domain_check_that_says_something_else_is_an_error(clock: FakeClock) -> None:
    with pytest.raises(ValidationFailedError):
        await Scripted(clock, reply(422, {"code": "VALIDATION_ERROR"})).client.apps.domain_name_is_free("shop")
    for data in ({}, "yes", {"exists": "no"}):
        with pytest.raises(ReplyLostError, match="exists"):
            await Scripted(clock, ok(data)).client.apps.domain_name_is_free("shop")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.apps.get(""), "app_id"),
        (lambda client: client.apps.get(".."), "app_id"),
        (lambda client: client.apps.get(True), "app_id"),
        (lambda client: client.apps.find("my-shop"), "domain_name"),
        (lambda client: client.apps.domain_name_is_free(""), "domain_name"),
        (lambda client: client.apps.create("  "), "display_name"),
        (lambda client: client.apps.create("Shop", domain_name="a.b"), "domain_name"),
        (lambda client: client.apps.create("Shop", domain_name="bücher"), "domain_name"),
        (lambda client: client.apps.create("Shop", primary_color="red"), "primary_color"),
        (lambda client: client.apps.import_bundle({}, domain_name="-"), "domain_name"),
        (lambda client: client.apps.update(CHILD), "display_name"),
        (lambda client: client.apps.update(CHILD, display_name=""), "display_name"),
        (lambda client: client.apps.export(CHILD, include=("users", "secrets")), "include"),
        (lambda client: client.apps.bot(CHILD).update(), "enabled"),
        (lambda client: client.apps.bot(CHILD).update(trigger="never"), "trigger"),
        (lambda client: client.apps.tokens(CHILD).rotate(" "), "token_id"),
        (lambda client: client.apps.tokens(CHILD).revoke(""), "token_id"),
    ],
)
async def test_bad_input_is_refused_before_sending(
    clock: FakeClock, call: Callable[[EthoraClient], Awaitable[Any]], field: str
) -> None:
    script = Scripted(clock, ok())
    with pytest.raises(InvalidInputError) as caught:
        await call(script.client)
    assert caught.value.field == field
    assert script.sent == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"order_by": "name"}, "order_by"),
        ({"order": "up"}, "order"),
        ({"limit": 0}, "limit"),
        ({"offset": -1}, "offset"),
    ],
)
async def test_a_listing_that_cannot_be_is_refused_at_once(
    clock: FakeClock, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Scripted(clock, ok()).client.apps.list(**arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (402, {"error": "Upgrade your plan", "code": "PLAN_LIMIT"}, ForbiddenError),
        (403, {"error": "Forbidden", "code": "PLAN_LIMIT"}, ForbiddenError),
        (403, {"error": "App is archived", "code": "APP_ARCHIVED"}, ForbiddenError),
        (404, {"error": "App not found", "code": "APP_NOT_FOUND"}, NotFoundError),
        (422, {"error": "domainName already exists", "code": "DOMAIN_NAME_EXISTS"}, ConflictError),
        (422, {"error": '"x" is not allowed', "code": "VALIDATION_ERROR"}, ValidationFailedError),
    ],
)
async def test_a_refusal_is_typed_and_keeps_the_platforms_code_and_request_id(
    clock: FakeClock, status: int, data: dict[str, Any], kind: type[ApiError]
) -> None:
    script = Scripted(clock, reply(status, {**data, "requestId": "req-7"}))
    for call in (
        script.client.apps.create("Shop"),
        script.client.apps.get(CHILD),
        script.client.apps.tokens(CHILD).create(),
        script.client.apps.bot(CHILD).get(),
        script.client.in_app(CHILD).broadcasts.send("hi", all_chats=True),
        script.client.in_app(CHILD).users.unread_counts("u1"),
        script.client.in_app(CHILD).chats.messages(RECORD),
    ):
        with pytest.raises(kind) as caught:
            await call
        assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, data["code"], "req-7")


async def test_rooms_are_provisioned_twenty_to_a_request_in_order(clock: FakeClock) -> None:
    def made(start: int, count: int) -> list[dict[str, Any]]:
        return [{"title": f"r{at}", "jid": f"{CHILD}_{at}"} for at in range(start, start + count)]

    script = Scripted(clock, ok({"result": made(0, 20)}), ok({"rooms": made(20, 5)}))
    rooms = [NewRoom(f"r{at}", pinned=True if at == 0 else None) for at in range(25)]
    run = script.client.apps.provision(CHILD, rooms)
    outcomes = [outcome async for outcome in run]
    assert [asked.path for asked in script.sent] == [f"/v2/apps/{CHILD}/provision"] * 2
    assert [len(asked.body["rooms"]) for asked in script.sent] == [20, 5]
    assert script.sent[0].body["rooms"][:2] == [{"title": "r0", "pinned": True}, {"title": "r1"}]
    assert [outcome.value.id for outcome in outcomes] == [str(at) for at in range(25)]
    assert str(run.report) == "25 created"


@pytest.mark.parametrize("data", [None, {"ok": True}, {"rooms": [{"title": "a"}]}, {"rooms": [{"jid": "x"}] * 3}])
async def test_rooms_that_the_reply_shows_badly_are_made_all_the_same(clock: FakeClock, data: Any) -> None:
    run = Scripted(clock, ok(data)).client.apps.provision(CHILD, [NewRoom("a"), NewRoom("b")])
    assert [(outcome.status, outcome.value) async for outcome in run] == [("created", None)] * 2


async def test_provisioning_is_never_repeated(clock: FakeClock) -> None:
    script = Scripted(clock, reply(503))
    report = await script.client.apps.provision(CHILD, [NewRoom("a")])
    assert (len(script.sent), str(report)) == (1, "1 unknown")
    refused = await Scripted(clock, reply(403, {"code": "APP_ARCHIVED"})).client.apps.provision(CHILD, [NewRoom("a")])
    assert isinstance(refused.failures[0].error, ForbiddenError)


def test_a_room_needs_a_title() -> None:
    with pytest.raises(InvalidInputError) as caught:
        NewRoom(" ")
    assert caught.value.field == "title"
