"""The server side of the page: access, data and changes."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ui_helpers import Caller, cells

from ethora_async.sandbox import AvayaSandbox, EthoraSandbox, ImbaChatSandbox, RocketChatSandbox
from ethora_async.sandbox.faults import Faults
from ethora_async.sandbox.ui.switches import SWITCHES, Switches
from ethora_async.sandbox.ui.view import SCANNED, Knob, ViewRow, make_table
from ethora_async.sandbox.wire import text_reply

PLATFORMS = [EthoraSandbox, RocketChatSandbox, AvayaSandbox, ImbaChatSandbox]
ROWS = [
    {"id": name, "email": f"{name}@example.com", "first_name": name.capitalize(), "last_name": "Byron"}
    for name in ("ada", "bob", "eve")
]


@pytest.fixture
async def sandbox():
    async with EthoraSandbox(app_id="app123") as sandbox:
        await sandbox.seed_users(ROWS)
        yield sandbox


@pytest.fixture
def ask(sandbox: EthoraSandbox) -> Caller:
    return Caller(sandbox)


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_sandbox_has_the_page_and_says_what_it_has(platform: Any) -> None:
    async with platform() as sandbox:
        ask = Caller(sandbox)
        for path, kind in (("", "text/html"), ("console.css", "text/css"), ("console.js", "text/javascript")):
            status, text, headers = await ask("GET", path)
            assert (status, headers["Content-Type"].partition(";")[0], bool(text)) == (200, kind, True)
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store"
        state = await ask.state()
        assert state["platform"] in ("Ethora", "Rocket.Chat", "Avaya", "ImbaChat")
        for table in state["tables"]:
            shown = await ask.state(table=table["key"])
            assert (shown["key"], shown["table"]["total"]) == (table["key"], table["count"])
        assert sandbox.requests.maxlen is not None
        assert list(sandbox.requests) == []


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_without_the_page_its_paths_are_the_platforms(platform: Any) -> None:
    async with platform(ui=False) as sandbox:
        status, text, _ = await Caller(sandbox)("GET")
        assert status in (401, 404)
        assert "console.js" not in text
        assert sandbox.console_url is None
        assert [request.path for request in sandbox.requests] == ["/_sandbox/"]


async def test_the_address_without_a_slash_leads_there(sandbox: EthoraSandbox) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.url}/_sandbox") as reply:
        assert (reply.status, str(reply.url)) == (200, sandbox.console_url)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True), ("127.0.0.1:8080", True), ("localhost:1", True), ("LOCALHOST", True), ("[::1]:80", True),
        ("192.168.1.7:8080", True), ("demo.localhost", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False),
        ("evil.example:127", False), (".", False), ("[::1", False), ("127.0.0.1@evil.example", False), ("", False),
    ],
)  # fmt: skip
async def test_a_name_that_somebodys_dns_points_here_is_refused(host: str, allowed: bool, sandbox: Any) -> None:
    # aiohttp's client would not send every one of these.
    import asyncio

    port = int(sandbox.url.rpartition(":")[2])
    for path in ("", "state", "console.js"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /_sandbox/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.read()
        writer.close()
        assert head.startswith(b"HTTP/1.1 200" if allowed else (b"HTTP/1.1 403", b"HTTP/1.1 400")), head[:80]
        assert allowed or b"app123" not in head


async def test_the_host_that_it_was_told_to_listen_on_is_its_own() -> None:
    async with EthoraSandbox(host="localhost") as sandbox:
        assert (await Caller(sandbox)("GET"))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_pages_of_others_get_nothing_and_change_nothing(
    headers: dict[str, str], ask: Caller, sandbox: EthoraSandbox
) -> None:
    for method, path, body in (("GET", "state", None), ("POST", "faults", {"switch": "down", "on": True})):
        status, text, sent = await ask(method, path, body, **headers)
        assert (status, "ada" in text) == (403, False)
        assert "Access-Control-Allow-Origin" not in sent
    preflight = {"Access_Control_Request_Method": "POST", "Origin": "https://evil.example"}
    status, _, sent = await ask("OPTIONS", "faults", **preflight)
    assert (status, "Access-Control-Allow-Origin" in sent) == (403, False)
    assert sandbox.faults.active == ()


async def test_a_link_on_another_page_may_lead_here(ask: Caller, sandbox: EthoraSandbox) -> None:
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}
    assert (await ask("GET", "", **followed))[0] == 200
    assert (await ask("GET", "", **followed, Host="evil.example"))[0] == 403
    assert (await ask("POST", "faults", {"switch": "down", "on": True}, **followed))[0] == 403
    for dest in ("iframe", "script", "empty"):
        assert (await ask("GET", "", Sec_Fetch_Site="cross-site", Sec_Fetch_Dest=dest))[0] == 403
    assert sandbox.faults.active == ()


async def test_a_form_of_any_page_changes_nothing(sandbox: EthoraSandbox) -> None:
    async with aiohttp.ClientSession() as session:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "text/plain; application/json"):
            body, headers = '{"switch": "down", "on": true}', {"Content-Type": kind}
            async with session.post(f"{sandbox.url}/_sandbox/faults", data=body, headers=headers) as reply:
                assert reply.status == 415
    assert sandbox.faults.active == ()


async def test_users_chats_and_messages_are_shown_and_found(ask: Caller, sandbox: EthoraSandbox) -> None:
    store = sandbox.store
    app = store.app("app123")
    from ethora_async.sandbox.ethora.store import ChatData

    people = [app.users.find(name) for name in ("ada", "bob")]
    chat = store.create_chat(app, ChatData("Order 1", "group", "o1"), time.time(), members=[p for p in people if p])
    store.post(chat, "Where is <b>it</b>?", time.time(), sender=people[0])
    store.post(chat, "On its way", time.time())
    state = await ask.state()
    assert [(table["title"], table["count"]) for table in state["tables"]] == [
        ("Users", 4), ("Chats", 1), ("Messages", 2), ("Apps", 1)
    ]  # fmt: skip
    assert [row[1] for row in cells(await ask.state(table="users", search="BYRON bob"))] == ["bob"]
    said = await ask.state(table="messages")
    assert [row[1:] for row in cells(said)] == [
        ["Order 1", "the platform", "On its way"],
        ["Order 1", "Ada Byron", "Where is <b>it</b>?"],
    ]
    detail = (await ask.state(open=said["table"]["rows"][0]["opens"]))["detail"]
    assert detail["title"] == "Order 1"
    assert [(table["title"], table["total"]) for table in detail["tables"]] == [("Messages", 2), ("Members", 2)]
    user = (await ask.state(open="users/app123_ada"))["detail"]
    assert (user["title"], user["tables"][0]["total"]) == ("Ada Byron", 1)
    for gone in ("users/app123_nobody", "chats/app123_x", "users/other_ada", "users/", "nonsense/app123_ada", "/"):
        assert (await ask.state(open=gone))["detail"] is None


async def test_more_rows_come_up_to_a_limit_and_nonsense_is_the_default(ask: Caller, sandbox: EthoraSandbox) -> None:
    rows = [{**ROWS[0], "id": f"u{n}", "email": f"u{n}@example.com"} for n in range(1200)]
    await sandbox.seed_users(rows)
    for limit, shown in (("5", 5), ("100000", 1000), ("-3", 100), ("x", 100), ("0", 1), ("9" * 5000, 1000)):
        assert len((await ask.state(limit=limit))["table"]["rows"]) == shown
    assert (await ask.state(table="nothing"))["key"] == "users"


async def test_what_has_not_changed_is_not_sent_again(ask: Caller, sandbox: EthoraSandbox) -> None:
    status, _, headers = await ask("GET", "state")
    again = await ask("GET", "state", If_None_Match=headers["Etag"])
    assert (status, again[0], again[1]) == (200, 304, "")
    await sandbox.seed_users([{**ROWS[0], "id": "new", "email": "new@example.com"}])
    assert (await ask("GET", "state", If_None_Match=headers["Etag"]))[0] == 200


async def test_requests_are_shown_and_no_secret_is(ask: Caller, sandbox: EthoraSandbox) -> None:
    canaries = ["canary-token-1", "canary-token-2", "canary-query"]
    async with aiohttp.ClientSession(sandbox.url) as session:
        for headers in ({"x-custom-token": canaries[0]}, {"Authorization": f"Bearer {canaries[1]}"}, {}):
            async with session.get(f"/v1/users/my?page=2&token={canaries[2]}", headers=headers):
                pass
    state = await ask.state()
    newest = state["requests"][0]
    assert (newest["method"], newest["target"]) == ("GET", "/v1/users/my?page=2&token=***")
    assert [one["token"][:3] for one in state["requests"]] == ["", "•••", "•••"]
    assert (newest["number"], newest["status"]) == (3, 401)
    assert len({one["token"] for one in state["requests"]}) == 3
    text = repr(state)
    for secret in (*canaries, sandbox.secret, sandbox.admin_password):
        assert secret not in text


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_no_secret_of_any_platform_is_shown(platform: Any) -> None:
    async with platform() as sandbox:
        secrets = [value for name, value in sandbox.environment.items() if "SECRET" in name or "PASSWORD" in name]
        assert secrets
        ask = Caller(sandbox)
        text = "".join([repr(await ask.state(table=one["key"])) for one in (await ask.state())["tables"]])
        assert not [secret for secret in secrets if secret in text]


async def test_switches_work_and_are_shown(ask: Caller, sandbox: EthoraSandbox) -> None:
    assert await ask.change(switch="down", on=True) == (200, "{}")
    async with aiohttp.ClientSession(sandbox.url) as session, session.get("/ping") as reply:
        assert reply.status == 503
    state = await ask.state()
    assert {one["key"] for one in state["switches"] if one["on"]} == {"down"}
    assert [(one["route"], one["does"], one["hits"]) for one in state["active"]] == [("*", "answer 503", 1)]
    assert await ask.change(switch="down", on=False) == (200, "{}")
    async with aiohttp.ClientSession(sandbox.url) as session, session.get("/ping") as reply:
        assert reply.status == 200
    assert await ask.change(add="GET /ping: status=418 times=2; *: latency=0") == (200, "{}")
    first, second = (await ask.state())["active"]
    assert (first["does"], second["does"]) == ("answer 418", "wait 0 s")
    await ask.change(remove=first["id"])
    assert [one["id"] for one in (await ask.state())["active"]] == [second["id"]]
    await ask.change(clear=True)
    assert sandbox.faults.active == ()


async def test_settings_are_changed_by_their_kind(ask: Caller, sandbox: EthoraSandbox) -> None:
    for name, value in (("legacy_errors", True), ("job_polls", 3), ("deletion_lag", 2.5)):
        assert await ask.change(set=name, value=value) == (200, "{}")
        assert getattr(sandbox.faults, name) == value
    assert isinstance(sandbox.faults.job_polls, int)
    for name, wrong in (
        ("legacy_errors", 1), ("job_polls", True), ("job_polls", "3"), ("job_polls", None), ("job_polls", -1),
        ("_active", []), ("nothing", 1),
    ):  # fmt: skip
        status, text = await ask.change(set=name, value=wrong)
        assert status == 422
        assert text
    assert sandbox.faults.job_polls == 3


@pytest.mark.parametrize(
    "body",
    [{}, [], "x", 5, {"switch": "nothing", "on": True}, {"switch": "down", "on": 1}, {"add": ""}, {"add": "x: y"},
     {"add": "* status=503"}, {"remove": "1"}, {"clear": False}, {"add": ["*"]}],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_in_words(body: Any, ask: Caller, sandbox: EthoraSandbox) -> None:
    status, text, _ = await ask("POST", "faults", body)
    assert (status in (400, 422), bool(text)) == (True, True)
    assert (await ask("GET", "nothing"))[0] == 404
    assert (await ask("PUT", "state"))[0] == 405
    assert sandbox.faults.active == ()


async def test_the_page_itself_is_never_struck_by_faults(ask: Caller, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("*", times=None, cut="before")
    assert (await ask.state())["active"][0]["hits"] == 0


async def test_a_chat_page_is_linked_once_there_is_one() -> None:
    async with RocketChatSandbox() as sandbox:
        ask = Caller(sandbox)
        assert (await ask.state())["chat"] is None
        assert (await ask("GET", "chat"))[0] == 404
        assert sandbox.console is not None

        async def page(request: Any) -> Any:
            return text_reply(f"chat of {request.query['user']}", 200)

        sandbox.console.add_page("chat", page)
        link = (await ask.state())["chat"]
        async with aiohttp.ClientSession(sandbox.url) as session, session.get(f"{link}ada") as reply:
            assert await reply.text() == "chat of ada"
        assert (await ask("GET", "chat?user=x", Host="evil.example"))[0] == 403


async def test_other_platforms_show_what_they_have() -> None:
    async with RocketChatSandbox() as rocket:
        rocket.add_user("ada", password="canary-rocket")
        ask = Caller(rocket)
        shown = await ask.state(table="users", search="ada")
        assert cells(shown)[0][:2] == ["ada", "ada"]
        room = (await ask.state(table="rooms"))["table"]["rows"][0]
        detail = (await ask.state(open=room["opens"]))["detail"]
        assert [table["title"] for table in detail["tables"]] == ["Messages", "Members"]
        assert "canary" not in repr(await ask.state(open=shown["table"]["rows"][0]["opens"]))
    async with AvayaSandbox() as avaya:
        minted = avaya._account.mint(
            {"integrationId": avaya.integration_id, "customerId": "c1", "verifiedCustomer": True}
        )
        state = await Caller(avaya).state()
        assert cells(state)[0][:3] == ["c1", "–", "verified"]
        assert minted.value not in repr(state)
        await Caller(avaya).change(set="bare_tokens", value=True)
        assert avaya.faults.bare_tokens is True


@given(st.lists(st.sampled_from([*SWITCHES, "clear"]), max_size=12))
def test_switches_and_faults_agree_whatever_is_pressed(presses: list[str]) -> None:
    faults = Faults()
    switches = Switches(faults, (Knob("job_polls", "Polls"),))
    faults.latency(0.0)
    on: set[str] = set()
    others = 1
    for press in presses:
        if press == "clear":
            switches.clear()
            on, others = set(), 0
        else:
            switches.switch(press, on=press not in on)
            on ^= {press}
        state = switches.state()
        assert {one["key"] for one in state["switches"] if one["on"]} == on
        assert len(state["active"]) == len(on) + others
        assert len({one["id"] for one in state["active"]}) == len(state["active"])


def test_a_search_looks_at_so_many_records_and_says_so() -> None:
    table = make_table("T", ("N",), range(10**9), lambda n: ViewRow((n,)), 10**9, "17", limit=3)
    assert ([row.cells for row in table.rows], table.partial) == ([(17,), (117,), (170,)], True)
    assert make_table("T", ("N",), range(SCANNED), lambda n: ViewRow((n,)), SCANNED, "17").partial is False
