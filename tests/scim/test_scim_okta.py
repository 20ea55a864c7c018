"""What Okta sends; see docs/how-to/scim.md#what-identity-providers-send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scim_helpers import GROUP, user

if TYPE_CHECKING:
    from scim_helpers import Scim


async def test_the_test_of_a_new_integration(each_scim: Scim) -> None:
    for name in ("ann", "bob", "cleo"):
        await each_scim.create_user(name)
    page = await each_scim.get("/Users?startIndex=1&count=2")
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (3, 2, 1)
    assert [one["userName"] for one in page["Resources"]] == ["ann@example.com", "bob@example.com"]
    page = await each_scim.get("/Users?startIndex=3&count=2")
    assert [one["userName"] for one in page["Resources"]] == ["cleo@example.com"]
    page = await each_scim.get("/Users?startIndex=9&count=2")
    assert (page["totalResults"], page["Resources"]) == (3, [])
    page = await each_scim.get("/Users?count=0")
    assert (page["totalResults"], page.get("Resources", [])) == (3, [])


async def test_a_profile_is_pushed_by_put(each_scim: Scim) -> None:
    ann = await each_scim.create_user("ann", externalId="00u1")
    data = {
        **user("ann", externalId="00u1"),
        "id": ann["id"],
        "displayName": "Ann Lee",
        "groups": [],
        "meta": ann["meta"],
    }
    data["name"]["givenName"] = "Anna"
    reply = await each_scim.ask("PUT", f"/Users/{ann['id']}", data)
    assert (reply.status, reply.data["name"]["givenName"]) == (200, "Anna")
    assert (await each_scim.intents())[-1][3]["first_name"] == "Anna"


async def test_a_put_that_changes_nothing_writes_nothing(each_scim: Scim) -> None:
    ann = await each_scim.create_user("ann")
    await each_scim.forget_intents()
    reply = await each_scim.ask("PUT", f"/Users/{ann['id']}", user("ann"))
    assert (reply.status, reply.data["meta"]["version"]) == (200, ann["meta"]["version"])
    assert await each_scim.intents() == []


async def test_a_user_is_deactivated_found_and_brought_back(scim: Scim) -> None:
    ann = await scim.create_user("ann")
    reply = await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": False}})
    assert (reply.status, reply.data["active"]) == (200, False)
    found = await scim.get("/Users?filter=" + quote('userName eq "ann@example.com"') + "&startIndex=1&count=100")
    assert (found["totalResults"], found["Resources"][0]["active"]) == (1, False)
    assert (await scim.get(f"/Users/{ann['id']}"))["active"] is False
    reply = await scim.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": True}})
    assert (reply.status, reply.data["active"]) == (200, True)


async def test_a_group_is_renamed_with_its_id_in_the_value(each_scim: Scim) -> None:
    group = await each_scim.create_group("Team")
    rename = {"op": "replace", "value": {"id": group["id"], "displayName": "Crew"}}
    assert (await each_scim.patch(f"/Groups/{group['id']}", rename)).status == 204
    assert (await each_scim.get(f"/Groups/{group['id']}"))["displayName"] == "Crew"
    assert (await each_scim.intents())[-1] == ("chat", group["id"], "", {"title": "Crew", "access": "private"})


async def test_a_group_is_pushed_whole(each_scim: Scim) -> None:
    ann, bob, cleo = [await each_scim.create_user(name) for name in ("ann", "bob", "cleo")]
    group = await each_scim.create_group("Team", ann["id"], bob["id"])
    await each_scim.forget_intents()
    whole = [{"value": bob["id"], "display": "bob@example.com"}, {"value": cleo["id"], "display": "cleo@example.com"}]
    reply = await each_scim.ask(
        "PUT",
        f"/Groups/{group['id']}",
        {"schemas": [GROUP], "id": group["id"], "displayName": "Team", "members": whole},
    )
    assert reply.status == 200
    assert {one["value"] for one in reply.data["members"]} == {bob["id"], cleo["id"]}
    expected: list[Any] = [("member", group["id"], ann["id"], None), ("member", group["id"], cleo["id"], {})]
    assert await each_scim.intents() == expected
    await each_scim.forget_intents()
    replace = {"op": "replace", "path": "members", "value": [{"value": ann["id"], "display": "Ann"}]}
    assert (await each_scim.patch(f"/Groups/{group['id']}", replace)).status == 204
    assert sorted(await each_scim.intents(), key=str) == sorted(
        [
            ("member", group["id"], bob["id"], None),
            ("member", group["id"], cleo["id"], None),
            ("member", group["id"], ann["id"], {}),
        ],
        key=str,
    )


async def test_members_are_removed_and_added_in_one_patch(each_scim: Scim) -> None:
    ann, bob = await each_scim.create_user("ann"), await each_scim.create_user("bob")
    group = await each_scim.create_group("Team", ann["id"])
    reply = await each_scim.patch(
        f"/Groups/{group['id']}",
        {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": bob["id"], "display": "bob"}]},
    )
    assert reply.status == 204
    assert [one["value"] for one in (await each_scim.get(f"/Groups/{group['id']}"))["members"]] == [bob["id"]]


async def test_a_password_and_an_empty_address_are_no_obstacle(scim: Scim) -> None:
    emails = [{"primary": True, "value": "ann@example.com", "type": "work"}, {"type": "home", "value": ""}]
    ann = await scim.create_user("ann", password="1mz050nq", emails=emails, locale="en-US", groups=[])
    assert "password" not in ann
    assert len(ann["emails"]) == 1


@pytest.mark.parametrize("kind", ["Users", "Groups"])
async def test_what_is_deleted_is_gone(each_scim: Scim, kind: str) -> None:
    made: Any = await (each_scim.create_user("ann") if kind == "Users" else each_scim.create_group("Team"))
    assert (await each_scim.ask("DELETE", f"/{kind}/{made['id']}")).status == 204
    for method in ("GET", "DELETE"):
        reply = await each_scim.ask(method, f"/{kind}/{made['id']}")
        assert (reply.status, reply.data["status"]) == (404, "404")
    assert (await each_scim.intents())[-1] == ("user" if kind == "Users" else "chat", made["id"], "", None)
