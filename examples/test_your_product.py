"""Tests of a product that embeds the chat. Copy this file; it runs without changes.

ethora-async installs the fixtures: `ethora_sandbox` (a local Ethora for the test), `ethora_client` (a client of it),
`ethora_fault` (its faults) and `ethora_clock` (the clock of both, which stands still). No network, no mocks.

    pip install 'ethora-async' pytest pytest-asyncio
    pytest test_your_product.py
"""

from __future__ import annotations

import asyncio

import pytest

from ethora_async import ChatError, EthoraClient, NewUser

# -- your product ------------------------------------------------------------------------------------------------------


async def place_order(ethora: EthoraClient, order: int, buyer: str, seller: str) -> bool:
    """Open a chat about an order. The order is valid even if the chat cannot be created; return whether it was."""
    try:
        await ethora.chats.create(order, title=f"Order {order}", members=[buyer, seller])
    except ChatError:
        return False
    return True


async def chat_login(ethora: EthoraClient, user: str) -> dict[str, object]:
    """Return the chat login for the front end of a logged-in user."""
    token = await ethora.tokens.for_user(user, ttl=900)
    return {"token": token.value, "refresh_at": token.refresh_at}


async def nightly_import(rows: list[tuple[str, str, str]]) -> str:
    """Import all users; settings come from the environment, as in production."""
    async with EthoraClient.from_env() as ethora:
        people = (
            NewUser(id=id, email=f"{id}@example.com", first_name=first, last_name=last) for id, first, last in rows
        )
        return str(await ethora.users.create_many(people))


# -- its tests ---------------------------------------------------------------------------------------------------------

PEOPLE = [("ann", "Ann", "Lee"), ("bob", "Bob", "Ray")]


@pytest.fixture(autouse=True)
def settings(ethora_sandbox, monkeypatch):
    """Set the environment variables of production to the sandbox."""
    for name, value in ethora_sandbox.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.asyncio
async def test_an_order_brings_buyer_and_seller_together(ethora_client, ethora_sandbox):
    assert await nightly_import(PEOPLE) == "2 created"
    assert await place_order(ethora_client, 1042, "ann", "bob")

    # Look with the client, or at the platform's own state.
    assert [user.id async for user in ethora_client.chats.members(1042)] == ["ann", "bob"]
    assert ethora_sandbox.store.app(ethora_sandbox.app_id).chats.find("1042").type == "group"


@pytest.mark.asyncio
async def test_a_hiccup_of_the_platform_is_nothing_to_worry_about(ethora_client, ethora_fault, ethora_clock):
    await nightly_import(PEOPLE)
    ethora_fault.fail("POST /v2/chats", status=503, times=2)
    assert await place_order(ethora_client, 1042, "ann", "bob")
    assert len(ethora_clock.slept) == 2  # the client waited before each new attempt; the test did not


@pytest.mark.asyncio
async def test_an_outage_does_not_cost_us_the_order(ethora_client, ethora_fault):
    await nightly_import(PEOPLE)
    ethora_fault.fail("*", status=503, times=None)
    assert not await place_order(ethora_client, 1042, "ann", "bob")


@pytest.mark.asyncio
async def test_a_login_gets_a_token_that_the_platform_takes_until_it_ends(ethora_client, ethora_clock):
    await nightly_import(PEOPLE)
    first = await chat_login(ethora_client, "ann")
    assert (await ethora_client.sessions.exchange(first["token"])).user.first_name == "Ann"

    ethora_clock.advance(901)
    with pytest.raises(ChatError):
        await ethora_client.sessions.exchange(first["token"])
    assert await chat_login(ethora_client, "ann") != first


def test_a_plain_function_may_use_it_too(ethora_sandbox):
    assert asyncio.run(nightly_import([*PEOPLE, ("cy", "C", "Doe")])) == "2 created, 1 failed"  # a name too short
    assert ethora_sandbox.store.app(ethora_sandbox.app_id).users.find("cy") is None
