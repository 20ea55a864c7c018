"""Synchronising users and chats: matching ids, comparing records, recognising the platform's own accounts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_ethora import APP, SECRET, URL, Scripted, ok, person, reply

from ethora_async import ConfigError, EthoraClient, InvalidInputError, MongoId, NewChat, NewUser, ServerFaultError
from ethora_async.capabilities import ManagesChats, ManagesUsers
from ethora_async.platforms.ethora.apps.api import NewRoom
from ethora_async.platforms.ethora.users.api import UserChange
from ethora_async.records import Chat, User
from ethora_async_secrets import StaticProvider

if TYPE_CHECKING:
    from ethora_async.sandbox import EthoraSandbox
    from ethora_async.sandbox.ethora.records import App
    from ethora_async.testing.users import FakeClock

IMAGE = "https://example.com/a.png?size=1&name=%C3%84"
HOSTILE = [
    "Zoë  von  Ö",
    "李小龙",
    "O'Neil <b>",
    "e\u0301e\u0301",
    "A\u200db",
    "\U0001f600\U0001f600",
    "Ann\tLee",
    '"\\n"',
]


def client(**options: Any) -> EthoraClient:
    return EthoraClient(app_id=APP, secret=SECRET, api_url=URL, **options)


async def by_key(ethora: EthoraClient) -> tuple[dict[str, User], dict[str, Chat]]:
    users = {ethora.users.plain_id(user.id): user async for user in ethora.users.list()}
    return users, {ethora.chats.plain_id(chat.id): chat async for chat in ethora.chats.list()}


def is_met(wanted: NewUser | NewChat, ethora: EthoraClient, found: User | Chat) -> bool:
    """Return whether no stated field differs, as `ethora_async.sync.plan.compare` decides it."""
    if isinstance(wanted, NewUser):
        assert isinstance(found, User)
        pair = ethora.users.comparable(wanted), ethora.users.comparable(found)
    else:
        assert isinstance(found, Chat)
        pair = ethora.chats.comparable(wanted), ethora.chats.comparable(found)
    assert pair[0].keys() == pair[1].keys()
    return all(pair[1][field] == value for field, value in pair[0].items() if value is not None)


async def test_the_client_can_keep_users_and_chats_in_step() -> None:
    ethora = client()
    for one in (ethora, ethora.in_app("child"), client(legacy_api=True)):
        assert isinstance(one, ManagesUsers)
        assert isinstance(one, ManagesChats)
        assert one.users.changeable == {"first_name", "last_name", "profile_image"}
        assert one.chats.changeable == {"title", "description"}
        assert one.users.changeable < one.users.comparable(person("u1")).keys()
        assert one.chats.changeable < one.chats.comparable(NewChat(id="c1", title="Chat")).keys()


async def test_what_was_created_compares_equal_whatever_the_texts(ethora: EthoraClient) -> None:
    users = [
        person(f"u{number}", email=f" U{number}@EXAMPLE.com ", first_name=f" {text}\n", last_name=text)
        for number, text in enumerate(HOSTILE)
    ]
    users += [person("with", profile_image=IMAGE, password="long-enough"), person("Upper.7")]
    chats = [
        NewChat(id=f"c{number}", title=f" {text} ", description=f"{text}\r\n{text}")
        for number, text in enumerate(HOSTILE)
    ]
    chats += [
        NewChat(id="none", title="T"),
        NewChat(id="empty", title="T", description=""),
        NewChat(id="blank", title="T", description=" \n"),
        NewChat(id="open", title="T", access="public"),
        NewChat(id="Upper.7", title="T"),
    ]
    (await ethora.users.create_many(users)).raise_for_failures()
    (await ethora.chats.create_many(chats)).raise_for_failures()
    listed_users, listed_chats = await by_key(ethora)
    assert {ethora.users.plain_id(user.id) for user in users} <= listed_users.keys()
    assert {ethora.chats.plain_id(chat.id) for chat in chats} == listed_chats.keys()
    assert [user.id for user in users if not is_met(user, ethora, listed_users[ethora.users.plain_id(user.id)])] == []
    assert [chat.id for chat in chats if not is_met(chat, ethora, listed_chats[ethora.chats.plain_id(chat.id)])] == []


async def test_a_change_makes_the_fields_equal_and_leaves_the_others(ethora: EthoraClient) -> None:
    await ethora.users.create_many([person("u1", profile_image=IMAGE), person("u2")])
    await ethora.chats.create_many([NewChat(id="c1", title="Old", description="Old")])
    wanted = [
        person("u1", first_name="Zoë", last_name="New", profile_image=f"{IMAGE}&v=2"),
        person(f"{APP}_u2", email="u2@example.com", first_name="Bea", profile_image=IMAGE),
    ]
    changes = [ethora.users.change(user, ethora.users.changeable) for user in wanted]
    assert (await ethora.users.update_many(changes)).counts == {"updated": 2}
    await ethora.chats.update("c1", title="New", description="")
    users, chats = await by_key(ethora)
    assert all(is_met(user, ethora, users[ethora.users.plain_id(user.id)]) for user in wanted)
    assert is_met(NewChat(id="c1", title="New", description=""), ethora, chats["c1"])
    await ethora.users.update_many([ethora.users.change(person("u1", first_name="X2"), frozenset({"first_name"}))])
    users, _ = await by_key(ethora)
    assert ethora.users.comparable(users["u1"]) == {
        "email": "u1@example.com", "first_name": "X2", "last_name": "New", "profile_image": f"{IMAGE}&v=2",
    }  # fmt: skip


def test_a_change_holds_only_the_fields_asked_for() -> None:
    user = person("u1", profile_image=IMAGE)
    users = client().users
    assert users.change(user, frozenset({"last_name"})) == UserChange(id="u1", last_name="Lee")
    assert users.change(user, frozenset({"profile_image", "first_name", "email"})) == UserChange(
        id="u1", first_name="Ann", profile_image=IMAGE
    )


def test_a_password_is_no_part_of_what_is_compared() -> None:
    state = client().users.comparable(person("u1", password="hunter2-hunter2"))
    assert state == {"email": "u1@example.com", "first_name": "Ann", "last_name": "Lee", "profile_image": None}


def test_an_address_compares_in_lower_case_and_what_is_not_told_is_none() -> None:
    users, chats = client().users, client().chats
    assert users.comparable(User(id="u1", email=" Ann@Example.COM ")) == {
        "email": "ann@example.com", "first_name": None, "last_name": None, "profile_image": None,
    }  # fmt: skip
    assert chats.comparable(Chat(id="c1", name="c1")) == {"title": None, "description": "", "access": None}
    kinds = {kind: chats.comparable(Chat(id="c1", name="c1", type=kind))["access"] for kind in ("group", "public")}
    assert kinds == {"group": "private", "public": "public"}


@pytest.mark.parametrize(
    ("id", "key"),
    [
        ("u1", "u1"),
        (7, "7"),
        (" u1 ", "u1"),
        (f"{APP}_u1", "u1"),
        (f"{APP}_{APP}_u1", "u1"),
        (f"{APP}_u1@xmpp.example.com", "u1"),
        (f"{APP}_c1@conference.xmpp.example.com", "c1"),
        (f"{APP}1_u1", f"{APP}1_u1"),
        ("U1", "U1"),
        (MongoId("A" * 24), "a" * 24),
        ("ann@example.com", "ann@example.com"),
    ],
)
def test_ids_meet_in_one_form(id: Any, key: str) -> None:
    for part in (client().users, client().chats):
        assert part.plain_id(id) == key
        assert type(part.plain_id(id)) is str
        assert part.plain_id(part.plain_id(id)) == key


@given(st.text(min_size=1, max_size=12))
def test_the_key_of_whatever_can_be_created_stays_what_it_is(text: str) -> None:
    try:
        user = person("u1", id=text)
    except InvalidInputError:
        return
    users = client().users
    key = users.plain_id(user.id)
    assert users.plain_id(f"{APP}_{key}") == users.plain_id(key) == key


async def test_before_the_app_id_is_known_there_are_no_keys(sandbox: EthoraSandbox, clock: FakeClock) -> None:
    async with contextlib.aclosing(EthoraClient(secret=StaticProvider(sandbox.environment), clock=clock)) as late:
        for part in (late.users, late.chats):
            with pytest.raises(ConfigError, match="await any call first"):
                part.plain_id("u1")
        await late.users.reserved()
        assert late.users.plain_id(f"{APP}_u1") == late.chats.plain_id(f"{APP}_u1") == "u1"


async def test_the_platforms_own_accounts_are_told(sandbox: EthoraSandbox, app: App, clock: FakeClock) -> None:
    visitor, jid = f"widget-{uuid4()}", f"{APP}_helper@xmpp.example.com"
    await sandbox.seed_users(
        [{"id": id, "email": f"{id}@example.com", "first_name": "Ann", "last_name": "Lee"}
         for id in ("u1", visitor, "helper", "ownerless", "named")]
    )  # fmt: skip
    assert app.bot is not None
    app.bot["botXmppUsername"] = f"{APP}_named"
    async with EthoraClient(app_id=APP, secret=SECRET, api_url=sandbox.url, clock=clock, bot_jid=jid) as ethora:
        own = await ethora.users.reserved()
        told = {user.id.partition("-")[0]: own(user) async for user in ethora.users.list()}
    assert told == {"owner": True, "widget": True, "helper": True, "named": True, "u1": False, "ownerless": False}


async def test_the_platforms_own_chats_are_told(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    await ethora.users.create_many([person("u1"), person("u2")])
    await ethora.apps.provision(APP, [NewRoom("Lobby"), NewRoom("News", pinned=True)])
    admin = ethora.as_user(await ethora.sessions.login(sandbox.admin_email, sandbox.admin_password))
    await admin.chats.private("u1")
    await ethora.chats.create_many([NewChat(id="c1", title="Ours"), NewChat(id="c2", title="Open", access="public")])
    own = await ethora.chats.reserved()
    told = [(chat.type, chat.title, own(chat)) async for chat in ethora.chats.list()]
    assert sorted(entry[:2] for entry in told if entry[2] and entry[0] != "private") == [
        ("public", "Lobby"), ("public", "News"),
    ]  # fmt: skip
    assert [entry[2] for entry in told if entry[0] == "private"] == [True]
    assert {entry[1] for entry in told if not entry[2]} == {"Open", "Ours"}


async def test_a_child_app_has_its_own(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    child = (await ethora.apps.create("Child", domain_name="child")).id
    inside = ethora.in_app(child)
    await inside.users.create_many([person("k1")])
    await inside.chats.create_many([NewChat(id="c1", title="Ours")])
    await ethora.apps.provision(child, [NewRoom("Lobby")])
    admin = ethora.as_user(await ethora.sessions.login(sandbox.admin_email, sandbox.admin_password)).in_app(child)
    own_user, own_chat = await admin.users.reserved(), await admin.chats.reserved()
    assert {user.id.partition("-")[0]: own_user(user) async for user in admin.users.list()} == {
        "owner": True, "k1": False,
    }  # fmt: skip
    assert {chat.title: own_chat(chat) async for chat in inside.chats.list()} == {"Ours": False, "Lobby": True}
    assert inside.users.plain_id(f"{child}_k1") == "k1"


async def test_telling_costs_one_request_each(ethora: EthoraClient, sandbox: EthoraSandbox) -> None:
    before = len(sandbox.requests)
    await ethora.users.reserved()
    await ethora.chats.reserved()
    assert [request.path for request in list(sandbox.requests)[before:]] == [
        f"/v2/apps/{APP}/bot", f"/v2/apps/{APP}",
    ]  # fmt: skip


async def test_without_a_bot_or_a_route_the_rest_is_told_all_the_same(clock: FakeClock) -> None:
    for missing in (reply(404, b"Cannot GET"), reply(422, {"error": "no bot", "code": "BOT_NOT_INITIALIZED"})):
        ethora = Scripted(clock, missing).client
        own_user, own_chat = await ethora.users.reserved(), await ethora.chats.reserved()
        assert [own_user(User(id=id)) for id in ("owner-1", "u1")] == [True, False]
        assert [own_chat(Chat(id="c", name="c", type=kind)) for kind in ("widget", "group")] == [True, False]


async def test_what_cannot_be_asked_is_an_error_and_no_guess(clock: FakeClock) -> None:
    for status in (500, 503):
        ethora = Scripted(clock, reply(status)).client
        with pytest.raises(ServerFaultError):
            await ethora.users.reserved()
        with pytest.raises(ServerFaultError):
            await ethora.chats.reserved()


async def test_default_rooms_named_by_the_app_are_told_without_a_mark(clock: FakeClock) -> None:
    about = {"app": {"_id": APP, "defaultRooms": [{"jid": f"{APP}_lobby@conference.host"}]}}
    own = await Scripted(clock, ok(about)).client.chats.reserved()
    assert [own(Chat(id=id, name=f"{APP}_{id}", type="public")) for id in ("lobby", "lobby2")] == [True, False]
