"""Create the users of your product, and the chats about their orders, on the platform.

Run it as often as you like: existing records are left unchanged. Settings come from the environment; for a local try,
`ethora sandbox` prints them. Exits with 1 when something could not be done, and says what.

    python examples/provision.py
"""

from __future__ import annotations

import asyncio
import sys

from ethora_async import ChatError, EthoraClient, NewChat, NewUser

# In your product these come from a database, for example as an async generator: nothing is kept in memory here.
PEOPLE = [("ann", "Ann", "Lee"), ("bob", "Bob", "Ray"), ("cyd", "Cyd", "Doe")]
ORDERS = [("1042", "Order 1042", ["ann", "bob"]), ("1043", "Order 1043", ["cyd"])]


async def provision() -> bool:
    """Create the users first: a chat is created with its members."""
    people = (NewUser(id=id, email=f"{id}@example.com", first_name=first, last_name=last) for id, first, last in PEOPLE)
    orders = (NewChat(id=id, title=title, members=members) for id, title, members in ORDERS)
    async with EthoraClient.from_env() as ethora:
        users = await ethora.users.create_many(people)
        chats = await ethora.chats.create_many(orders)
    print(f"users: {users}")
    print(f"chats: {chats}")
    for outcome in [*users.failures, *chats.failures]:
        print(f"{outcome.key}: {outcome.error}", file=sys.stderr)
    return users.ok and chats.ok


if __name__ == "__main__":
    try:
        sys.exit(0 if asyncio.run(provision()) else 1)
    except ChatError as error:  # the platform cannot be reached, or a setting is missing
        sys.exit(f"error: {error}")
