"""People: presence, pictures, preferences, roles, personal access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ethora_async import ChatError, RocketChatClient
from ethora_async.attachments import Attachment
from ethora_async.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from ethora_async.sandbox import RocketChatSandbox
    from ethora_async.testing.users import FakeClock


async def test_presence_and_its_words(rocketchat: RocketChatClient) -> None:
    ada = rocketchat.as_user("ada")
    await ada.people.set_status("away", text="at lunch")
    status = await rocketchat.users.status("ada")
    assert (status.presence, status.text) == ("away", "at lunch")
    await ada.people.set_status(text="")
    assert (await rocketchat.users.status("ada")).text == ""
    with pytest.raises(InvalidInputError):
        await ada.people.set_status()
    with pytest.raises(InvalidInputError):
        await ada.people.set_status("asleep")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        await rocketchat.users.status("nobody")


async def test_preferences_stay_unless_they_are_named(rocketchat: RocketChatClient) -> None:
    ada = rocketchat.as_user("ada")
    await ada.people.set_preferences({"useEmojis": False})
    await rocketchat.users.set_preferences({"clockMode": 2}, id="ada")
    assert await ada.people.preferences() == {"useEmojis": False, "clockMode": 2}
    with pytest.raises(ForbiddenError):
        await ada.people.set_preferences({"clockMode": 1}, id="bob")
    with pytest.raises(InvalidInputError):
        await ada.people.set_preferences({})


async def test_pictures(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    ada = rocketchat.as_user("ada")
    await ada.people.set_avatar(picture=Attachment(source=b"picture", name="me.png"))
    user = sandbox.store.users.with_username("ada")
    assert user is not None
    assert user.avatar is not None
    assert user.avatar.content == b"picture"
    await rocketchat.users.set_avatar(id="ada", url="https://example.com/ada.png")
    assert user.avatar.address == "https://example.com/ada.png"
    await ada.people.reset_avatar()
    assert user.avatar is None
    with pytest.raises(ForbiddenError):
        await ada.people.set_avatar(id="bob", url="https://example.com/x.png")
    with pytest.raises(InvalidInputError):
        await ada.people.set_avatar()


@pytest.mark.parametrize("version", ["6.0", "8.8.1", "9.0"], indirect=True)
async def test_roles_of_accounts(rocketchat: RocketChatClient) -> None:
    assert (await rocketchat.users.add_role("ada", "bot")).status == "updated"
    assert (await rocketchat.users.add_role("ada", "bot")).status == "unchanged"
    assert [user.id async for user in rocketchat.users.in_role("bot")] == ["ada"]
    assert [user.id async for user in rocketchat.users.find(roles=["bot"])] == ["ada"]
    assert (await rocketchat.users.remove_role("ada", "bot")).status == "updated"
    assert (await rocketchat.users.remove_role("ada", "bot")).status == "unchanged"
    with pytest.raises(ConflictError) as last:
        await rocketchat.users.remove_role("admin", "admin")
    assert last.value.code == "error-admin-required"


async def test_users_are_found_by_what_is_known_of_them(rocketchat: RocketChatClient, clock: FakeClock) -> None:
    await rocketchat.users.set_active("bob", False)
    assert [user.id async for user in rocketchat.users.find(active=False)] == ["bob"]
    assert [user.id async for user in rocketchat.users.find("ad", active=True)] == ["ada", "admin"]
    assert [user.id async for user in rocketchat.users.find(logged_in=True)] == ["admin"]
    with pytest.raises(ForbiddenError):
        await rocketchat.as_user("ada").request("GET", "/api/v1/users.listByStatus")
    clock.advance(10 * 86_400)
    assert await rocketchat.users.deactivate_idle(5) == 0
    with pytest.raises(InvalidInputError):
        await rocketchat.users.deactivate_idle(0)


async def test_personal_tokens_show_their_secret_once(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    tokens = rocketchat.personal_tokens
    secret = await tokens.create("nightly", bypass_two_factor=True)
    async with RocketChatClient(url=sandbox.url, user_id=sandbox.admin.id, token=secret.reveal()) as by_token:
        assert (await by_token.request("GET", "/api/v1/me")).data["username"] == "admin"
    (listed,) = await tokens.list()
    assert (listed.name, listed.bypasses_two_factor) == ("nightly", True)
    with pytest.raises(ConflictError):
        await tokens.create("nightly")
    renewed = await tokens.renew("nightly")
    assert renewed.reveal() != secret.reveal()
    with Canary(secret.reveal(), renewed.reveal()) as canary:
        canary.check(secret, renewed, listed, tokens, rocketchat)
    assert (await tokens.delete("nightly")).status == "deleted"
    assert (await tokens.delete("nightly")).status == "absent"
    with pytest.raises(ChatError):
        await tokens.renew("nightly")
    await tokens.end_other_sessions()
    assert await tokens.list() == ()
