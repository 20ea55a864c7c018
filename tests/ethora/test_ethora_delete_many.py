"""A single id instead of a list."""

from __future__ import annotations

from ethora_async import EthoraClient
from ethora_async.sandbox import EthoraSandbox


async def test_one_id_is_one_and_not_its_letters() -> None:
    async with (
        EthoraSandbox() as sandbox,
        EthoraClient(app_id=sandbox.app_id, secret=sandbox.secret, api_url=sandbox.url) as client,
    ):
        for id in ("10", "1", "0"):
            await client.users.create(id, email=f"u{id}@example.com", first_name="Ann", last_name="Lee")
            await client.chats.create(id, title="Room")
        assert str(await client.users.delete_many("10")) == "1 deleted"
        assert str(await client.chats.delete_many("10")) == "1 deleted"
        assert (await client.users.get("1")).id == "1"
        assert {chat.id async for chat in client.chats.list()} == {"1", "0"}
