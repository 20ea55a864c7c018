"""``client.reset``: it deletes all of the app's own records, and none of the platform's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from scripted_ethora import APP, SECRET, URL, person, reply

from ethora_async import (
    EthoraClient,
    ForbiddenError,
    InvalidInputError,
    JobTimeoutError,
    NewChat,
    ReplyLostError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora.apps.api import NewRoom
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from ethora_async.request import Request, Response
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock


async def fill(ethora: EthoraClient, users: int = 6, chats: int = 3) -> None:
    await ethora.users.create_many(person(f"u{number}") for number in range(users))
    await ethora.chats.create_many(
        NewChat(id=f"c{number}", title="Chat", members=["u0", "u1"]) for number in range(chats)
    )


def left(app: App) -> tuple[list[str], list[str]]:
    return [user.uuid.partition("-")[0] for user in app.users], [chat.uuid for chat in app.chats]


async def test_everything_goes_but_the_owner(ethora: EthoraClient, app: App) -> None:
    await fill(ethora)
    report = await ethora.reset(confirm=APP)
    assert report.counts == {"deleted": 9}
    assert report.ok
    assert left(app) == (["owner"], [])


async def test_more_than_a_page_goes_too(ethora: EthoraClient, app: App) -> None:
    await fill(ethora, users=1_250, chats=0)
    assert (await ethora.reset(confirm=APP)).counts == {"deleted": 1_250}
    assert left(app) == (["owner"], [])


@pytest.mark.parametrize("wrong", ["", "yes", APP[:-1], f"{APP} ", APP.upper()])
async def test_without_the_apps_id_nothing_is_touched(wrong: str, ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await fill(ethora)
    before = len(sandbox.requests)
    with pytest.raises(InvalidInputError, match="nothing was deleted") as caught:
        await ethora.reset(confirm=wrong)
    assert caught.value.field == "confirm"
    assert len(sandbox.requests) == before


async def test_an_empty_app_stays_empty(ethora: EthoraClient, app: App) -> None:
    for _ in range(2):
        report = await ethora.reset(confirm=APP)
        assert (report.total, str(report)) == (0, "nothing to do")
    assert left(app) == (["owner"], [])


async def test_it_waits_until_the_listings_have_caught_up(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    await fill(ethora)
    sandbox.faults.deletion_lag = 40.0
    started = clock.monotonic()
    report = await ethora.reset(confirm=APP)
    assert report.counts == {"deleted": 9}
    assert 40 <= clock.monotonic() - started < 60
    assert [chat.id async for chat in ethora.chats.list()] == []


async def test_what_is_listed_past_the_deadline_is_unknown(
    ethora: EthoraClient, sandbox: EthoraSandbox, clock: FakeClock
) -> None:
    await fill(ethora)
    sandbox.faults.deletion_lag = 1_000.0
    report = await ethora.reset(confirm=APP, timeout=30)
    assert report.counts == {"deleted": 6, "unknown": 3}
    assert {type(outcome.error) for outcome in report.failures} == {JobTimeoutError}
    assert {outcome.key for outcome in report.failures} == {f"{APP}_c{number}" for number in range(3)}
    # They are gone, and the next run knows.
    assert (await ethora.reset(confirm=APP, timeout=30)).ok


async def test_a_lost_reply_is_settled_by_the_next_listing(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await fill(ethora)
    sandbox.faults.fail("DELETE /v1/chats", status=502, times=12)
    assert (await ethora.reset(confirm=APP)).counts == {"deleted": 9}


async def test_default_and_private_rooms_stay(ethora: EthoraClient, sandbox: EthoraSandbox, app: App) -> None:
    await fill(ethora)
    await ethora.apps.provision(APP, [NewRoom("Lobby"), NewRoom("News", pinned=True)])
    admin = ethora.as_user(await ethora.sessions.login(sandbox.admin_email, sandbox.admin_password))
    await admin.chats.private("u1")
    assert (await ethora.reset(confirm=APP)).counts == {"deleted": 9}
    assert sorted(chat.title for chat in app.chats if chat.type != "private") == ["Lobby", "News"]
    assert len(app.chats) == 3


async def test_a_child_app_is_emptied_by_its_owner(ethora: EthoraClient, sandbox: EthoraSandbox, app: App) -> None:
    await fill(ethora)
    child = (await ethora.apps.create("Child", domain_name="child")).id
    inside = ethora.in_app(child)
    await inside.users.create_many(person(f"k{number}") for number in range(4))
    await inside.chats.create("c0", title="Chat", members=["k0"])
    admin = ethora.as_user(await ethora.sessions.login(sandbox.admin_email, sandbox.admin_password))
    with pytest.raises(InvalidInputError, match="nothing was deleted"):
        await admin.in_app(child).reset(confirm=APP)
    assert (await admin.in_app(child).reset(confirm=child)).counts == {"deleted": 5}
    assert left(sandbox.store.app(child)) == (["owner"], [])
    assert len(app.chats) == 3


# What follows needs records that no caller can make: a platform of the test's own.


class Platform:
    """Lists the given records, deletes those that it is asked to, and keeps the rest."""

    def __init__(self, clock: FakeClock, *, users: list[Any], chats: list[Any], **answers: Response) -> None:
        self.users, self.chats, self.answers = users, chats, answers
        self.deletions = 0
        self.client = EthoraClient(
            app_id=APP, secret=SECRET, api_url=URL, transport=MemoryTransport(self._answer), clock=clock
        )

    def _answer(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        path, query = parts.path, dict(parse_qsl(parts.query))
        name = path.rpartition("/")[2] if request.method == "GET" else f"delete_{path.split('/')[2]}"
        if (stated := self.answers.get("app" if name == APP else name)) is not None:
            return stated
        if request.method == "GET":
            rows = {"users": self.users, "chats": self.chats}.get(name)
            if rows is None:
                return reply(404, {"error": "Not found", "code": "NOT_FOUND"})
            start = int(query["offset"])
            return reply(200, {"results": rows[start : start + int(query["limit"])], "total": len(rows)})
        self.deletions += 1
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        if "name" in body:
            self.chats = [chat for chat in self.chats if chat["name"] != body["name"]]
        else:
            self.users = [user for user in self.users if user["uuid"] not in body["usersIdList"]]
        return reply(200, {"ok": True})


def user(id: str, **fields: Any) -> dict[str, Any]:
    return {"uuid": id, "xmppUsername": f"{APP}_{id}", **fields}


def chat(id: str, **fields: Any) -> dict[str, Any]:
    return {"name": f"{APP}_{id}", "title": id, "type": "group", **fields}


@pytest.mark.parametrize("wrapped", ["app", "result"])
async def test_the_platforms_own_records_stay(wrapped: str, clock: FakeClock) -> None:
    own_users = [
        user("owner-1"),
        user("widget-7"),
        user("helper", isBot=True),
        user("named"),
        user("byrecord", _id="a" * 24),
        user("configured"),
    ]
    own_chats = [
        chat("main", isAppChat=True),
        chat("lobby"),
        chat("pair", type="private"),
        chat("visit", type="widget"),
    ]
    platform = Platform(
        clock,
        users=[user("u1"), *own_users, user("ownerless"), user("widgets")],
        chats=[*own_chats, chat("c1"), chat("open", type="public"), chat("odd", type=None)],
        app=reply(200, {wrapped: {"_id": APP, "defaultRooms": [{"jid": f"{APP}_lobby@conference.host"}, {}, 7]}}),
        bot=reply(200, {"bot": {"xmppUsername": f"{APP}_named", "user": {"userId": "a" * 24}, "chatId": 7}}),
    )
    platform.client.users._bot_jid = f"{APP}_configured@xmpp.host"
    report = await platform.client.reset(confirm=APP)
    assert report.counts == {"deleted": 6}
    assert platform.users == own_users
    assert platform.chats == own_chats


@pytest.mark.parametrize("odd", [{"defaultRooms": None}, {"defaultRooms": {"jid": 1}}, [], "text", None])
async def test_odd_answers_about_the_app_spare_nobody_and_break_nothing(odd: Any, clock: FakeClock) -> None:
    platform = Platform(clock, users=[user("u1")], chats=[chat("c1")], app=reply(200, odd), bot=reply(200, odd))
    assert (await platform.client.reset(confirm=APP)).counts == {"deleted": 2}


@pytest.mark.parametrize("part", ["app", "bot"])
async def test_when_it_cannot_be_told_what_to_spare_nothing_is_deleted(part: str, clock: FakeClock) -> None:
    for status, body in ((401, {"error": "token"}), (503, None)):
        platform = Platform(clock, users=[user("u1")], chats=[chat("c1")], **{part: reply(status, body)})
        with pytest.raises(Exception, match=str(status)):
            await platform.client.reset(confirm=APP)
        assert platform.deletions == 0


async def test_what_cannot_be_deleted_is_reported_and_the_rest_goes(clock: FakeClock) -> None:
    refusal = reply(403, {"error": "Forbidden", "code": "ACL"})
    platform = Platform(clock, users=[user("u1")], chats=[chat("c1"), chat("c2")], delete_chats=refusal)
    report = await platform.client.reset(confirm=APP)
    assert report.counts == {"deleted": 1, "failed": 2}
    assert {type(outcome.error) for outcome in report.failures} == {ForbiddenError}
    assert len(platform.chats) == 2


async def test_a_deletion_that_is_never_answered_is_given_up(clock: FakeClock) -> None:
    def silent(request: Request) -> Response:
        if request.method == "DELETE":
            msg = "gone"
            raise ReplyLostError(msg)
        rows = [chat("c1")] if request.url.partition("?")[0].endswith("/chats") else []
        return reply(200, {"results": rows, "total": len(rows)})

    client = EthoraClient(app_id=APP, secret=SECRET, api_url=URL, transport=MemoryTransport(silent), clock=clock)
    report = await client.reset(confirm=APP)
    assert report.counts == {"unknown": 1}


async def test_a_refused_token_ends_it(clock: FakeClock) -> None:
    platform = Platform(clock, users=[], chats=[chat("c1")], delete_chats=reply(401, {"error": "token"}))
    with pytest.raises(UnauthorizedError):
        await platform.client.reset(confirm=APP)


async def test_another_app_is_emptied_by_its_own_id(clock: FakeClock) -> None:
    platform = Platform(clock, users=[], chats=[])
    child = platform.client.in_app("child")
    with pytest.raises(InvalidInputError, match="'child'"):
        await child.reset(confirm=APP)
    with pytest.raises(Exception, match="Not found"):  # users of another app are a session's to list
        await child.reset(confirm="child")
