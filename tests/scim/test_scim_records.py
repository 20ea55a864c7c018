"""SCIM records become chat users, rooms and memberships; tokens and access to the service."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from managed_platforms import PLATFORMS, chats_of, named_people_of, platform_of
from scim_helpers import GROUP, TOKEN, Scim, served, user

from ethora_async import ConfigError, InvalidInputError, outbox
from ethora_async.web import Request, TokenEndpoint
from ethora_async.web.scim import ScimDirectory, ScimMapping, ScimTokens
from ethora_async_secrets import SecretBundle
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Callable


async def _delivered(platform: Any, url: str) -> None:
    await outbox.Worker(platform.client, url, deadline=2).run_once()


@pytest.mark.parametrize("name", PLATFORMS)
async def test_the_platform_becomes_what_the_records_say(name: str, sqlite_url: str) -> None:
    async with platform_of(name) as platform, served(sqlite_url) as scim:
        ann, bob = await scim.create_user("ann"), await scim.create_user("bob", active=False)
        group = await scim.create_group("Team", ann["id"], bob["id"])
        await _delivered(platform, sqlite_url)
        assert await named_people_of(platform) == {ann["id"]: ("ann@example.com", "Ann")}
        assert await chats_of(platform) == {group["id"]: {ann["id"]}}

        await scim.patch(f"/Users/{bob['id']}", {"op": "replace", "value": {"active": True}})
        await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "False"})
        await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "name.givenName", "value": "Anna"})
        await _delivered(platform, sqlite_url)
        assert set(await named_people_of(platform)) == {ann["id"], bob["id"]}
        assert await chats_of(platform) == {group["id"]: {bob["id"]}}

        await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "True"})
        await scim.ask("DELETE", f"/Users/{bob['id']}")
        await _delivered(platform, sqlite_url)
        assert await named_people_of(platform) == {ann["id"]: ("ann@example.com", "Anna")}
        assert await chats_of(platform) == {group["id"]: {ann["id"]}}

        await scim.ask("DELETE", f"/Groups/{group['id']}")
        await _delivered(platform, sqlite_url)
        assert await chats_of(platform) == {}


async def test_who_is_inactive_can_be_deleted_and_created_anew(database: str) -> None:
    async with served(database, ScimMapping(inactive="delete")) as scim:
        ann = await scim.create_user("ann")
        group = await scim.create_group("Team", ann["id"])
        await scim.forget_intents()
        await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": False}})
        assert await scim.intents() == [("user", ann["id"], "", None)]
        await scim.forget_intents()
        await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": True}})
        wanted = {"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}
        assert await scim.intents() == [("user", ann["id"], "", wanted), ("member", group["id"], ann["id"], {})]


async def test_the_external_id_can_be_the_chat_id_literally(database: str) -> None:
    async with served(database, ScimMapping(user_id="externalId", room_id="externalId")) as scim:
        ann = await scim.create_user("ann", externalId="507f1f77bcf86cd799439011")
        group = await scim.create_group("Team", ann["id"], externalId="team-7")
        assert [row[:3] for row in await scim.intents()] == [
            ("user", "507f1f77bcf86cd799439011", ""),
            ("chat", "team-7", ""),
            ("member", "team-7", "507f1f77bcf86cd799439011"),
        ]
        # The id is given once: a new external id does not make somebody else of a user.
        await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "externalId", "value": "other"})
        found = await scim.directory.find(external_id="other")
        assert found is not None
        assert found.user_id == "507f1f77bcf86cd799439011"
        assert (await scim.ask("DELETE", f"/Groups/{group['id']}")).status == 204
        assert (await scim.intents())[-1] == ("chat", "team-7", "", None)


@pytest.mark.parametrize("external_id", [None, "", "ann@example.com", "a b", "a/b", " ann", "ann\u200b", "ann\x00"])
async def test_an_external_id_that_is_no_chat_id_is_refused_when_it_is_written(scim: Scim, external_id: Any) -> None:
    scim.directory.mapping = ScimMapping(user_id="externalId")
    reply = await scim.ask("POST", "/Users", user("ann", externalId=external_id))
    assert (reply.status, reply.data["scimType"]) == (400, "invalidValue"), reply.data
    assert "externalId" in reply.data["detail"]
    assert await scim.intents() == []


async def test_ids_that_a_platform_takes_for_one_are_a_conflict(scim: Scim) -> None:
    scim.directory.mapping = ScimMapping(user_id="externalId")
    await scim.create_user("ann", externalId="Ann")
    reply = await scim.ask("POST", "/Users", user("bob", externalId="aNN"))
    assert (reply.status, reply.data["scimType"]) == (409, "uniqueness")


def _at(who: str, **fields: Any) -> dict[str, Any]:
    return {"value": f"{who}@Example.com", **fields}


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        ({"emails": [_at("home", type="home"), _at("Work", type="work")]}, "work@example.com"),
        ({"emails": [_at("a", type="work"), _at("b", primary=True)]}, "b@example.com"),
        ({"emails": [{"value": "no address", "primary": True}, {"value": "ann@corp.local"}]}, "ann@corp.local"),
        ({"emails": []}, "ann@example.com"),
        ({"emails": [], "userName": "ann"}, "ID@users.invalid"),
    ],
)
async def test_the_address_is_the_best_that_there_is(scim: Scim, fields: dict[str, Any], email: str) -> None:
    ann = await scim.create_user("ann", **fields)
    assert (await scim.intents())[0][3]["email"] == email.replace("ID", ann["id"])


async def test_who_has_no_address_can_be_refused(sqlite_url: str) -> None:
    async with served(sqlite_url, ScimMapping(email_domain=None)) as scim:
        reply = await scim.ask("POST", "/Users", user("ann", userName="ann", emails=[]))
        assert (reply.status, reply.data["scimType"]) == (400, "invalidValue")
        assert "e-mail" in reply.data["detail"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"name": {"givenName": "Ann", "familyName": "Lee"}}, ("Ann", "Lee")),
        ({"name": {"formatted": "Ann van der Lee"}}, ("Ann", "van der Lee")),
        ({"name": {}, "displayName": "Cher"}, ("Cher", "Cher")),
        ({"name": {"familyName": "Lee"}, "displayName": "Ann Lee"}, ("Ann", "Lee")),
        ({"name": {"givenName": " "}}, ("ann@example.com", "ann@example.com")),
    ],
)
async def test_names_are_never_missing(scim: Scim, fields: dict[str, Any], names: tuple[str, str]) -> None:
    await scim.create_user("ann", **fields)
    wanted = (await scim.intents())[0][3]
    assert (wanted["first_name"], wanted["last_name"]) == names


async def test_a_picture_is_set_and_taken_away(scim: Scim) -> None:
    photos = [{"type": "photo", "value": "https://example.com/ann.png"}]
    ann = await scim.create_user("ann", photos=photos)
    assert (await scim.intents())[-1][3]["profile_image"] == "https://example.com/ann.png"
    await scim.patch(f"/Users/{ann['id']}", {"op": "remove", "path": "photos"})
    assert (await scim.intents())[-1][3]["profile_image"] == ""


async def test_record_and_intent_are_one_transaction(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ethora_async.outbox import intents

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    async with served(database) as scim:
        monkeypatch.setattr(intents, "want_user", broken)
        reply = await scim.ask("POST", "/Users", user("ann"))
        assert (reply.status, reply.data["status"]) == (500, "500")
        monkeypatch.undo()
        assert (await scim.get("/Users"))["totalResults"] == 0
        assert await scim.intents() == []
        await scim.create_user("ann")


# Tokens of chat users


async def _token_for(platform: Any, directory: ScimDirectory, person: str) -> int:
    async def identify(_: object) -> str:
        return person

    endpoint = TokenEndpoint(platform.client, identify, is_active=directory.is_active)
    request = Request.of("POST", "/token", headers={"Content-Type": "application/json"}, body=b"{}")
    return (await endpoint.handle(request)).status


async def test_tokens_are_refused_to_whom_the_identity_provider_made_inactive(sqlite_url: str) -> None:
    async with platform_of("ethora") as platform, served(sqlite_url) as scim:
        ann = await scim.create_user("ann")

        async def statuses() -> list[int]:
            return [await _token_for(platform, scim.directory, id) for id in (ann["id"], ann["id"].upper(), "stranger")]

        assert await statuses() == [200, 200, 200]
        await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "False"})
        assert await statuses() == [403, 403, 200]
        await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "True"})
        assert await statuses() == [200, 200, 200]
        await scim.ask("DELETE", f"/Users/{ann['id']}")
        assert await statuses() == [403, 403, 200]


async def test_who_is_created_again_gets_tokens_again(sqlite_url: str) -> None:
    async with served(sqlite_url, ScimMapping(user_id="externalId")) as scim:
        for _ in range(2):
            ann = await scim.create_user("ann", externalId="ann")
            assert await scim.directory.is_active("ann")
            await scim.ask("DELETE", f"/Users/{ann['id']}")
            assert not await scim.directory.is_active("ann")


async def test_without_the_database_there_are_no_tokens(sqlite_url: str) -> None:
    async with platform_of("ethora") as platform:
        directory = ScimDirectory("sqlite:////no/such/folder/chat.db")
        assert await _token_for(platform, directory, "ann") == 503
        await directory.aclose()
    assert sqlite_url


async def test_users_are_found(each_scim: Scim) -> None:
    ann = await each_scim.create_user("ann", externalId="x-1")
    found = [
        await each_scim.directory.find(id=ann["id"]),
        await each_scim.directory.find(user_name="ANN@example.com"),
        await each_scim.directory.find(external_id="x-1"),
        await each_scim.directory.find(user_id=ann["id"]),
    ]
    assert {attrs.astuple(one) for one in found if one is not None} == {
        (ann["id"], ann["id"], "ann@example.com", "x-1", True, "ann@example.com", "Ann", "Lee")
    }
    assert None not in found
    assert await each_scim.directory.find(user_name="bob@example.com") is None
    for wrong in ({}, {"id": "a", "user_name": "b"}):
        with pytest.raises(InvalidInputError, match="takes one"):
            await each_scim.directory.find(**wrong)
    await each_scim.create_user("bob", externalId="x-1")
    with pytest.raises(InvalidInputError, match="external_id"):
        await each_scim.directory.find(external_id="x-1")


# Who may speak to the service


@pytest.mark.parametrize(
    "header",
    [None, "", TOKEN, "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff"],
)
@pytest.mark.parametrize("path", ["/Users", "/Groups/x", "/Schemas", "/ResourceTypes", "/", "/Nonsense"])
async def test_without_the_token_nothing_is_told(scim: Scim, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    reply = await scim.ask("GET", path, token=None, **headers)
    assert (reply.status, reply.data["status"]) == (401, "401")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_configuration_needs_no_token(scim: Scim) -> None:
    reply = await scim.ask("GET", "/ServiceProviderConfig", token=None)
    assert (reply.status, reply.data["patch"]["supported"]) == (200, True)
    assert reply.headers["Content-Type"] == "application/scim+json"


def _rotating(how: str) -> Callable[[MemoryProvider], None]:
    new = {"ETHORA_SCIM_TOKEN": "the-token-after-the-rotation-1234"}
    old = {"ETHORA_SCIM_TOKEN": TOKEN}

    def rotate(store: MemoryProvider) -> None:
        previous = SecretBundle(old, source="memory") if how == "previous" else None
        pending = SecretBundle(new, source="memory") if how == "pending" else None
        store.bundle = SecretBundle(
            old if how == "pending" else new, source="memory", previous=previous, pending=pending
        )

    return rotate


@pytest.mark.parametrize(("how", "old_works"), [("previous", True), ("pending", True), ("at once", False)])
async def test_tokens_rotate(how: str, old_works: bool) -> None:
    store = MemoryProvider({"ETHORA_SCIM_TOKEN": "something else entirely, 1234"})
    _rotating(how)(store)
    tokens = ScimTokens(store)
    assert await tokens.accepts(TOKEN) is old_works
    assert await tokens.accepts("the-token-after-the-rotation-1234")
    assert not await tokens.accepts("")
    await tokens.aclose()


@pytest.mark.parametrize("values", [{}, {"ETHORA_SCIM_TOKEN": ""}, {"ETHORA_SCIM_TOKEN": "short"}])
async def test_a_missing_or_short_token_lets_nobody_in(values: dict[str, str]) -> None:
    tokens = ScimTokens(MemoryProvider({"OTHER": "x", **values}))
    with pytest.raises(ConfigError, match="ETHORA_SCIM_TOKEN"):
        await tokens.accepts("short")
    with pytest.raises(ConfigError, match="ETHORA_SCIM_TOKEN"):
        await tokens.check()
    await tokens.aclose()


# Bad input


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/Users", b"{", 400),
        ("POST", "/Users", b"[]", 400),
        ("POST", "/Users", b'"x"', 400),
        ("POST", "/Users", b'{"schemas": []}', 400),
        ("POST", "/Users", b"[" * 100_000, 400),
        ("PATCH", "/Users/x", b'{"Operations": 3}', 400),
        ("PATCH", "/Groups/x", b'{"Operations": [3]}', 400),
        (
            "PATCH",
            "/Groups/x",
            b'{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": []}',
            400,
        ),
        ("GET", "/Users?filter=" + "(" * 4000, None, 400),
        ("GET", "/Users?filter=" + "a" * 5000, None, 400),
        ("GET", "/Users?filter=nonsense%20eq", None, 400),
        ("GET", "/Users?startIndex=x", None, 400),
        ("GET", "/Nonsense", None, 404),
        ("GET", "/Users/nobody", None, 404),
        ("DELETE", "/Users", None, 405),
        ("POST", "/Bulk", b"{}", 501),
        ("GET", "/Me", None, 501),
    ],
)
async def test_bad_requests_are_answered_in_scims_form(
    scim: Scim, method: str, path: str, body: bytes | None, status: int
) -> None:
    reply = await scim.ask(method, path, body)
    assert (reply.status, reply.data["status"]) == (status, str(status)), reply.data
    assert reply.data["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


_NUL = "a\0b"
_LONG = "".join(hashlib.sha512(bytes([number])).hexdigest() for number in range(50))  # too long for an index


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Users", {"userName": _NUL}),
        ("Users", {"userName": "ann", "externalId": _NUL}),
        ("Users", {"userName": "ann", "title": _NUL}),
        ("Users", {"userName": "ann", "displayName": "\\\\" + _NUL}),
        ("Users", {"userName": _LONG}),
        ("Users", {"userName": "ann", "externalId": _LONG}),
        ("Users", {"userName": "ann", "emails": [{"value": "a@b.cd"}, {"value": f"{_LONG}@b.cd"}]}),
        ("Groups", {"displayName": _LONG}),
        ("Groups", {"displayName": "G", "members": [{"value": _NUL}]}),
    ],
)
async def test_a_text_that_no_database_stores_is_refused(each_scim: Scim, kind: str, fields: dict[str, Any]) -> None:
    """Not as trouble of the service: an identity provider would send it again for ever."""
    data = {"schemas": [GROUP], **fields} if kind == "Groups" else {**user("ann"), **fields}
    reply = await each_scim.ask("POST", f"/{kind}", data)
    assert (reply.status, reply.data.get("scimType")) == (400, "invalidValue"), reply.data
    if kind == "Users":
        ann = await each_scim.create_user("whole")
        reply = await each_scim.patch(f"/Users/{ann['id']}", {"op": "replace", "value": fields})
        assert (reply.status, reply.data.get("scimType")) == (400, "invalidValue"), reply.data


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/Users?filter=userName%20eq%20%22a%5Cu0000b%22", 400),
        ("/Groups?filter=members%5Bvalue%20eq%20%22%00%22%5D", 400),
        ("/Users/a%00b", 404),
        (f"/Users?startIndex={10**30}", 200),
        (f"/Users?count={10**30}", 200),
        (f"/Users?filter=userName%20pr&startIndex={10**30}&count={10**30}", 200),
    ],
)
async def test_a_question_that_no_database_understands_is_answered(each_scim: Scim, path: str, status: int) -> None:
    reply = await each_scim.ask("GET", path, None)
    assert reply.status == status, reply.data


async def test_a_backslash_before_the_text_u0000_is_no_nul(scim: Scim) -> None:
    ann = await scim.create_user("ann", title="a\\u0000b")
    assert (await scim.ask("GET", f"/Users/{ann['id']}", None)).data["title"] == "a\\u0000b"


async def test_an_old_version_is_not_overwritten(each_scim: Scim) -> None:
    group = await each_scim.create_group("Team")
    ann = await each_scim.create_user("ann")
    for path, version in ((f"/Groups/{group['id']}", group), (f"/Users/{ann['id']}", ann)):
        change = {"op": "replace", "path": "displayName", "value": "Crew"}
        headers = {"If-Match": version["meta"]["version"]}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
        assert (await each_scim.ask("PATCH", path, body, **headers)).status in (200, 204)
        assert (await each_scim.ask("PATCH", path, body, **headers)).status == 412
        assert (await each_scim.ask("DELETE", path, **headers)).status == 412


async def test_foreign_and_newer_tables_are_refused(database: str) -> None:
    directory = ScimDirectory(database)
    async with directory:

        def age(db: Any) -> None:
            with db.transaction(write=True):
                db.run("UPDATE ethora_scim SET value = '99'")

        await directory.run(age)
    again = ScimDirectory(database)
    with pytest.raises(ConfigError, match="newer ethora-async"):
        await again.check()
    await again.aclose()


@pytest.mark.parametrize(
    "url", ["", "chat.db", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "postgresql://u:canary@[h"]
)
def test_a_database_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        ScimDirectory(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"user_id": "userName"}, {"inactive": "x"}, {"email_domain": "a b"}, {"room_id": ""}]
)
def test_a_mapping_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        ScimMapping(**options)


async def test_groups_of_one_name_are_two_rooms(scim: Scim) -> None:
    first, second = await scim.create_group("Team"), await scim.create_group("Team")
    assert first["id"] != second["id"]
    assert first["schemas"] == [GROUP]
