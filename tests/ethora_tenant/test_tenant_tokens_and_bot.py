"""App tokens and the bot: exact requests, every form of reply, and values that are shown once and leak nowhere."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import CHILD, RECORD, SECRET, Scripted, SentRequest, ok, reply

from ethora_async import ChatError, NotFoundError, ReplyLostError, ServerFaultError, ValidationFailedError
from ethora_async.platforms.ethora.apps.records import Bot
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.testing.users import FakeClock

VALUE = "canary-app-token-value"


@pytest.mark.parametrize("wrap", [lambda token: token, lambda token: {"ok": True, "result": token}])
async def test_a_token_is_made_and_its_value_is_masked(clock: FakeClock, wrap: Callable[[Any], Any]) -> None:
    row = {"tokenId": "t/1", "token": VALUE, "label": "web", "createdAt": "2026-01-01T00:00:00Z", "kind": "v2"}
    script = Scripted(clock, reply(201, wrap(row)))
    tokens = script.client.apps.tokens(CHILD)
    with Canary(VALUE, SECRET) as canary:
        token = await tokens.create(label=" web ")
        rotated = await tokens.rotate(token.id)
        await tokens.create()
    canary.check(token, rotated, tokens, script.client)
    assert token.value is not None
    assert token.value.reveal() == VALUE
    assert (token.id, token.label, token.extra) == ("t/1", "web", {"kind": "v2"})
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(token)
    assert script.sent == [
        SentRequest("POST", f"/v2/apps/{CHILD}/tokens", {}, {"label": "web"}),
        SentRequest("POST", f"/v2/apps/{CHILD}/tokens/t%2F1/rotate", {}, {}),
        SentRequest("POST", f"/v2/apps/{CHILD}/tokens", {}, {}),
    ]


@pytest.mark.parametrize("data", [{"tokenId": "t1"}, {"tokenId": "t1", "token": ""}, {"tokenId": "t1", "token": None}])
async def test_a_token_that_nobody_will_see_is_an_error_that_names_it(clock: FakeClock, data: Any) -> None:
    tokens = Scripted(clock, ok(data)).client.apps.tokens(CHILD)
    with pytest.raises(ReplyLostError, match=r"'t1'.*revoke") as caught:
        await tokens.create()
    assert caught.value.effect == "unknown"
    with pytest.raises(ReplyLostError, match="'t1'"):
        await tokens.rotate("t0")


@pytest.mark.parametrize("method", ["create", "rotate"])
async def test_tokens_are_never_made_twice(clock: FakeClock, method: str) -> None:
    script = Scripted(clock, reply(500))
    tokens = script.client.apps.tokens(CHILD)
    with pytest.raises(ServerFaultError) as caught:
        await (tokens.create() if method == "create" else tokens.rotate("t1"))
    assert (len(script.sent), caught.value.effect) == (1, "unknown")


@pytest.mark.parametrize(
    "data",
    [
        lambda rows: {"tokens": rows},
        lambda rows: {"items": rows, "total": 2},
        lambda rows: {"results": rows},
        lambda rows: {"result": rows},
        lambda rows: {"ok": True, "result": {"tokens": rows}},
        lambda rows: rows,
    ],
)
async def test_tokens_are_listed_without_their_values(clock: FakeClock, data: Callable[[Any], Any]) -> None:
    rows = [{"tokenId": "t1", "status": "active"}, {"_id": RECORD, "status": "revoked", "rotatedAt": 1_700_000_000_000}]
    script = Scripted(clock, ok(data(rows)))
    tokens = [token async for token in script.client.apps.tokens(CHILD).list()]
    assert script.only == SentRequest("GET", f"/v2/apps/{CHILD}/tokens")
    assert [(token.id, token.status, token.value) for token in tokens] == [
        ("t1", "active", None),
        (RECORD, "revoked", None),
    ]
    assert tokens[1].rotated_at is not None


async def test_revoking_twice_is_no_error_but_a_missing_app_is(clock: FakeClock) -> None:
    script = Scripted(
        clock, reply(204), reply(404, {"error": "Token not found"}), reply(404, {"code": "APP_NOT_FOUND"})
    )
    tokens = script.client.apps.tokens(CHILD)
    assert [(await tokens.revoke("t1")).status for _ in range(2)] == ["deleted", "absent"]
    with pytest.raises(NotFoundError):
        await tokens.revoke("t1")
    assert script.sent == [SentRequest("DELETE", f"/v2/apps/{CHILD}/tokens/t1")] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
async def test_no_error_shows_a_token_that_the_platform_echoes(clock: FakeClock, status: int) -> None:
    # A reply that is an error and holds a token all the same, as a gateway's dump of the upstream's reply would.
    events: list[object] = []
    echo = reply(status, {"error": f"token: {VALUE}", "code": f"token={VALUE}"})
    script = Scripted(clock, echo, on_event=events.append)
    with Canary(VALUE, SECRET) as canary, pytest.raises(ChatError) as caught:
        await script.client.apps.tokens(CHILD).create()
    canary.check(caught.value, *events)


async def test_the_secrets_of_an_app_are_masked_wherever_they_stand(clock: FakeClock) -> None:
    secret, token, nested = "canary-app-secret", "JWT canary-app-token", "canary-nested-password"
    row = {"_id": CHILD, "appSecret": secret, "appToken": token, "smtp": {"password": nested}}
    script = Scripted(clock, ok({"apps": [row]}), ok({"app": row}))
    with Canary(secret, token, nested) as canary:
        page = await script.client.apps.list()
        app = await script.client.apps.create("Shop")
    canary.check(page, app, app.extra, script.client)
    assert app.app_secret is not None
    assert app.app_secret.reveal() == secret
    assert app.extra["smtp"]["password"].reveal() == nested


async def test_a_reply_that_does_not_fit_is_not_repeated_in_the_error(clock: FakeClock) -> None:
    script = Scripted(clock, ok({"app": {"_id": CHILD, "appSecret": [VALUE], "domainName": {VALUE: VALUE}}}))
    with Canary(VALUE) as canary, pytest.raises(ReplyLostError) as caught:
        await script.client.apps.create("Shop")
    canary.check(caught.value)


SETTINGS = {
    "status": "on",
    "trigger": "/bot",
    "prompt": "Be brief.",
    "greetingMessage": "",
    "chatId": RECORD,
    "isRAG": True,
    "botFirstName": "Ada",
    "botLastName": "Bot",
    "botDisplayName": "Ada Bot",
    "savedAgentId": "agent-1",
    "model": "m",
}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda bot: bot,
        lambda bot: {"result": bot},
        lambda bot: {"ok": True, "bot": bot},
        lambda bot: {"aiBot": bot},
        lambda bot: {"result": {"bot": bot}},
    ],
)
async def test_a_bot_is_read_in_every_form(clock: FakeClock, wrap: Callable[[Any], Any]) -> None:
    script = Scripted(clock, ok(wrap(SETTINGS)))
    bot = await script.client.apps.bot(CHILD).get()
    assert script.only == SentRequest("GET", f"/v2/apps/{CHILD}/bot")
    assert bot == Bot(
        status="on",
        trigger="/bot",
        prompt="Be brief.",
        greeting="",
        chat_id=RECORD,
        rag=True,
        first_name="Ada",
        last_name="Bot",
        display_name="Ada Bot",
        saved_agent_id="agent-1",
        extra={"model": "m"},
    )
    assert bot.enabled


async def test_a_bots_settings_are_sent_as_given_and_cleared_by_empty_texts(clock: FakeClock) -> None:
    script = Scripted(clock, ok(SETTINGS), reply(204))
    handle = script.client.apps.bot(CHILD)
    assert (await handle.update(enabled=False, trigger="any_message", greeting="", rag=False)).enabled
    assert script.sent[0] == SentRequest(
        "PUT",
        f"/v2/apps/{CHILD}/bot",
        {},
        {"status": "off", "trigger": "any_message", "greetingMessage": "", "isRAG": False},
    )
    after = await handle.update(
        enabled=True,
        prompt="p",
        chat_id="c",
        first_name="f",
        last_name="l",
        display_name="d",
        saved_agent_id="a",
        fields={"model": None},
    )
    assert script.sent[1].body == {
        "status": "on",
        "prompt": "p",
        "chatId": "c",
        "botFirstName": "f",
        "botLastName": "l",
        "botDisplayName": "d",
        "savedAgentId": "a",
        "model": None,
    }
    assert not after.enabled
    assert repr(handle) == f"AppBot({CHILD!r})"


async def test_an_app_without_a_bot_says_so_by_code(clock: FakeClock) -> None:
    script = Scripted(clock, reply(422, {"error": "no bot", "code": "BOT_NOT_INITIALIZED", "requestId": "r1"}))
    with pytest.raises(ValidationFailedError) as caught:
        await script.client.apps.bot(CHILD).update(enabled=True)
    assert (caught.value.code, caught.value.request_id) == ("BOT_NOT_INITIALIZED", "r1")
