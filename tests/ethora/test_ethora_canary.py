"""No password, token or app secret appears in logs, reprs, errors or tracebacks, whatever goes wrong."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, SECRET, Scripted, ok, person, reply

from ethora_async import ChatError, EthoraClient
from ethora_async.platforms.ethora.tokens import Tokens

if TYPE_CHECKING:
    from ethora_async.bulk import Outcome
    from ethora_async.request import Response
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.testing.users import FakeClock

CANARY = "canary-Pa55w0rd-canary"

ANSWERS: dict[str, list[Response]] = {
    "a row echoes it": [ok({"results": [{"status": "error", "xmppUsername": f"{APP}_u1", "error": CANARY}]})],
    "a row's code and word echo it": [ok({"results": [{"status": CANARY, "code": CANARY, "user": {"uuid": "u1"}}]})],
    "somebody else's row echoes it": [ok({"results": [{"status": "error", "error": f"<{CANARY}>"}]})],
    "the record echoes it": [
        ok({"results": [{"status": "created", "user": {"uuid": "u1", "password": CANARY, "xmppPassword": CANARY}}]})
    ],
    "a 422 echoes it": [reply(422, {"error": f"password {CANARY!r} is too weak", "code": CANARY})],
    "a 500 echoes it as text": [reply(500, f"<pre>{CANARY}</pre>".encode())],
    "the job fails with it": [reply(202, {"jobId": "j"}), ok({"state": "failed", "error": f"bad {CANARY}"})],
    "the job's refusal echoes it": [reply(202, {"jobId": "j"}), reply(404, {"error": CANARY, "code": CANARY})],
    "the job never ends": [reply(202, {"jobId": "j"}), ok({"state": CANARY})],
    "not JSON": [ok(), reply(200, CANARY.encode())],
}


def shown(outcome: Outcome[Any]) -> str:
    error = outcome.error
    texts = [repr(outcome), str(outcome.value), repr(outcome.item)]
    if error is not None:
        texts += [repr(error), str(error), "".join(traceback.format_exception(error)), str(vars(error))]
        texts.append(pickle.dumps(error).decode("latin-1"))
    return "\n".join(texts)


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_password_that_the_platform_echoes_is_shown_nowhere(
    answers: list[Response], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[object] = []
    wire = Scripted(clock, *answers, on_event=events.append)
    run = wire.client.users.create_many([person("u1", password=CANARY)])
    outcomes = [outcome async for outcome in run]
    assert CANARY in wire.sent[0].body["usersList"][0]["password"]  # it was sent, so it could have leaked
    texts = [shown(outcome) for outcome in outcomes]
    texts += [repr(run.report), str(run.report), repr(run.report.failures), str(events), caplog.text, repr(run)]
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(outcomes[0].item)
    try:
        run.report.raise_for_failures()
    except ExceptionGroup as group:
        texts.append("".join(traceback.format_exception(group)))
    for secret in (CANARY, SECRET, wire.transport.requests[0].headers["x-custom-token"]):
        assert all(secret not in text for text in texts)


async def test_a_whole_import_with_failures_shows_nothing(
    ethora: EthoraClient, sandbox: EthoraSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.faults.fail("POST /v2/users/batch", status=500, body={"error": f"password={CANARY}"})
    sandbox.faults.fail("POST /v2/users/batch", cut="after")
    users = [person(f"u{number}", password=f"{CANARY}-{number}") for number in range(30)]
    users[4] = person("u4", first_name="A", password=f"{CANARY}-4")
    users[9] = person("u3", email="again@example.com", password=f"{CANARY}-9")
    users[20] = person("u20", email="u14@example.com", password=f"{CANARY}-20")
    run = ethora.users.create_many(users, batch_size=7)
    texts = [shown(outcome) async for outcome in run]
    assert run.report.counts["failed"] == 3
    session = await ethora.sessions.exchange(await ethora.tokens.for_user("u0"))
    texts += [str(run.report), repr(run.report.failures), caplog.text, repr(session), repr(ethora)]
    assert len(caplog.records) > 30
    for secret in (CANARY, SECRET, session.token.reveal()):
        assert all(secret not in text for text in texts)


async def test_a_chat_token_is_not_shown(ethora: EthoraClient) -> None:
    token = await ethora.tokens.for_user("u1")
    assert isinstance(ethora.tokens, Tokens)
    assert token.value not in f"{token!r} {token} {vars(ethora.tokens)}"
    with pytest.raises(TypeError):
        pickle.dumps(token)


async def test_no_error_of_a_lookup_holds_the_token(clock: FakeClock) -> None:
    for status in (400, 401, 403, 404, 409, 418, 422, 500):
        wire = Scripted(clock, reply(status, {"error": "bad"}))
        with pytest.raises(ChatError) as caught:
            await wire.client.users.get("u1")
        text = "".join(traceback.format_exception(caught.value)) + pickle.dumps(caught.value).decode("latin-1")
        assert wire.transport.requests[0].headers["x-custom-token"] not in text
