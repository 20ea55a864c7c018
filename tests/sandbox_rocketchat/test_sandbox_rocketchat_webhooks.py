"""Webhooks run: incoming ones post what they receive, outgoing ones call their URLs, and the history says so."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rocket_helpers import Rest

    from ethora_async.sandbox import RocketChatSandbox

COMMON = {"name": "A hook", "username": "bot", "enabled": True, "scriptEnabled": False}
every_version = pytest.mark.parametrize("options", [{"version": one} for one in ("6.0", "7.7", "8.8.1", "9.0")])


class Receiver:
    """A site that is called by webhooks: what it received, and what it answers next."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answers: list[web.Response] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.received.put_nowait({"path": request.path, **await request.json()})
        return self.answers.pop(0) if self.answers else web.Response()

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.received.get(), 120)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest_asyncio.fixture
async def site(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{name}", receiver.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/in"))


@pytest.fixture(autouse=True)
async def people(rest: Rest) -> None:
    await rest.make_user("ada")
    await rest.make_user("bot", roles=["user", "bot"])


async def outgoing(rest: Rest, url: str, **more: Any) -> Any:
    settings = {"type": "webhook-outgoing", "channel": "#general", "event": "sendMessage", "urls": [url], **COMMON}
    reply = await rest.post("integrations.create", {**settings, **more})
    assert reply.status == 200, reply
    return reply.body["integration"]


async def incoming(rest: Rest, **more: Any) -> Any:
    settings = {"type": "webhook-incoming", "channel": "#general", **COMMON, **more}
    reply = await rest.post("integrations.create", settings)
    assert reply.status == 200, reply
    return reply.body["integration"]


def path(hook: Any) -> str:
    return f"/hooks/{hook['_id']}/{hook['token']}"


async def say(rest: Rest, text: str, channel: str = "#general") -> Any:
    reply = await rest.post("chat.postMessage", {"channel": channel, "text": text})
    assert reply.status == 200, reply
    return reply.body["message"]


def texts(sandbox: RocketChatSandbox, room: str = "GENERAL") -> list[str]:
    found = sandbox.store.rooms.find(room)
    assert found is not None
    return [message.text for message in found.messages.values() if message.kind is None]


async def steps(rest: Rest, hook: Any, until: str) -> list[str]:
    """The steps of a webhook's requests, the latest first, once the latest has come so far."""
    async with asyncio.timeout(120):
        while True:
            rows = (await rest.get("integrations.history", id=hook["_id"])).body["history"]
            if rows and rows[0]["step"] == until:
                return [row["step"] for row in rows]
            await asyncio.sleep(0.002)


# -- incoming


@every_version
async def test_an_incoming_webhook_posts_as_its_user(rest: Rest, sandbox: RocketChatSandbox) -> None:
    hook = await incoming(rest, alias="The shop", emoji=":cart:")
    body = {"text": " paid ", "attachments": [{"title": "Bill"}]}
    reply = await rest.post(path(hook), body, who=None)
    assert (reply.status, reply.body) == (200, {"success": True})
    (message,) = [one for one in sandbox.store.rooms.with_id("GENERAL").messages.values() if one.kind is None]
    assert (message.username, message.text) == ("bot", "paid")
    assert message.extra == {
        "alias": "The shop", "emoji": ":cart:", "attachments": [{"title": "Bill"}],
        "bot": {"i": hook["_id"]}, "groupable": False,
    }  # fmt: skip
    await rest.post(f"/hooks/{hook['_id']}/any-user/{hook['token']}", {"text": "again", "alias": "Else"}, who=None)
    assert texts(sandbox) == ["paid", "again"]
    assert (await rest.get(path(hook), who=None)).body == {"success": True}
    assert (await rest.post(path(hook), {}, who=None)).body == {"success": True}
    assert len(texts(sandbox)) == 2


async def test_an_incoming_webhook_takes_a_form_with_its_payload(rest: Rest, sandbox: RocketChatSandbox) -> None:
    hook = await incoming(rest)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data, status in (
        (b'payload={"text": "by form"}', 200),
        (b"payload=%5B1%5D", 200),
        (b"payload=%7Bbroken", 400),
        (b"text=plain+fields", 200),
    ):
        reply = await rest("POST", path(hook), who=None, data=data, headers=form)
        assert reply.status == status, data
    assert texts(sandbox) == ["by form", "plain fields"]


