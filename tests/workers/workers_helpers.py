"""Helpers for the tests of runs on several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async import EthoraClient, RetryPolicy
from ethora_async.sync.plan.directories import identity
from ethora_async.sync.store.items import Entry
from ethora_async.workers.ledger import ChunkItems, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.workers.ledger import Ledger

CREATE = Step(1, "user", "create")


def client_of(settings: dict[str, str], **options: Any) -> EthoraClient:
    return EthoraClient(
        app_id=settings["ETHORA_CHAT_APP_ID"],
        secret=settings["ETHORA_CHAT_APP_SECRET"],
        api_url=settings["ETHORA_CHAT_API_URL"],
        **{"retry": RetryPolicy(attempts=2, base=0.01, cap=0.02), **options},
    )


def users(count: int, start: int = 1) -> list[Entry]:
    return [
        Entry(number, 1, "user", "create", f"u{number}", after=wanted(f"u{number}"))
        for number in range(start, start + count)
    ]


def wanted(id: str) -> dict[str, str]:
    return {"id": id, "email": f"{id}@example.com", "first_name": "Given", "last_name": "Family"}


async def chunks(*parts: Sequence[Entry], local: Sequence[Entry] = ()) -> AsyncIterator[ChunkItems]:
    for part in parts:
        yield ChunkItems([*part])
    if local:
        yield ChunkItems(local, local=True)


async def pushed(ledger: Ledger, client: EthoraClient, *steps: tuple[Step, AsyncIterator[ChunkItems]]) -> str:
    await client.users.reserved()
    return await ledger.push(identity(client), steps)


async def people(sandbox: EthoraSandbox) -> set[str]:
    async with client_of(sandbox.environment) as client:
        reserved = await client.users.reserved()
        return {user.id async for user in client.users.list() if not reserved(user)}
