"""Reconciling corrects drift, and ignores differences that a pending intent explains."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from managed_platforms import chats_of, people_of, platform_of
from test_outbox_worker import applied, user, want

from ethora_async import InvalidInputError, NewChat, outbox
from ethora_async.outbox import reconcile as reconcile_with_lag
from ethora_async.outbox import reconcile_every
from ethora_async.sync import Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from managed_platforms import Platform

    from ethora_async.outbox.lanes import Store


async def reconcile(*args: Any, **options: Any) -> Any:
    """Of a platform whose listings do not lag."""
    return await reconcile_with_lag(*args, lag=0, **options)


class Table:
    """An application's table as a source; `when_read` is called just before its first row is read."""

    name = "people"

    def __init__(self, *items: Any, when_read: Callable[[], Any] | None = None) -> None:
        self.items = list(items)
        self.when_read = when_read

    async def fingerprint(self) -> str:
        return "x"

    async def rows(self) -> AsyncGenerator[Any, None]:
        if self.when_read is not None:
            await self.when_read()
        for line, item in enumerate(self.items, start=1):
            yield Row(item, line)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with platform_of("ethora") as made:
        yield made


async def test_drift_is_counted_and_put_right(platform: Platform, store: Store) -> None:
    await want(store, (outbox.want_users, [user("ann"), user("bob"), user("cy")]))
    await want(store, (outbox.want_chat, NewChat(id="c", title="T", members=["ann"])))
    await applied(platform, store)
    # Somebody meddles.
    await platform.client.users.delete("bob")
    await platform.client.users.update("ann", last_name="Meddled")
    await platform.client.users.create("zed", email="zed@example.com", first_name="Zed", last_name="Lee")
    await platform.client.chats.revoke("c", "ann")
    lists: Any = {
        "users": Table(user("ann"), user("bob"), user("cy")),
        "chats": Table(NewChat(id="c", title="T")),
        "members": Table(("c", "ann")),
    }
    found = await reconcile(platform.client, store, **lists)
    assert found.drift == {"member grant": 1, "user create": 1, "user update": 1}
    assert (found.pending, found.extras, found.guard, found.in_step) == (0, {"user": 1}, None, False)
    assert ((await store.status()).reconciled or {})["drift"] == found.drift
    # What is on its way now is no drift any more.
    again = await reconcile(platform.client, store, **lists)
    assert (again.drift, again.pending) == ({}, 3)
    await applied(platform, store)
    assert sorted(await people_of(platform)) == ["ann", "bob", "cy", "zed"]
    assert await chats_of(platform) == {"c": {"ann"}}
    assert (await reconcile(platform.client, store, **lists)).in_step


async def test_extras_are_removed_within_the_guard(platform: Platform, store: Store) -> None:
    everybody = [user(f"u{number}") for number in range(5)]
    await platform.client.users.create_many([*everybody, user("zed")])
    table = Table(*everybody)
    stopped = await reconcile(platform.client, store, users=table, prune=True)
    assert stopped.guard is not None
    assert "1 of 6 users" in stopped.guard
    assert (await store.status()).waiting == {}
    allowed = await reconcile(platform.client, store, users=table, prune=True, allow_delete=1)
    assert (allowed.drift, allowed.guard) == ({"user delete": 1}, None)
    await applied(platform, store)
    assert "zed" not in await people_of(platform)


async def test_deletions_on_their_way_do_not_set_off_the_guard(platform: Platform, store: Store) -> None:
    everybody = [user(f"u{number}") for number in range(4)]
    await platform.client.users.create_many(everybody)
    await want(store, (outbox.want_no_users, ["u0", "u1", "u2"]))
    found = await reconcile(platform.client, store, users=Table(everybody[3]), prune=True)
    assert (found.drift, found.pending, found.guard) == ({}, 3, None)


async def test_whoever_signs_up_meanwhile_is_not_deleted(platform: Platform, store: Store) -> None:
    """The platform is listed first; users who sign up later are in the table, and do not count as drift."""
    everybody = [user(f"u{number}") for number in range(20)]
    await platform.client.users.create_many(everybody)
    table = Table(*everybody)

    async def sign_up() -> None:
        await want(store, (outbox.want_user, user("fresh")))
        await applied(platform, store)
        table.items.append(user("fresh"))
        await want(store, (outbox.want_no_user, "u0"))
        await applied(platform, store)
        table.items.pop(0)

    table.when_read = sign_up
    found = await reconcile(platform.client, store, users=table, prune=True)
    assert found.drift == {}
    await applied(platform, store)
    assert sorted(await people_of(platform)) == sorted([*(f"u{number}" for number in range(1, 20)), "fresh"])


async def test_what_was_just_carried_out_is_not_judged(platform: Platform, store: Store) -> None:
    """A listing may still show somebody who was deleted a moment ago."""
    await platform.client.users.create_many([user("ann"), user("bob")])
    await want(store, (outbox.want_no_user, "bob"))
    await applied(platform, store)
    platform.sandbox.faults.clear()
    await platform.client.users.create("bob", email="bob@example.com", first_name="Bob", last_name="Lee")
    found = await reconcile_with_lag(platform.client, store, users=Table(user("ann")), prune=True)
    assert (found.drift, found.pending) == ({}, 1)
    assert (await reconcile(platform.client, store, users=Table(user("ann")), prune=True, allow_delete=1)).drift == {
        "user delete": 1
    }


async def test_it_goes_on_for_ever(platform: Platform, store: Store) -> None:
    await platform.client.users.create_many([user("ann")])
    seen = []
    async with aclosing(reconcile_every(0.01, platform.client, store, users=Table(user("ann")))) as runs:
        async for found in runs:
            seen.append(found.in_step)
            if len(seen) == 2:
                break
    assert seen == [True, True]


async def test_a_source_with_passwords_is_refused(platform: Platform, store: Store) -> None:
    with pytest.raises(InvalidInputError, match="password"):
        await reconcile(platform.client, store, users=Table(user("ann", password="canary-secret")))
