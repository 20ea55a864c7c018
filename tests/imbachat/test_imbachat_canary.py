"""No Secret key, widget password or token appears in logs, reprs, errors or tracebacks."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest
from imbachat_parts import People, basic, client

from ethora_async import ChatError, ImbaChatClient
from ethora_async.testing.implementers import Canary
from ethora_async.testing.users import FakeClock
from ethora_async_secrets.testing import MemoryProvider

KEY = "canary-secret-key-of-the-widget-90210"
PASSWORD = "canary-widget-pa55word-90210"
LOGIN = "canary-login-90210"


@pytest.mark.parametrize("stored", [False, True])
async def test_nothing_gets_out_of_a_whole_day(stored: bool) -> None:
    events: list[Any] = []
    people = People()
    with Canary(KEY, PASSWORD) as canary:
        if stored:
            names = {"IMBACHAT_SECRET_KEY": KEY, "IMBACHAT_API_LOGIN": LOGIN, "IMBACHAT_API_PASSWORD": PASSWORD}
            store = MemoryProvider(names)
            made = ImbaChatClient.from_secrets(store, clock=FakeClock(), on_event=events.append, widget_id=5)
        else:
            made = client(secret=KEY, api_login=LOGIN, api_password=PASSWORD, on_event=events.append)
        handler = made.user_info(people.lookup)
        answers = [
            await handler.handle("GET", "/", "ids=1", headers)
            for headers in (basic(LOGIN, PASSWORD), basic(LOGIN, PASSWORD + "x"), basic(PASSWORD, KEY), {})
        ]
        token = await made.tokens.for_user(1)
        html = await made.widget_snippet(token)
    assert [answer.status for answer in answers] == [200, 401, 401, 401]
    assert any("TokenRefreshed" in record for record in canary.records)
    bodies = [answer.body for answer in answers]
    canary.check(made, vars(made), handler, vars(handler), made.tokens, vars(made.tokens), html, *answers, *bodies)
    Canary(token.value).check(made, vars(made), vars(made.tokens), token, *events, *canary.records)
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        pickle.dumps(made._settings.peek())


@pytest.mark.parametrize(
    "changes",
    [
        {"api_login": f"{LOGIN}:x"},
        {"secret": f"{KEY}\ud800"},
        {"api_password": f"{PASSWORD}\ud800"},
        {"widget_id": KEY},
        {"api_url": f"https://u:{PASSWORD}@example.com"},
    ],
)
def test_a_setting_that_is_refused_is_not_repeated(changes: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"secret": KEY, "api_login": LOGIN, "api_password": PASSWORD, **changes}
    with pytest.raises(ChatError) as caught:
        client(**settings).user_info(People().lookup)
    Canary(KEY, PASSWORD).check(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