async def test_an_incoming_webhook_goes_elsewhere_only_where_it_may(rest: Rest, sandbox: RocketChatSandbox) -> None:
    await rest.post("channels.create", {"name": "town"})
    await rest.post("groups.create", {"name": "club"})
    fixed = await incoming(rest)
    free = await incoming(rest, overrideDestinationChannelEnabled=True)
    for key in ("channel", "roomId"):
        refused = await rest.post(path(fixed), {"text": "x", key: "#town"}, who=None)
        assert (refused.status, refused.body["error"].startswith("overriding destination")) == (400, True)
    town = sandbox.store.rooms.find("town")
    for target in ("#town", "town", town.id, ["#town", "#town", "#general"]):
        assert (await rest.post(path(free), {"text": "hi", "channel": target}, who=None)).status == 200
    assert (texts(sandbox, "town"), texts(sandbox)) == (["hi"] * 4, ["hi"])
    assert (await rest.post(path(free), {"text": "psst", "channel": "@ada"}, who=None)).status == 200
    direct = next(room for room in sandbox.store.rooms if room.type == "d")
    assert texts(sandbox, direct.id) == ["psst"]
    assert sorted(direct.usernames) == ["ada", "bot"]
    for target, word in (
        ("#nowhere", "invalid-channel"),
        ("@nobody", "invalid-channel"),
        ("#club", "error-not-allowed"),
    ):
        refused = await rest.post(path(free), {"text": "x", "channel": target}, who=None)
        assert (refused.status, refused.body) == (400, {"success": False, "error": word})
    both = {"text": "both", "channel": ["#town", "#nowhere"], "separateResponse": True}
    reply = await rest.post(path(free), both, who=None)
    assert (reply.status, [sorted(one) for one in reply.body["responses"]]) == (
        200, [["channel", "message"], ["channel", "error"]],
    )  # fmt: skip
    none = await rest.post(path(free), {**both, "channel": ["#nowhere"]}, who=None)
    assert (none.status, none.body["responses"]) == (400, [{"channel": "#nowhere", "error": "invalid-channel"}])


@every_version
async def test_what_is_no_live_webhook_posts_nothing(rest: Rest, sandbox: RocketChatSandbox) -> None:
    hook = await incoming(rest)
    out = await outgoing(rest, "http://127.0.0.1:9/", token="told")
    for wrong in (f"/hooks/{hook['_id']}/wrong", f"/hooks/nothing/{hook['token']}", f"/hooks/{out['_id']}/told"):
        reply = await rest.post(wrong, {"text": "x"}, who=None)
        assert (reply.status, reply.body["error"]) == (404, "Invalid integration id or token provided.")
    off = {**COMMON, "type": "webhook-incoming", "channel": "#general", "integrationId": hook["_id"], "enabled": False}
    await rest("PUT", "integrations.update", off)
    assert (await rest.post(path(hook), {"text": "x"}, who=None)).status == 503
    script = {**off, "enabled": True, "scriptEnabled": True, "script": "class Script {}"}
    await rest("PUT", "integrations.update", script)
    assert (await rest.post(path(hook), {"text": "x"}, who=None)).body["error"] == "error-running-script"
    await rest.post("integrations.remove", {"type": "webhook-incoming", "integrationId": hook["_id"]})
    assert (await rest.post(path(hook), {"text": "x"}, who=None)).status == 404
    assert texts(sandbox) == []


