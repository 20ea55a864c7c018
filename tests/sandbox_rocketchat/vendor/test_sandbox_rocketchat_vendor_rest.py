"""The Python client that people use (`rocketchat-API` from PyPI), unmodified, against the sandbox."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ethora_async.sandbox import RocketChatSandbox

TOWN = "town"


def _tour(url: str, password: str, secret: str) -> dict[str, Any]:
    """Call what both sides know; runs in a thread, as the client blocks."""
    from rocketchat_API.rocketchat import RocketChat

    told: dict[str, Any] = {}
    rocket = RocketChat("admin", password, server_url=url)
    told["info"] = rocket.info()
    told["me"] = rocket.me()
    told["ada"] = rocket.users_create("ada@example.com", "Ada", "pw", "ada")["user"]
    told["bob"] = rocket.users_create("bob@example.com", "Bob", "pw", "bob", verified=True)["user"]
    ada, bob = told["ada"]["_id"], told["bob"]["_id"]
    told["token"] = rocket.users_create_token(ada, secret)["data"]
    told["info of ada"] = rocket.users_info(username="ada")["user"]
    told["users"] = [user["username"] for user in rocket.users_list(count=2)]
    told["updated"] = rocket.users_update(ada, name="Augusta")["user"]
    channel = rocket.channels_create(TOWN, members=["ada"])["channel"]["_id"]
    rocket.channels_invite(channel, bob)
    rocket.channels_set_topic(channel, "News")
    rocket.channels_set_description(channel, "All of it")
    told["channel"] = rocket.channels_info(channel=TOWN)["channel"]
    told["members"] = [member["username"] for member in rocket.channels_members(room_id=channel)]
    rocket.channels_kick(channel, bob)
    told["channels"] = [room["name"] for room in rocket.channels_list()]
    group = rocket.groups_create("club", members=["ada"])["group"]["_id"]
    told["groups"] = [room["name"] for room in rocket.groups_list_all()]
    told["group"] = rocket.groups_info(room_id=group)["group"]
    rocket.groups_invite(group, bob)
    rocket.groups_kick(group, bob)
    told["room"] = rocket.rooms_info(room_id=group)["room"]
    told["direct"] = rocket.dm_create("ada")["room"]
    told["directs"] = [room["_id"] for room in rocket.dm_list()]
    told["posted"] = rocket.chat_post_message("hello", channel=f"#{TOWN}")["message"]
    sent = {"rid": channel, "msg": "again", "_id": "a" * 17}
    told["sent"] = rocket.chat_send_message(sent)["message"]
    told["fetched"] = rocket.chat_get_message("a" * 17)["message"]
    rocket.chat_update(channel, "a" * 17, "better")
    told["history"] = [message["msg"] for message in rocket.channels_history(channel) if "t" not in message]
    told["synced"] = rocket.chat_sync_messages(channel, "2020-01-01T00:00:00.000Z")["result"]
    rocket.chat_delete(channel, "a" * 17)
    told["rooms"] = rocket.rooms_get()
    told["subscriptions"] = rocket.subscriptions_get()
    told["subscription"] = rocket.subscriptions_get_one(channel)["subscription"]
    rocket.subscriptions_read(channel)
    told["settings"] = {setting["_id"]: setting["value"] for setting in rocket.settings_public()}
    rocket.settings_update("Site_Name", "Ours")
    told["setting"] = rocket.settings_get("Site_Name")
    as_ada = RocketChat(auth_token=told["token"]["authToken"], user_id=ada, server_url=url)
    told["ada herself"] = as_ada.me()["name"]
    told["left out"] = _failure(as_ada.users_delete, bob)
    told["off"] = rocket.users_set_active_status(bob, False)["user"]
    rocket.groups_delete(room_id=group)
    rocket.channels_delete(room_id=channel)
    told["deleted"] = rocket.users_delete(ada)
    told["nobody"] = _failure(rocket.users_info, username="ada")
    told["bye"] = rocket.logout()
    told["dead"] = _failure(rocket.me)
    return told


def _failure(call: Any, *args: Any, **kwargs: Any) -> int:
    """The status with which a call fails."""
    from rocketchat_API.APIExceptions.RocketExceptions import RocketApiException

    with pytest.raises(RocketApiException) as caught:
        call(*args, **kwargs)
    return caught.value.status_code


async def test_the_python_client_finds_its_way() -> None:
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        told = await asyncio.to_thread(_tour, sandbox.url, sandbox.admin_password, sandbox.secret)
        store = sandbox.store
        bob = store.users.with_username("bob")
        assert bob is not None
        assert (bob.active, bob.verified) == (False, True)
        assert store.users.with_username("ada") is None
        assert (store.rooms.with_name(TOWN), store.rooms.with_name("club")) == (None, None)
        assert sandbox.settings["Site_Name"] == "Ours"
    assert told["me"]["username"] == "admin"
    assert told["users"] == ["ada", "admin", "bob"]
    assert told["updated"]["name"] == told["ada herself"] == "Augusta"
    assert told["token"]["userId"] == told["ada"]["_id"] == told["info of ada"]["_id"]
    assert (told["channel"]["topic"], told["channel"]["description"]) == ("News", "All of it")
    assert told["members"] == ["ada", "admin", "bob"]
    assert told["channels"] == ["general", TOWN]
    assert told["groups"] == ["club"]
    assert told["room"]["_id"] == told["group"]["_id"]
    assert told["directs"] == [told["direct"]["_id"]]
    assert told["fetched"]["msg"] == told["sent"]["msg"] == "again"
    assert told["history"] == ["better", "hello"]
    assert {message["msg"] for message in told["synced"]["updated"]} >= {"better", "hello"}
    assert len(told["rooms"]["update"]) == len(told["subscriptions"]["update"]) == 4
    assert told["subscription"]["name"] == TOWN
    assert told["settings"]["Accounts_LoginExpiration"] == 90
    assert told["setting"]["value"] == "Ours"
    assert told["off"]["active"] is False
    assert told["deleted"]["success"] is True
    assert [told[name] for name in ("left out", "nobody", "dead")] == [403, 400, 401]
    assert told["bye"]["status"] == "success"


@pytest.mark.parametrize("name", ["admin", "admin@sandbox.localhost"])
async def test_its_login_takes_names_and_addresses(name: str) -> None:
    from rocketchat_API.APIExceptions.RocketExceptions import RocketAuthenticationException
    from rocketchat_API.rocketchat import RocketChat

    async with RocketChatSandbox(rate_limit=None) as sandbox:
        url, password = sandbox.url, sandbox.admin_password
        assert (await asyncio.to_thread(lambda: RocketChat(name, password, server_url=url).me()))["username"] == "admin"
        with pytest.raises(RocketAuthenticationException):
            await asyncio.to_thread(RocketChat, name, "wrong", server_url=url)
