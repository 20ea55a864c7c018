"""Requirements of pages in a browser: cross-origin calls, links by the right scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
from sandbox_helpers import APP, Api

from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

ORIGIN = {"Origin": "https://shop.example"}
PREFLIGHT = {
    **ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-custom-token",
}


async def test_a_preflight_is_answered_for_any_path_and_counts_as_no_call(api: Api, sandbox: EthoraSandbox) -> None:
    fault = sandbox.faults.fail("*", times=None)
    for path in ("/v1/users/client", "/nowhere"):
        reply = await api("OPTIONS", path, token=None, headers=PREFLIGHT)
        assert (reply.status, reply.body) == (204, "")
        assert reply.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert reply.headers["Access-Control-Allow-Headers"] == "content-type,x-custom-token"
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        assert int(reply.headers["Access-Control-Max-Age"]) > 0
        assert "Access-Control-Allow-Private-Network" not in reply.headers
    assert fault.hits == 0
    local = {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}
    reply = await api("OPTIONS", "/ping", token=None, headers=local)
    assert reply.headers["Access-Control-Allow-Private-Network"] == "true"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200),
        ("GET", "/nowhere", 404),
        ("POST", "/v2/chats", 401),
        ("GET", "/v1/apps/users/%ff", 400),
        ("GET", "/files/unknown", 404),
        ("OPTIONS", "/ping", 204),
    ],
)
async def test_every_answer_may_be_read_by_any_page(method: str, path: str, status: int, api: Api) -> None:
    from yarl import URL

    target = str(api._session._base_url).rstrip("/") + path
    for headers, allowed in ((ORIGIN, "https://shop.example"), ({}, "*")):
        reply = await api(method, URL(target, encoded=True), {}, token=None, headers=headers)
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (status, allowed)
        assert reply.headers["Vary"] == "Origin"


async def test_faults_and_files_may_be_read_too(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("GET /ping", status=503)
    assert (await api("GET", "/ping", headers=ORIGIN)).headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    sandbox.faults.fail("GET /ping", cut="body")
    async with aiohttp.ClientSession(sandbox.url) as session, session.get("/ping", headers=ORIGIN) as reply:
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    location = await _upload(sandbox, token, "/v1/files")
    async with aiohttp.ClientSession() as session, session.get(location, headers=ORIGIN) as reply:
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN["Origin"])
    sandbox.faults.fail(cut="body")
    async with aiohttp.ClientSession() as session, session.get(location) as reply:
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


async def test_other_platforms_allow_no_other_origin() -> None:
    async with RocketChatSandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        async with session.options("/api/v1/login", headers=PREFLIGHT) as reply:
            assert "Access-Control-Allow-Origin" not in reply.headers
        async with session.get("/api/info", headers=ORIGIN) as reply:
            assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize(
    ("forwarded", "scheme"),
    [({}, "http"), ({"X-Forwarded-Proto": "https"}, "https"), ({"X-Forwarded-Proto": "HTTPS, http"}, "https"),
     ({"X-Forwarded-Proto": "javascript"}, "http")],
)  # fmt: skip
async def test_links_have_the_scheme_that_a_proxy_names(
    forwarded: dict[str, str], scheme: str, api: Api, sandbox: EthoraSandbox
) -> None:
    await api.make_users("u1")
    token = (await api.log_in("u1"))["token"]
    assert (await _upload(sandbox, token, "/v1/files", forwarded)).startswith(f"{scheme}://127.0.0.1:")


async def test_the_wallet_address_is_the_xmpp_name(api: Api) -> None:
    await api.make_users("u1")
    user = (await api.log_in("u1"))["user"]
    assert user["defaultWallet"] == {"walletAddress": "app123_u1"} == {"walletAddress": user["xmppUsername"]}


async def test_a_user_token_looks_up_users_of_its_app(api: Api) -> None:
    await api.make_users("u1", "u2")
    token = (await api.log_in("u1"))["token"]
    reply = await api("GET", "/v1/apps/users/app123_u2", token=token)
    assert (reply.status, reply.body["result"]["uuid"]) == (200, "u2")


async def test_a_user_token_does_not_look_into_a_child_app(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    sandbox.add_app("child", app_id="child1", parent=APP)
    await sandbox.seed_users(
        [{"id": "u9", "email": "u9@example.com", "first_name": "Eve", "last_name": "Evans"}], app_id="child1"
    )
    token = (await api.log_in("u1"))["token"]
    assert (await api("GET", "/v1/apps/users/child1_u9", token=token)).status == 404
    assert (await api("GET", "/v1/apps/users/child1_u9")).status == 200


async def test_a_list_of_chats_shows_the_last_message_and_caps_what_is_unread(
    api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1", "u2")
    token = (await api.log_in("u1"))["token"]

    async def shown() -> dict:
        return (await api("GET", "/v1/chats/my", token=token)).body["items"][0]

    assert (await shown())["lastMessage"] is None
    app = sandbox.store.app(APP)
    chat, other, me = app.chats.find("c1"), app.users.find("u2"), app.users.find("u1")
    assert chat is not None
    for number in range(99):
        sandbox.store.post(chat, f"no. {number}", clock.now, sender=other)
    row = await shown()
    assert (row["unreadCount"], row["unreadCapped"]) == (99, False)
    last = row["lastMessage"]
    assert (last["body"], last["from"], last["isOwn"]) == ("no. 98", "app123_u2", False)
    assert (last["senderFirstName"], last["senderLastName"], last["fromUserId"]) == ("Ada", "Byron", other.id)
    assert last["stanzaId"] == str(chat.messages[-1].stanza)
    sandbox.store.post(chat, "one more", clock.now, sender=other)
    assert ((await shown())["unreadCount"], (await shown())["unreadCapped"]) == (99, True)
    sandbox.store.post(chat, "mine", clock.now, sender=me)
    assert (await shown())["lastMessage"]["isOwn"] is True
    sandbox.store.post(chat, "system", clock.now)
    assert (await shown())["lastMessage"]["fromUserId"] is None


async def test_a_list_of_chats_previews_the_most_recently_active(
    api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    names = [f"u{number}" for number in range(40)]
    await api.make_users(*names)
    await api.make_chat("c1", *names)
    app = sandbox.store.app(APP)
    chat = app.chats.find("c1")
    for name in ("u39", "u38", "u39"):
        sandbox.store.post(chat, "hello", clock.now, sender=app.users.find(name))
    row = (await api("GET", "/v1/chats/my", token=(await api.log_in("u1"))["token"])).body["items"][0]
    members = [member["xmppUsername"].removeprefix("app123_") for member in row["members"]]
    assert (members[:4], len(members), row["usersCnt"]) == (["u39", "u38", "u0", "u1"], 30, 40)


async def test_a_front_end_reads_the_system_account_and_switches(api: Api) -> None:
    config = (await api("GET", "/v1/apps/get-config?domainName=app", token=None)).body["result"]
    assert config["systemChatAccount"] == {"jid": f"{APP}_{APP}@{config['xmppHost']}"}
    assert (config["e2eeEnabled"], config["translateLanguages"]) == (False, [])


async def test_an_address_is_checked_without_a_token(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    sandbox.add_app("child", app_id="child1", parent=APP)
    path = "/v1/users/checkEmail/U1%40example.com"
    assert (await api("GET", path, token=None)).body["exists"] is True
    assert (await api("GET", path, token=None, headers={"x-app-id": "child1"})).body["exists"] is False
    assert (await api("GET", path, token=None, headers={"x-app-id": "gone"})).body["code"] == "APP_NOT_FOUND"


async def test_tags_are_taken_by_either_name_of_the_list(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1")
    user = sandbox.store.app(APP).users.find("u1")
    assert user is not None
    owner = (await api("POST", f"/v2/apps/{APP}/owner-session", {})).body["token"]
    for key, tag in (("usersIdList", "a"), ("userIdList", "b")):
        body = {key: [user.id], "tagsList": [tag]}
        assert (await api("POST", f"/v1/users/tags-add/{APP}", body, token=owner)).status == 200
    assert user.profile.tags == ("a", "b")
    for body in ({"tagsList": ["x"]}, {"usersIdList": [user.id], "userIdList": [user.id], "tagsList": ["x"]}):
        assert (await api("POST", f"/v1/users/tags-add/{APP}", body, token=owner)).status == 422


async def test_a_file_is_described_and_shared_to_those_who_may_see_it(api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_users("u1", "u2", "u3")
    await api.make_chat("c1", "u1", "u2")
    tokens = [(await api.log_in(name))["token"] for name in ("u1", "u2", "u3")]
    location = await _upload(sandbox, tokens[0], "/v1/chats/media/c1")
    file_id = location.rpartition("/")[2].partition(".")[0]
    for version in ("v1", "v2"):
        replies = [await api("GET", f"/{version}/files/{file_id}", token=token) for token in tokens]
        assert [reply.status for reply in replies] == [200, 200, 404]
        assert replies[0].body["result"]["location"] == location
    shared = [await api("POST", "/v1/sharelink", {"fileId": file_id}, token=token) for token in tokens]
    assert [reply.status for reply in shared] == [200, 200, 404]
    assert (await api("POST", "/v1/sharelink", {}, token=tokens[0])).status == 422
    async with aiohttp.ClientSession() as session, session.get(shared[1].body["result"]["link"]) as reply:
        assert await reply.read() == b"hello"


async def test_statistics_count_by_day_within_the_period(api: Api, clock: Clock) -> None:
    await api.make_users("u1")
    clock.now += 86_400
    await api.make_users("u2", "u3")
    owner = (await api("POST", f"/v2/apps/{APP}/owner-session", {})).body["token"]
    path = f"/v1/apps/graph-statistic/{APP}"
    whole = (await api("GET", path, token=owner)).body["result"]
    assert [day["count"] for day in whole["users"]] == [2, 2]
    assert whole["totalRegistered"] == 4
    part = (await api("GET", path + "?startDate=2023-11-15T00:00:00Z", token=owner)).body["result"]
    assert part["users"] == [{"date": "2023-11-15", "count": 2}]
    assert (await api("GET", path + "?startDate=yesterday", token=owner)).status == 422
    assert (await api("GET", path, token=(await api.log_in("u1"))["token"])).status == 403


async def test_the_licence_is_read_without_a_token(api: Api) -> None:
    reply = await api("GET", "/v2/license", token=None)
    assert set(reply.body["license"]) == {"edition", "tier", "state", "registered"}


async def test_a_private_chat_is_named_by_both_names_in_order(api: Api) -> None:
    await api.make_users("u1", "u2")
    tokens = {name: (await api.log_in(name))["token"] for name in ("u1", "u2")}
    opened = [
        (await api("POST", "/v1/chats/private", {"username": other}, token=tokens[me])).body["result"]["name"]
        for me, other in (("u2", "u1"), ("u1", "u2"))
    ]
    assert opened == ["app123_u1-app123_u2"] * 2
    secret = {"username": "u1", "e2ee": True}
    reply = await api("POST", "/v1/chats/private", secret, token=tokens["u2"])
    assert reply.body["result"]["name"] == "app123_u1-app123_u2-e2ee"


async def test_by_v1_only_the_creator_takes_members_out(api: Api) -> None:
    await api.make_users("u1", "u2", "u3")
    tokens = {name: (await api.log_in(name))["token"] for name in ("u1", "u2")}
    body = {"title": "mine", "uuid": "c1", "type": "group", "members": ["u2", "u3"]}
    assert (await api("POST", "/v1/chats", body, token=tokens["u1"])).status == 200
    access = {"chatUuid": "c1", "userUuid": "u2", "accessCode": "1110"}
    assert (await api("POST", "/chat-access", access)).status == 200
    removal = {"chatName": "c1", "members": ["u3"]}
    path = "/v1/chats/users-access"
    assert (await api("DELETE", path, removal, token=tokens["u2"])).status == 403
    assert (await api("DELETE", "/v2/chats/users-access", removal, token=tokens["u2"])).status == 200
    await api("POST", path, removal, token=tokens["u1"])
    assert (await api("DELETE", path, removal, token=tokens["u1"])).status == 200
    assert (await api("DELETE", path, removal)).status == 200


async def test_a_broadcast_may_name_its_sender(api: Api) -> None:
    await api.make_chat("c1")
    body = {"text": "sale", "chatIds": ["c1"], "senderName": "The shop"}
    assert (await api("POST", "/v2/chats/broadcast", body)).status == 202
    (message,) = (await api("GET", f"/v2/apps/{APP}/chats/c1/messages")).body["results"]
    assert (message["nick"], message["body"]) == ("The shop", "sale")
    assert (await api("POST", "/v2/chats/broadcast", {**body, "text": "x" * 4001})).status == 422


async def _upload(sandbox: EthoraSandbox, token: str, path: str, headers: dict[str, str] | None = None) -> str:
    form = aiohttp.FormData()
    form.add_field("files", b"hello", filename="a.txt", content_type="text/plain")
    sent = {"x-custom-token": token, **(headers or {})}
    async with (
        aiohttp.ClientSession(sandbox.url) as session,
        session.post(path, data=form, headers=sent) as reply,
    ):
        return (await reply.json())["results"][0]["location"]