async def test_the_token_in_the_path_is_in_no_log(
    rest: Rest, sandbox: RocketChatSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook = await incoming(rest)
    await rest.post(path(hook), {"text": "x"}, who=None)
    await rest.post(f"/hooks/{hook['_id']}/u/{hook['token']}?a=b", {"text": "x"}, who=None)
    assert hook["token"] not in caplog.text
    assert hook["token"] not in str(sandbox.requests)
    assert sandbox.requests[-1].path == f"/hooks/{hook['_id']}/***"
    assert hook["token"] not in repr(sandbox.store.integrations)


async def test_what_is_no_message_is_refused(rest: Rest, sandbox: RocketChatSandbox) -> None:
    hook = await incoming(rest, overrideDestinationChannelEnabled=True)
    odd = ({"a": 1}, [1], 7, True)
    wrong = [
        *({"text": "x", name: value} for name in ("text", "alias", "icon_emoji", "avatar", "tmid") for value in odd),
        *({"text": "x", "customFields": value} for value in odd[1:]),
        {"text": "x", "attachments": [1]},
        {"text": "x", "tmid": "nothing"},
        {"text": "x" * 5001},
        *({"text": "x", "channel": value} for value in ({"a": 1}, [None], [["#general"]], 7)),
    ]
    for body in wrong:
        reply = await rest.post(path(hook), body, who=None)
        assert (reply.status, reply.body["success"]) == (400, False), body
    assert texts(sandbox) == []


# -- outgoing


@every_version
async def test_an_outgoing_webhook_is_told_of_a_message(
    rest: Rest, sandbox: RocketChatSandbox, receiver: Receiver, site: str
) -> None:
    hook = await outgoing(rest, site, token="shared", urls=[site, f"{site}2"])
    message = await say(rest, "order 7")
    told = [await receiver.next(), await receiver.next()]
    assert sorted(one.pop("path") for one in told) == ["/in", "/in2"]
    assert told[0] == told[1] == {
        "token": "shared", "bot": False, "channel_id": "GENERAL", "channel_name": "general",
        "message_id": message["_id"], "timestamp": message["ts"], "user_id": sandbox.admin.id,
        "user_name": "admin", "text": "order 7", "siteUrl": sandbox.url,
    }  # fmt: skip
    assert await steps(rest, hook, "failed-and-not-configured-to-retry") == ["failed-and-not-configured-to-retry"] * 2
    page = (await rest.get("integrations.history", id=hook["_id"], count=1)).body
    assert (page["items"], page["count"], page["total"], page["history"][0]["data"]["text"]) == (1, 1, 2, "order 7")


async def test_a_webhook_runs_in_its_rooms(rest: Rest, receiver: Receiver, site: str) -> None:
    await rest.post("channels.create", {"name": "town"})
    await rest.post("groups.create", {"name": "club"})
    where = {"#town": "town", "all_public_channels": "all", "": "none", "all_private_groups": "groups", "#club": "club",
             "all_direct_messages": "direct", "@ada": "ada"}  # fmt: skip
    for channel, name in where.items():
        await outgoing(rest, site.replace("/in", f"/{name}"), channel=channel)
    for channel, runs in (
        ("#town", ["all", "none", "town"]),
        ("#club", ["club", "groups"]),
        ("@ada", ["ada", "direct"]),
    ):
        await say(rest, "hello", channel)
        assert sorted([(await receiver.next())["path"][1:] for _ in runs]) == runs


async def test_trigger_words_choose_the_messages(rest: Rest, receiver: Receiver, site: str) -> None:
    await outgoing(rest, site.replace("/in", "/first"), triggerWords=["help", "sos"])
    await outgoing(rest, site.replace("/in", "/anywhere"), triggerWords=["sos"], triggerWordAnywhere=True)
    for text in ("an SOS", "an sos", "nothing", "help sos"):
        await say(rest, text)
    heard = [await receiver.next() for _ in range(3)]
    told = sorted((one["path"], one["text"], one["trigger_word"]) for one in heard)
    assert told == [("/anywhere", "an sos", "sos"), ("/anywhere", "help sos", "sos"), ("/first", "help sos", "help")]
    assert receiver.received.empty()


async def test_edits_run_a_webhook_that_wants_them(rest: Rest, receiver: Receiver, site: str) -> None:
    await outgoing(rest, site.replace("/in", "/plain"))
    await outgoing(rest, site.replace("/in", "/edits"), runOnEdits=True)
    message = await say(rest, "before")
    await receiver.next()
    await receiver.next()
    await rest.post("chat.update", {"roomId": "GENERAL", "msgId": message["_id"], "text": "after"})
    told = await receiver.next()
    assert (told["path"], told["text"], told["isEdited"]) == ("/edits", "after", True)
    assert receiver.received.empty()


async def test_an_answer_with_a_text_becomes_a_message(
    rest: Rest, sandbox: RocketChatSandbox, receiver: Receiver, site: str
) -> None:
    hook = await outgoing(rest, site, alias="Helper", triggerWords=["?"], triggerWordAnywhere=True)
    receiver.answers = [web.json_response({"text": "Because.", "channel": "#general"})]
    await say(rest, "why?")
    await steps(rest, hook, "url-response-sent-message")
    answer = [one for one in sandbox.store.rooms.with_id("GENERAL").messages.values() if one.kind is None][-1]
    assert (answer.text, answer.username, answer.extra["alias"]) == ("Because.", "bot", "Helper")
    assert answer.extra["bot"] == {"i": hook["_id"]}
    receiver.answers = [
        web.Response(text="not JSON"),
        web.json_response(["no object"]),
        web.json_response({"text": ""}),
    ]
    for number in range(3):
        await say(rest, f"{number}?")
        await steps(rest, hook, "after-http-call")
    receiver.answers = [web.json_response({"text": "lost", "channel": "#nowhere"})]
    await say(rest, "where?")
    await steps(rest, hook, "after-http-call-send-message-failed")
    assert texts(sandbox) == ["why?", "Because.", "0?", "1?", "2?", "where?"]


async def test_the_answer_goes_to_the_target_room_and_comes_from_whom_it_answers(
    rest: Rest, sandbox: RocketChatSandbox, receiver: Receiver, site: str
) -> None:
    await rest.post("channels.create", {"name": "town"})
    hook = await outgoing(rest, site, targetRoom="#town", impersonateUser=True)
    receiver.answers = [web.json_response({"text": "copied"})]
    await say(rest, "hi")
    await steps(rest, hook, "url-response-sent-message")
    town = sandbox.store.rooms.find("town")
    assert [(one.username, one.text) for one in town.messages.values() if one.kind is None] == [("admin", "copied")]


@pytest.mark.parametrize(
    ("way", "pauses"),
    [("powers-of-ten", [0.1, 1]), ("powers-of-two", [2, 4]), ("increments-of-two", [2, 4]), ("sometimes", [])],
)
async def test_failed_calls_are_repeated_as_configured(
    rest: Rest, sandbox: RocketChatSandbox, receiver: Receiver, site: str, way: str, pauses: list[float]
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sandbox._webhooks._sleep = sleep
    receiver.answers = [web.Response(status=503, text="later") for _ in range(9)]
    hook = await outgoing(rest, site, retryFailedCalls=True, retryCount=2, retryDelay=way)
    await say(rest, "hi")
    last = "too-many-retries" if pauses else "failed-and-retry-delay-is-invalid"
    found = await steps(rest, hook, last)
    assert found == [last, "going-to-retry-2", "going-to-retry-1"][: len(pauses) + 1]
    assert slept == pytest.approx(pauses)


async def test_gone_disables_a_webhook_and_a_broken_site_is_not_asked_again(
    rest: Rest, receiver: Receiver, site: str
) -> None:
    hook = await outgoing(rest, site, retryFailedCalls=True, retryCount=3)
    receiver.answers = [web.Response(status=500, text="oops"), web.Response(status=410, text="gone")]
    await say(rest, "one")
    assert await steps(rest, hook, "after-process-http-status-500") == ["after-process-http-status-500"]
    await say(rest, "two")
    await steps(rest, hook, "after-process-http-status-410")
    await say(rest, "three")
    shown = (await rest.get("integrations.get", integrationId=hook["_id"])).body["integration"]
    assert shown["enabled"] is False
    assert receiver.received.qsize() == 2


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "http://10.0.0.1/", "not a url", "http://[::1", "file:///etc/x"]
)
async def test_other_machines_are_not_called(rest: Rest, url: str) -> None:
    hook = await outgoing(rest, url)
    assert await say(rest, "hi")
    await steps(rest, hook, "after-http-call")
    (row,) = (await rest.get("integrations.history", id=hook["_id"])).body["history"]
    assert "webhook_hosts" in row["httpError"]["message"]


