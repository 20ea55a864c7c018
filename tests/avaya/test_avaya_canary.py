"""No client secret, access token or chat token appears in logs, reprs, errors or tracebacks."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from avaya_parts import Wire, access, jwt, problem, reply

from ethora_async import ChatError, RetryPolicy
from ethora_async.testing.implementers import Canary
from ethora_async.tokens.oauth2 import AccessToken
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

SECRET = "canary+client/s3cr3t&90210"
PLAIN = "canaryClients3cr3t90210"
ACCESS = "canary-access-token-90210"
KEY = "canary-app-key-90210"


def echoes(status: int, secret: str) -> list[Any]:
    """Return refusals that repeat the request, as real servers may."""
    form = quote_plus(secret)
    said = f"client_secret is {secret}, in the form {form}, Bearer {ACCESS}, appkey {KEY}"
    return [
        problem(status, said),
        problem(status, violations=[{"field": secret, "message": f"{ACCESS} {form}", "code": secret}]),
        reply(status, {"error": secret, "error_description": said}),
        reply(status, said.encode(), "text/plain", av_log_id=secret),
        reply(status, ("x" * 290 + secret).encode()),  # cut in the middle of it
        reply(status, f"<html><title>{said}</title></html>".encode()),
        reply(status, f"[{secret}".encode()),
    ]


STATUSES = (400, 401, 403, 500)


@pytest.mark.parametrize("where", ["tokens", "jwts"])
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("echo", range(len(echoes(400, SECRET))))
@pytest.mark.parametrize("known", [SECRET, PLAIN])
async def test_nothing_that_avaya_echoes_gets_out(
    clock: FakeClock, where: str, stored: bool, status: int, echo: int, known: str
) -> None:
    answer = echoes(status, known)[echo]
    events: list[object] = []
    good = [access(ACCESS)]
    secret: Any = MemoryProvider({"AVAYA_CLIENT_SECRET": known}) if stored else known
    options: dict[str, Any] = {"secret": secret, "app_key": KEY, "on_event": events.append}
    options["retry"] = RetryPolicy(attempts=2)
    wire = Wire(clock, answer, tokens=good, **options) if where == "jwts" else Wire(clock, tokens=[answer], **options)
    # The access token is not known before it was given.
    sent = (known, quote_plus(known), KEY, *([ACCESS] if where == "jwts" else []))
    with Canary(*sent) as canary:
        try:
            await wire.client.tokens.for_user("c1", verified=True, identifiers={"emailAddresses": "a@b.c"})
        except ChatError as error:
            caught = error
        else:
            pytest.fail("it was to fail")
    assert quote_plus(known).encode() in (wire.token_requests[0].body or b"")  # it was sent, so it could have leaked
    canary.check(caught, wire.client, vars(wire.client), wire.client.tokens, *events)
    assert len(canary.records) > 1


async def test_a_good_token_is_not_shown_either(clock: FakeClock) -> None:
    value = jwt({"exp": int(clock.now()) + 900, "sub": "canary-claims-90210"})
    events: list[object] = []
    wire = Wire(clock, reply(201, {"jwtToken": value}), tokens=[access(ACCESS)], on_event=events.append)
    with Canary(value, ACCESS) as canary:
        token = await wire.client.tokens.for_user("c1")
    canary.check(token, wire.client, vars(wire.client), vars(wire.client.tokens), *events)
    with pytest.raises(TypeError):
        pickle.dumps(token)
    assert any("TokenRefreshed" in record for record in canary.records)


async def test_a_token_that_ends_too_soon_is_not_in_the_error(clock: FakeClock) -> None:
    value = jwt({"exp": int(clock.now()) + 5})
    wire = Wire(clock, reply(201, {"jwtToken": value}), tokens=[access(ACCESS)])
    with Canary(value, ACCESS) as canary:
        try:
            await wire.client.tokens.for_user("c1")
        except ChatError as error:
            caught = error
    canary.check(caught)


@pytest.mark.parametrize(
    "body", [{"access_token": ACCESS, "token_type": "mac"}, {"access_token": f"{ACCESS} x"}, {"access_token": [ACCESS]}]
)
async def test_an_unusable_access_token_is_not_in_the_tracebacks_locals(clock: FakeClock, body: Any) -> None:
    wire = Wire(clock, tokens=[reply(200, body)])
    with pytest.raises(ChatError) as caught:
        await wire.client.tokens.for_user("c1")
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in told.stack if "/ethora_async/" in (frame.filename or "")]
    assert len(ours) > 2
    assert not any(ACCESS in text for frame in ours for text in (frame.locals or {}).values())


def test_what_holds_a_token_prints_nothing_of_it() -> None:
    token = AccessToken({"Authorization": f"Bearer {ACCESS}"}, 900.0)
    Canary(ACCESS).check(repr(token), str(token))
