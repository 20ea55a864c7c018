"""Tenant administration from end to end, on a local Ethora."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
from scripted_ethora import APP, CHILD

from ethora_async import (
    ConflictError,
    EthoraClient,
    ForbiddenError,
    JobFailedError,
    MongoId,
    NewUser,
    NotFoundError,
    UnauthorizedError,
)
from ethora_async.platforms.ethora.apps.api import NewRoom
from ethora_async.platforms.ethora.users.records import UserImport
from ethora_async.testing.implementers import Canary

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.in_app import InApp
    from ethora_async.platforms.ethora.sessions.user_client import UserClient
    from ethora_async.sandbox import EthoraSandbox


def newcomer(id: str) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee")


async def test_an_app_lives_is_archived_restored_and_purged(tenant: EthoraClient, platform: EthoraSandbox) -> None:
    made = await tenant.apps.create("Shop", domain_name="shop1", primary_color="#112233", default_chat=True)
    assert (made.display_name, made.domain_name, made.parent_id, made.archived) == ("Shop", "shop1", APP, False)
    assert made.app_secret is not None
    assert made.app_secret.reveal() == platform.store.app(made.id).secret
    changed = await tenant.apps.update(made.id, display_name="Shop 2", tagline="Hi")
    assert (changed.value.display_name, changed.value.extra["appTagline"]) == ("Shop 2", "Hi")
    await tenant.apps.update(made.id, tagline="")
    assert (await tenant.apps.get(made.id)).extra["appTagline"] == ""
    assert (await tenant.apps.find("shop1")).id == made.id

    assert (await tenant.apps.delete(made.id)).status == "deleted"
    assert (await tenant.apps.get(made.id)).archived
    with pytest.raises(ForbiddenError) as caught:
        await tenant.in_app(made.id).users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    assert caught.value.code == "APP_ARCHIVED"
    assert caught.value.request_id
    assert made.id not in [app.id async for app in tenant.apps.list()]
    assert made.id in [app.id async for app in tenant.apps.list(include_archived=True)]
    await tenant.apps.restore(made.id)
    assert not (await tenant.apps.get(made.id)).archived

    job = await tenant.apps.delete(made.id, hard=True)
    assert (await job).status == "deleted"
    assert (await tenant.apps.purge_job(job.id).status()).ended
    with pytest.raises(NotFoundError):
        await tenant.apps.get(made.id)
    assert (await tenant.apps.delete(made.id)).status == "absent"


async def test_apps_are_listed_in_order_and_in_pages(tenant: EthoraClient) -> None:
    for name in ("Cedar", "alder", "Birch"):
        await tenant.apps.create(name)
    found = [app.display_name async for app in tenant.apps.list(order_by="display_name", order="desc", limit=2)]
    assert [name for name in found if name not in ("App", "Child")] == ["Cedar", "Birch", "alder"]
    assert (await tenant.apps.list(limit=2)).total == len(found) == 5


async def test_strangers_apps_are_forbidden_and_missing_ones_are_not_found(
    tenant: EthoraClient, platform: EthoraSandbox
) -> None:
    stranger = platform.add_app("stranger", parent=None).id
    for call in (
        tenant.apps.get(stranger),
        tenant.apps.delete(stranger),
        tenant.apps.tokens(stranger).create(),
        tenant.in_app(stranger).broadcasts.send("hi", all_chats=True),
        tenant.in_app(stranger).users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee"),
    ):
        with pytest.raises(ForbiddenError) as refused:
            await call
        assert refused.value.request_id
    for other in (tenant.apps.get("f" * 24), tenant.apps.tokens("f" * 24).create(), tenant.apps.bot("f" * 24).get()):
        with pytest.raises(NotFoundError) as caught:
            await other
        assert caught.value.code == "APP_NOT_FOUND"
    with pytest.raises(ConflictError) as taken:
        await tenant.apps.create("Again", domain_name="child")
    assert taken.value.status == 422


async def test_a_child_cannot_touch_its_parent(platform: EthoraSandbox) -> None:
    secret = platform.store.app(CHILD).secret
    async with EthoraClient(app_id=CHILD, secret=secret, api_url=platform.url) as child:
        with pytest.raises(ForbiddenError):
            await child.apps.get(APP)
        assert (await child.apps.get(CHILD)).id == CHILD


async def test_app_tokens_open_what_they_are_for_until_they_end(tenant: EthoraClient) -> None:
    tokens = tenant.apps.tokens(CHILD)
    first = await tokens.create(label="web")
    assert first.value is not None
    with Canary(first.value.reveal()) as canary:
        rotated = await tokens.rotate(first.id)
    assert rotated.value is not None
    assert rotated.value != first.value
    listed = {token.id: token async for token in tokens.list()}
    canary.check(first, rotated, listed)
    assert [listed[one.id].status for one in (first, rotated)] == ["revoked", "active"]
    assert all(token.value is None for token in listed.values())
    assert (await tokens.revoke(rotated.id)).status == "deleted"
    assert (await tokens.revoke("nonesuch")).status == "absent"
    with pytest.raises(NotFoundError):
        await tokens.rotate("nonesuch")


async def test_rooms_and_the_bot_are_set_up(tenant: EthoraClient, child: InApp, platform: EthoraSandbox) -> None:
    run = tenant.apps.provision(CHILD, [NewRoom(f"Room {at}", pinned=at == 0) for at in range(21)])
    rooms = [outcome.value async for outcome in run]
    assert [room.title for room in rooms] == [f"Room {at}" for at in range(21)]
    extra = await child.chats.default_rooms.create("Lobby", pinned=True)
    listed = {room.name: room async for room in child.chats.default_rooms.list()}
    assert set(listed) == {extra.name, *(room.name for room in rooms)}
    assert listed[extra.name].pinned
    assert (await child.chats.default_rooms.delete(extra.id)).status == "deleted"
    assert (await child.chats.default_rooms.delete(extra.id)).status == "absent"
    with pytest.raises(UnauthorizedError):
        await tenant.chats.default_rooms.list()  # the app's own server token does not open it

    bot = tenant.apps.bot(CHILD)
    assert not (await bot.get()).enabled
    after = await bot.update(enabled=True, trigger="/bot", prompt="Be brief.", rag=True, first_name="Ada")
    assert (after.enabled, after.trigger, after.prompt, after.rag) == (True, "/bot", "Be brief.", True)
    assert (await bot.update(prompt="")).prompt == ""


async def test_an_app_is_copied_by_a_bundle(tenant: EthoraClient, platform: EthoraSandbox) -> None:
    await tenant.in_app(CHILD).users.create_many([newcomer("u1"), newcomer("u2")])
    bundle = await tenant.apps.export(CHILD)
    assert bundle.schema_version == "ethora.app.bundle.v1"
    assert "users" not in (await tenant.apps.export(CHILD, include="chats")).content
    with pytest.raises(ConflictError):
        await tenant.apps.import_bundle(bundle)
    copy = await tenant.apps.import_bundle(bundle, domain_name="copy")
    assert copy.summary["users"] == 2
    assert platform.store.app(copy.id).users.find("u2") is not None


async def test_domain_names_are_checked_by_a_users_session(admin: UserClient) -> None:
    assert await admin.apps.domain_name_is_free("unheardof")
    assert not await admin.apps.domain_name_is_free("child")


async def test_a_broadcast_reaches_chats_however_they_are_named(tenant: EthoraClient, platform: EthoraSandbox) -> None:
    app = tenant.in_app(CHILD)
    for id in ("c1", "c2", "c3"):
        await app.chats.create(id, title=id)
    record = MongoId(platform.store.app(CHILD).chats.find("c3").id)  # type: ignore[union-attr]
    job = await app.broadcasts.send("Hello", chats=["c1", f"{CHILD}_c2@conference.x.y", "gone"], metadata={"a": 1})
    outcomes = {outcome.key: outcome async for outcome in job}
    assert {key: one.status for key, one in outcomes.items()} == {"c1": "created", "c2": "created", "gone": "failed"}
    assert isinstance(outcomes["gone"].error, NotFoundError)
    assert str(await (await app.broadcasts.send("By id", chats=[record, "c1"]))) == "2 created"
    assert str(await (await app.broadcasts.send("Rehearsal", all_chats=True, dry_run=True))) == "3 unchanged"
    assert str(await app.broadcasts.job((await app.broadcasts.send("All", all_chats=True)).id)) == "3 created"
    said = {id: [one.body async for one in app.chats.messages(id)] for id in ("c1", "c2", "c3")}
    assert said == {"c1": ["Hello", "By id", "All"], "c2": ["Hello", "All"], "c3": ["By id", "All"]}
    with pytest.raises(NotFoundError):
        await app.broadcasts.job("nonesuch").status()
    with pytest.raises(JobFailedError):
        await app.broadcasts.job("nonesuch")


async def test_messages_are_read_back_searched_and_cleared(tenant: EthoraClient) -> None:
    await tenant.chats.create("c1", title="One")
    await tenant.chats.create("c2", title="Two")
    for number in range(7):
        await (await tenant.broadcasts.send(f"needle {number}", chats="c1"))
    await (await tenant.broadcasts.send("needle elsewhere", all_chats=True))
    pages = [page async for page in tenant.chats.messages("c1", limit=3).by_page()]
    assert [len(page.items) for page in pages] == [3, 3, 2]
    assert pages[0].total == 8
    resumed = tenant.chats.messages("c1", limit=3, before=pages[0].next_before)
    assert [m.id async for m in resumed] == [m.id for page in pages[1:] for m in page.items]
    found = [message async for message in tenant.chats.search("needle", chat="c1", sort="date", limit=3)]
    assert len(found) == 8
    assert len([message async for message in tenant.chats.search("needle")]) == 9
    one = found[4]
    assert one.stanza_id is not None
    around = await tenant.chats.messages_context("c1", stanza_id=one.stanza_id, radius=1)
    assert [message.body for message in around] == ["needle 2", "needle 3", "needle 4"]
    with pytest.raises(NotFoundError):
        await tenant.chats.messages_context("c1", message_id="nonesuch")
    assert (await tenant.chats.clear_messages("c1")).status == "deleted"
    assert (await tenant.chats.messages("c1")).items == ()
    assert [message.body async for message in tenant.chats.messages("c2")] == ["needle elsewhere"]


async def test_an_owner_imports_tags_and_exports_users(child: InApp, platform: EthoraSandbox) -> None:
    rows = [UserImport(email=f"u{at}@example.com", first_name="Ann", last_name="Lee") for at in range(5)]
    assert str(await child.users.import_many(rows[:3])) == "3 created"
    run = child.users.import_many(rows)
    outcomes = [outcome async for outcome in run]
    assert sorted(outcome.key for outcome in outcomes if outcome.status == "existed") == [row.email for row in rows[:3]]
    assert str(run.report) == "2 created, 3 existed"
    users = [user async for user in child.users.list(limit=2) if user.email != platform.admin_email]
    by_email = {user.email: user for user in users}
    one, other = by_email["u0@example.com"], by_email["u1@example.com"]
    assert one.record_id is not None
    assert str(await child.users.set_tags([MongoId(one.record_id), other.id], ["vip", "eu"])) == "2 updated"
    await child.users.add_tags(other.id, "new")
    await child.users.remove_tags([one.id, other.id], "eu")
    app = platform.store.app(CHILD)
    assert [app.users.find(user.id).profile.tags for user in (one, other)] == [("vip",), ("vip", "new")]  # type: ignore[union-attr]
    assert (await child.users.update_profile(one.id, first_name="Zoë")).status == "updated"
    table = list(csv.DictReader((await child.users.export()).decode().splitlines()))
    assert {row["email"]: row["firstName"] for row in table}["u0@example.com"] == "Zoë"
    with pytest.raises(NotFoundError):
        await child.users.set_tags("nobody", "vip")


async def test_an_owners_routes_refuse_the_apps_own_token(tenant: EthoraClient) -> None:
    other = tenant.in_app(CHILD)
    for call in (other.users.list(), other.users.export(), other.users.set_tags(MongoId("f" * 24), "vip")):
        with pytest.raises(UnauthorizedError) as caught:
            await call
        assert caught.value.request_id
    with pytest.raises(UnauthorizedError):
        await other.users.import_many([UserImport(email="a@example.com", first_name="Ann", last_name="Lee")])


async def test_a_childs_users_and_chats_are_complete(tenant: EthoraClient) -> None:
    other = tenant.in_app(CHILD)
    await other.users.create_many([newcomer(f"u{at}") for at in range(40)])
    await other.chats.create("c1", title="One", members=[f"u{at}" for at in range(40)])
    assert len([user async for user in other.chats.members("c1", limit=9)]) == 40
    assert [chat.id async for chat in other.users.chats("u7")] == ["c1"]
    await (await other.broadcasts.send("hi", all_chats=True))
    counts = await other.users.unread_counts(["u1", "u2", "nobody"])
    assert counts == {"u1": 1, "u2": 1}
    assert await other.users.unread_counts("u1", mode="flag") == {"u1": True}
    assert (await other.chats.delete("c1")).status == "deleted"
    assert str(await other.users.delete_many(["u1", "nobody"])) == "1 deleted, 1 absent"


async def test_the_synchronous_batch_creates_and_finds_again(tenant: EthoraClient, platform: EthoraSandbox) -> None:
    users = [newcomer(f"u{at}") for at in range(30)]
    assert str(await tenant.users.create_many(users[:20], synchronous=True)) == "20 created"
    assert not any("/users/batch/" in request.path for request in platform.requests)
    thief = NewUser(id="new", email="u3@example.com", first_name="Al", last_name="Bo")
    run = tenant.users.create_many([*users, thief], synchronous=True)
    outcomes = {outcome.key: outcome async for outcome in run}
    assert str(run.report) == "10 created, 20 existed, 1 failed"
    assert isinstance(outcomes["new"].error, ConflictError)