@pytest.mark.parametrize("options", [{"webhook_hosts": ["Somewhere.invalid"]}])
async def test_hosts_that_were_named_are_called(rest: Rest) -> None:
    hook = await outgoing(rest, "http://somewhere.invalid/x")
    await say(rest, "hi")
    await steps(rest, hook, "after-http-call")
    (row,) = (await rest.get("integrations.history", id=hook["_id"])).body["history"]
    assert "webhook_hosts" not in row["httpError"]["message"]


async def test_a_script_is_not_skipped(rest: Rest, receiver: Receiver, site: str) -> None:
    hook = await outgoing(rest, site, scriptEnabled=True, script="class Script {}")
    await say(rest, "hi")
    (row,) = (await rest.get("integrations.history", id=hook["_id"])).body["history"]
    assert (row["error"], row["errorStack"]) == (True, "The sandbox runs no scripts.")
    assert receiver.received.empty()


@pytest.mark.parametrize("options", [{"version": "7.6"}, {"version": "7.7"}, {"version": "8.8.1"}], ids=str)
async def test_every_event_runs_its_webhooks(
    rest: Rest, options: dict[str, Any], receiver: Receiver, site: str
) -> None:
    events = ("fileUploaded", "roomArchived", "roomCreated", "roomJoined", "roomLeft", "userCreated")
    for event in events:
        await outgoing(rest, site.replace("/in", f"/{event}"), event=event, channel="", targetRoom="#general")
    full = options["version"] == "7.6"

    async def told(event: str, user: str | None) -> dict[str, Any]:
        data = await receiver.next()
        assert data.pop("path") == f"/{event}"
        if not full and event != "fileUploaded":
            assert data == {"bot": False}
        elif user is not None:
            assert data["user_name"] == user
            assert "password" not in json.dumps(data)
        return data

    town = (await rest.post("channels.create", {"name": "town"})).body["channel"]
    await told("roomCreated", "admin")
    ada = (await rest.make_user("eve"))["_id"]
    await told("userCreated", "eve")
    eve = await rest.make_token(ada)
    await rest.post("channels.join", {"roomId": town["_id"]}, who=eve)
    await told("roomJoined", "eve")
    await rest.post("channels.leave", {"roomId": town["_id"]}, who=eve)
    await told("roomLeft", "eve")
    await rest.post("channels.invite", {"roomId": town["_id"], "userId": eve.id})
    await told("roomJoined", "eve")
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhi\r\n--b--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await rest("POST", f"rooms.upload/{town['_id']}", data=form, headers=kind)).status == 200
    data = await told("fileUploaded", "admin")
    assert (data["message"]["file"]["name"], data["room"]["name"]) == ("a.txt", "town")
    await rest.post("channels.archive", {"roomId": town["_id"]})
    await told("roomArchived", "admin")
    assert receiver.received.empty()


