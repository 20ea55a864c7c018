"""Which form of an id selects which record: the tables of docs/reference/identities.md, held to the code.

And the attack that they answer: no name that somebody may choose for themselves gives them somebody else's token.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from identity_worlds import VICTIM, avaya, ethora, forms, imbachat, rocketchat, variants

from ethora_async import ChatError, PrivilegedAccountError
from ethora_async.web import Request, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from identity_worlds import World

    from ethora_async.testing.users import FakeClock

WORLDS: dict[str, Callable[[Any], AbstractAsyncContextManager[World]]] = {
    "Ethora": ethora, "Rocket.Chat": rocketchat, "Avaya": avaya, "ImbaChat": imbachat,
}  # fmt: skip
VICTIMS = dict.fromkeys(WORLDS, VICTIM) | {"ImbaChat": "7"}
PAGE = Path(__file__).parents[2] / "docs/reference/identities.md"


async def reached(call: Callable[[Any], Any], form: Any) -> bool:
    try:
        return bool(await call(form))
    except ChatError:
        return False


def table(platform: str) -> dict[str, dict[str, bool]]:
    """The page's table of one platform: call → form → whether the form names the record."""
    lines = PAGE.read_text(encoding="utf-8").partition(f"### {platform}\n")[2].splitlines()
    rows = [line.strip("|").split("|") for line in lines[: lines.index("", 3)] if line.startswith("|")]
    head, _, *rest = [[cell.strip() for cell in row] for row in rows]
    assert {cell for row in rest for cell in row[1:]} <= {"yes", "–"}
    return {
        row[0].strip("`"): {form: cell == "yes" for form, cell in zip(head[1:], row[1:], strict=True)} for row in rest
    }


@pytest.mark.parametrize("platform", WORLDS)
async def test_the_page_says_which_form_reaches_whom(platform: str, clock: FakeClock) -> None:
    stated = table(platform)
    async with WORLDS[platform](clock) as world:
        found: dict[str, dict[str, bool]] = {}
        for name, call in world.calls.items():
            found[name] = {}
            for heading in stated[name]:
                form = forms(VICTIMS[platform], await world.renew())[heading]
                found[name][heading] = await reached(call, form)
    assert found == stated


@pytest.mark.parametrize("platform", WORLDS)
async def test_no_name_that_one_may_choose_gives_a_token_of_somebody_else(platform: str, clock: FakeClock) -> None:
    victim = VICTIMS[platform]
    async with WORLDS[platform](clock) as world:
        await world.renew()
        assert await world.mint(victim) == victim  # in the cache, and remembered, from now on
        opened = []
        for name in variants(victim):
            try:
                opened.append((name, await world.mint(name)))
            except ChatError:
                continue
    assert [name for name, owner in opened if owner == victim] == []


@pytest.mark.parametrize("platform", WORLDS)
async def test_the_token_endpoint_refuses_them_with_4xx_or_serves_somebody_else(
    platform: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    victim = VICTIMS[platform]
    async with WORLDS[platform](clock) as world:
        await world.renew()

        async def identify(native: Any) -> Any:
            return native

        endpoint: TokenEndpoint[Any] = TokenEndpoint(world.client, identify, clock=clock)
        headers = [("Host", "www.example.com"), ("Content-Type", "application/json")]

        async def ask(name: Any) -> tuple[int, dict[str, Any]]:
            answer = await endpoint.handle(Request.of("POST", "/token", headers=headers, body=b"", native=name))
            return answer.status, json.loads(answer.body)

        status, own = await ask(victim)
        assert (status, own["user_id"]) == (200, victim)
        for name in variants(victim):
            if not name.strip():
                continue
            status, body = await ask(name)
            if status == 200:
                assert body["user_id"] == name
                assert body["token"] != own["token"]
            else:
                assert (status, body["error"]) in [(400, "bad_identity"), (404, "user_not_found")], name
            assert own["token"] not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("name", ["admin", "Admin", "@admin", "ADMIN", "helper", "app.bot", "second.admin"])
async def test_rocketchat_gives_no_token_of_an_account_that_can_do_more_than_chat(name: str, clock: FakeClock) -> None:
    async with rocketchat(clock) as world:
        client = world.client
        for id, roles in {"helper": ["user", "bot"], "app.bot": ["app"], "second.admin": ["user", "admin"]}.items():
            await client.users.create(id, email=f"{id}@example.com", first_name="A", last_name="B")
            await client.users.update(id, roles=roles)
        for call in (client.tokens.for_user, lambda id: client.as_user(id).me(), world.calls["tokens.for_user"]):
            with pytest.raises(ChatError):
                await call(name)
        if name in ("admin", "helper", "app.bot", "second.admin"):
            with pytest.raises(PrivilegedAccountError):
                await client.tokens.for_user(name)
            token = await client.tokens.for_user(name, allow_privileged=True)
            assert (await client.as_user(name, allow_privileged=True).me()).id == name
            with pytest.raises(PrivilegedAccountError) as caught:
                await client.tokens.for_user(name)
            assert token.value not in str(caught.value)


async def test_rocketchat_asks_for_the_roles_anew_for_every_token(clock: FakeClock) -> None:
    async with rocketchat(clock) as world:
        await world.renew()
        await world.client.tokens.for_user(VICTIM)
        await world.client.users.update(VICTIM, roles=["user", "admin"])
        with pytest.raises(PrivilegedAccountError):
            await world.client.tokens.for_user(VICTIM, renew=True)
