"""The `groups` of a user: computed from the members of groups, and never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scim_helpers import LIST, PATCH, USER, user

from ethora_async.web.scim.database.connections import PostgresConnection, SqliteConnection

if TYPE_CHECKING:
    from scim_helpers import Scim

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


def named(resource: dict[str, Any]) -> list[str]:
    return [group["display"] for group in resource.get("groups", [])]


async def test_a_user_shows_the_groups_they_are_in(each_scim: Scim) -> None:
    scim = each_scim
    ann, bob = await scim.create_user("ann"), await scim.create_user("bob")
    assert "groups" not in ann
    team = await scim.create_group("Team", ann["id"], bob["id"])
    board = await scim.create_group("Board", ann["id"])
    found = await scim.get(f"/Users/{ann['id']}")
    assert found["groups"] == [
        {"value": one["id"], "$ref": f"{scim.url}/Groups/{one['id']}", "display": name, "type": "direct"}
        for one, name in ((team, "Team"), (board, "Board"))
    ]
    listed = (await scim.get("/Users"))["Resources"]
    assert [named(one) for one in listed] == [["Team", "Board"], ["Team"]]
    await scim.patch(f"/Groups/{team['id']}", {"op": "replace", "value": {"displayName": "Crew"}})
    await scim.patch(f"/Groups/{board['id']}", {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'})
    assert named(await scim.get(f"/Users/{ann['id']}")) == ["Crew"]
    assert (await scim.ask("DELETE", f"/Groups/{team['id']}")).status == 204
    assert "groups" not in await scim.get(f"/Users/{ann['id']}")


async def test_groups_are_answered_by_every_write_and_changed_by_none(each_scim: Scim) -> None:
    scim = each_scim
    ann = await scim.create_user("ann", groups=[{"value": "nonsense", "display": "Mine"}])
    assert "groups" not in ann
    team = await scim.create_group("Team", ann["id"])
    before = await scim.get(f"/Users/{ann['id']}")
    await scim.forget_intents()
    put = await scim.ask("PUT", f"/Users/{ann['id']}", user("ann", groups=[], nickName="A"))
    assert (put.status, put.data["groups"], put.data["nickName"]) == (200, before["groups"], "A")
    patched = await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "Dr"})
    assert (patched.status, patched.data["groups"]) == (200, before["groups"])
    for path, value in (("groups", []), (f'groups[value eq "{team["id"]}"]', {"display": "Mine"})):
        refused = await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "path": path, "value": value})
        assert (refused.status, refused.data["scimType"]) == (400, "mutability")
    refused = await scim.patch(f"/Users/{ann['id']}", {"op": "remove", "path": "groups"})
    assert (refused.status, refused.data["scimType"]) == (400, "mutability")
    assert (await scim.get(f"/Users/{ann['id']}"))["groups"] == before["groups"]
    assert [member["value"] for member in (await scim.get(f"/Groups/{team['id']}"))["members"]] == [ann["id"]]
    assert await scim.intents() == []


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", True),
        ("excludedAttributes=groups", False),
        ("excludedAttributes=members,Groups", False),
        (f"excludedAttributes={USER}:groups", False),
        ("attributes=userName", False),
        ("attributes=groups", True),
        ("attributes=groups.display,userName", True),
    ],
)
async def test_groups_are_read_only_where_they_are_asked_for(
    scim: Scim, query: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await scim.create_user("ann")
    await scim.create_group("Team", ann["id"])
    statements: list[str] = []
    for kind in (SqliteConnection, PostgresConnection):
        rows = kind.rows

        def counted(self: Any, statement: str, _rows: Any = rows, **values: Any) -> Any:
            statements.append(statement)
            return _rows(self, statement, **values)

        monkeypatch.setattr(kind, "rows", counted)
    one = await scim.get(f"/Users/{ann['id']}?{query}")
    by_name = quote('userName eq "ann@example.com"')
    asked = f"/Users?filter={by_name}&{query}"
    (found,) = (await scim.get(asked))["Resources"]
    assert [named(one), named(found)] == ([["Team"], ["Team"]] if shown else [[], []])
    read = [statement for statement in statements if "ethora_scim_member" in statement]
    assert len(read) == (2 if shown else 0), "one statement for an answer, however many users it holds"


async def test_users_are_found_by_their_group(each_scim: Scim) -> None:
    scim = each_scim
    ann, bob = await scim.create_user("ann"), await scim.create_user("bob")
    team = await scim.create_group("Team", ann["id"])
    await scim.create_group("Board", bob["id"])
    for expression in (
        f'groups.value eq "{team["id"]}"',
        f'groups[value eq "{team["id"]}"]',
        'groups.display eq "Team"',
    ):
        for more in ("", "&excludedAttributes=groups"):
            reply = await scim.ask("GET", f"/Users?filter={quote(expression)}{more}")
            assert (reply.status, reply.data["schemas"]) == (200, [LIST])
            assert [one["id"] for one in reply.data["Resources"]] == [ann["id"]], expression
            assert named(reply.data["Resources"][0]) == ([] if more else ["Team"])
    search = {"schemas": [SEARCH], "filter": f'groups.value eq "{team["id"]}"', "excludedAttributes": ["groups"]}
    reply = await scim.ask("POST", "/Users/.search", search)
    assert [(one["id"], named(one)) for one in reply.data["Resources"]] == [(ann["id"], [])]


async def test_what_the_outbox_refuses_is_a_400_and_nothing_is_stored(each_scim: Scim) -> None:
    scim = each_scim
    reply = await scim.ask("POST", "/Users", user("ann", name={"givenName": "A\x01", "familyName": "B"}))
    assert (reply.status, reply.data["scimType"]) == (400, "invalidValue")
    assert "control character U+0001" in reply.data["detail"]
    assert (await scim.get("/Users"))["totalResults"] == 0
    assert await scim.intents() == []


async def test_a_user_has_another_version_when_their_groups_change(each_scim: Scim) -> None:
    """RFC 7643, 3.1: the version is that of the answer, and an answer that has not changed need not be sent again."""
    scim = each_scim
    ann, bob = await scim.create_user("ann"), await scim.create_user("bob")
    path = f"/Users/{ann['id']}"
    others = await scim.get(f"/Users/{bob['id']}")
    seen = [await scim.get(path)]
    team = await scim.create_group("Team", ann["id"])
    seen.append(await scim.get(path))
    group = f"/Groups/{team['id']}"
    some = {"value": [{"value": ann["id"]}]}
    for change in (
        {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'},
        {"op": "add", "path": "members", **some},
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "members", **some},
        {"op": "replace", "value": {"members": [{"value": bob["id"]}]}},
        {"op": "add", "value": {"members": some["value"]}},
    ):
        assert (await scim.patch(group, change)).status in (200, 204)
        seen.append(await scim.get(path))
        asked = await scim.ask("GET", path, **{"If-None-Match": seen[-2]["meta"]["version"]})
        assert (asked.status, asked.data["meta"]["version"]) == (200, seen[-1]["meta"]["version"]), change
    assert (await scim.ask("DELETE", group)).status == 204
    seen.append(await scim.get(path))
    versions = [one["meta"]["version"] for one in seen]
    assert len({*versions}) == len(versions)
    # What changes no group of theirs leaves the version, and so does an answer without the groups.
    await scim.create_group("Board", bob["id"])
    assert (await scim.ask("GET", path, **{"If-None-Match": versions[-1]})).status == 304
    path = f"/Users/{bob['id']}"
    version = (await scim.get(path))["meta"]["version"]
    assert version != others["meta"]["version"]
    assert (await scim.get(f"{path}?excludedAttributes=groups"))["meta"]["version"] == version
    body = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "Dr"}]}
    for named, status in ((others["meta"]["version"], 412), (version, 200), (version, 412)):
        assert (await scim.ask("PATCH", path, body, **{"If-Match": named})).status == status