async def test_the_history_is_cleared_and_replayed(rest: Rest, receiver: Receiver, site: str) -> None:
    hook = await outgoing(rest, site)
    await say(rest, "hi")
    await receiver.next()
    await steps(rest, hook, "failed-and-not-configured-to-retry")
    (row,) = (await rest.get("integrations.history", id=hook["_id"])).body["history"]
    named = {"integrationId": hook["_id"]}
    assert (await rest.post("integrations.replayOutgoing", {**named, "historyId": row["_id"]})).status == 200
    assert (await receiver.next())["text"] == "hi"
    wrong = await rest.post("integrations.replayOutgoing", {**named, "historyId": "nothing"})
    assert wrong.body["errorType"] == "error-invalid-integration-history"
    ada = await rest.log_in("ada")
    for name, more in (("clearHistory", {}), ("replayOutgoing", {"historyId": row["_id"]})):
        for who, body in (("admin", {"integrationId": "nothing"}), (ada, named)):
            refused = await rest.post(f"integrations.{name}", {**body, **more}, who=who)
            assert refused.body["errorType"] == "error-invalid-integration"
    assert (await rest.get("integrations.history", id=hook["_id"], who=ada)).status == 403
    await rest.post("integrations.clearHistory", named)
    assert (await rest.get("integrations.history", id=hook["_id"])).body["total"] == 0


async def test_a_stopped_server_leaves_no_request_behind(rest: Rest, sandbox: RocketChatSandbox, site: str) -> None:
    hanging = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        hanging.set()
        await asyncio.Event().wait()
        raise AssertionError(request)

    app = web.Application()
    app.router.add_post("/hang", hang)
    async with TestServer(app) as server:
        await outgoing(rest, str(server.make_url("/hang")))
        await say(rest, "hi")
        await asyncio.wait_for(hanging.wait(), 120)
        await sandbox.aclose()
        assert not sandbox._webhooks._tasks
        sandbox.add_user("late")  # nothing is sent, and nothing fails
    del site
