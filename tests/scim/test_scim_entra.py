"""What Microsoft Entra ID sends; see docs/how-to/scim.md#what-identity-providers-send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scim_helpers import ENTERPRISE, GROUP, LIST, PATCH, USER, user

if TYPE_CHECKING:
    from scim_helpers import Scim


async def test_an_unknown_user_is_an_empty_list(scim: Scim) -> None:
    found = await scim.get("/Users?filter=" + quote('userName eq "nobody@example.com"'))
    assert found == {"schemas": [LIST], "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": []}


@pytest.mark.parametrize(
    "expression",
    [
        'userName eq "ann@example.com"',
        'userName eq "ANN@Example.COM"',
        'USERNAME Eq "ann@example.com"',
        'externalId eq "0f1e-ann"',
        'emails[type eq "work"].value eq "ann@example.com"',
        'emails[type eq "work" and value eq "ann@example.com"]',
        'emails.value eq "ann@example.com"',
        'userName eq "ann@example.com" and active eq true',
        f'{USER}:userName eq "ann@example.com"',
    ],
)
async def test_filters_find_a_user(each_scim: Scim, expression: str) -> None:
    await each_scim.create_user("bob", externalId="0f1e-bob")
    ann = await each_scim.create_user("ann", externalId="0f1e-ann")
    reply = await each_scim.ask("GET", "/Users?filter=" + quote(expression))
    assert reply.status == 200, reply.data
    assert [one["id"] for one in reply.data["Resources"]] == [ann["id"]]


async def test_the_flag_of_the_tenant_url_is_no_obstacle(scim: Scim) -> None:
    """``?aadOptscim062020`` is part of the tenant URL; Entra may or may not send it."""
    ann = await scim.create_user("ann")
    asked = quote('userName eq "ann@example.com"')
    for query in (
        f"aadOptscim062020&filter={asked}",
        f"filter={asked}&aadOptscim062020=",
        f"filter={asked}&AADOPTSCIM=1",
    ):
        assert [one["id"] for one in (await scim.get(f"/Users?{query}"))["Resources"]] == [ann["id"]]
    off = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    reply = await scim.ask("PATCH", f"/Users/{ann['id']}?aadOptscim062020", off)
    assert (reply.status, reply.data["active"]) == (200, False)


async def test_a_search_by_manager_is_answered(scim: Scim) -> None:
    boss = await scim.create_user("boss")
    ann = await scim.create_user("ann", **{ENTERPRISE: {"manager": boss["id"]}})
    for expression in (f'{ENTERPRISE}:manager eq "{boss["id"]}"', f'{ENTERPRISE}:manager.value eq "{boss["id"]}"'):
        reply = await scim.ask("GET", "/Users?filter=" + quote(expression))
        assert reply.status == 200, reply
        assert [one["id"] for one in reply.data["Resources"]] == [ann["id"]]


async def test_an_external_id_is_exact(scim: Scim) -> None:
    await scim.create_user("ann", externalId="0f1e-Ann")
    assert (await scim.get("/Users?filter=" + quote('externalId eq "0f1e-ann"')))["totalResults"] == 0


async def test_a_second_user_of_the_same_name_is_a_conflict(each_scim: Scim) -> None:
    await each_scim.create_user("ann")
    reply = await each_scim.ask("POST", "/Users", user("x", userName="ANN@example.com"))
    assert (reply.status, reply.data["scimType"]) == (409, "uniqueness")


@pytest.mark.parametrize("text", ["False", "false", "FALSE", False])
@pytest.mark.parametrize(
    "form",
    [
        lambda value: {"op": "Replace", "path": "active", "value": value},
        lambda value: {"op": "replace", "value": {"active": value}},
        lambda value: {"op": "Add", "path": "Active", "value": value},
        lambda value: {"op": "Replace", "path": f"{USER}:active", "value": value},
        lambda value: {"op": "Replace", "path": "active", "value": [{"$ref": None, "value": value}]},
        lambda value: {"OP": "REPLACE", "PATH": "active", "VALUE": value},
    ],
)
async def test_active_as_text_makes_a_user_inactive_and_the_user_is_still_found(
    scim: Scim, form: Any, text: object
) -> None:
    ann = await scim.create_user("ann")
    reply = await scim.patch(f"/Users/{ann['id']}", form(text))
    assert (reply.status, reply.data["active"]) == (200, False)
    found = await scim.get("/Users?filter=" + quote('userName eq "ann@example.com"'))
    assert [one["active"] for one in found["Resources"]] == [False]
    reply = await scim.patch(f"/Users/{ann['id']}", form("True" if isinstance(text, str) else True))
    assert (reply.status, reply.data["active"]) == (200, True)


@pytest.mark.parametrize("value", ["perhaps", 3, {}, [False], "2"])
async def test_what_is_no_boolean_is_refused(scim: Scim, value: object) -> None:
    ann = await scim.create_user("ann")
    reply = await scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": value})
    assert reply.status == 400
    assert "active" in reply.data["detail"]
    assert "\n" not in reply.data["detail"]
    assert (await scim.get(f"/Users/{ann['id']}"))["active"] is True


@pytest.mark.parametrize("name", ["", "  ", None])
async def test_a_user_name_is_required_and_not_empty(each_scim: Scim, name: str | None) -> None:
    """RFC 7643, 4.1.1."""
    created = await each_scim.ask("POST", "/Users", user("ann", userName=name))
    assert (created.status, created.data["scimType"]) == (400, "invalidValue")
    ann = await each_scim.create_user("ann")
    await each_scim.forget_intents()
    replaced = await each_scim.ask("PUT", f"/Users/{ann['id']}", user("ann", userName=name))
    patched = await each_scim.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "userName", "value": name})
    assert (replaced.status, patched.status) == (400, 400)
    removed = await each_scim.patch(f"/Users/{ann['id']}", {"op": "remove", "path": "userName"})
    assert removed.status == 400
    assert (await each_scim.get(f"/Users/{ann['id']}"))["userName"] == "ann@example.com"
    assert await each_scim.intents() == []


@pytest.mark.parametrize("active", ["True", "False", True, False])
async def test_active_as_text_in_a_post_and_a_put(scim: Scim, active: Any) -> None:
    ann = await scim.create_user("ann", active=active)
    assert ann["active"] is (str(active) == "True")
    reply = await scim.ask("PUT", f"/Users/{ann['id']}", user("ann", active=active, nickName="A"))
    assert (reply.status, reply.data["active"]) == (200, str(active) == "True")


async def test_a_put_without_active_brings_nobody_back(scim: Scim) -> None:
    ann = await scim.create_user("ann", active=False)
    data = user("ann", nickName="A")
    del data["active"]
    reply = await scim.ask("PUT", f"/Users/{ann['id']}", data)
    assert (reply.status, reply.data["active"], reply.data["nickName"]) == (200, False, "A")


async def test_a_path_with_a_filter_creates_the_entry_that_is_not_there(scim: Scim) -> None:
    data = user("ann")
    del data["emails"]
    created = await scim.ask("POST", "/Users", data)
    reply = await scim.patch(
        f"/Users/{created.data['id']}",
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "ann.lee@example.com"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+49 30 1234"},
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Member"},
    )
    assert reply.status == 200, reply.data
    assert reply.data["emails"] == [{"type": "work", "value": "ann.lee@example.com"}]
    assert reply.data["phoneNumbers"] == [{"type": "mobile", "value": "+49 30 1234"}]
    assert reply.data["roles"] == [{"primary": True, "value": "Member"}]


@pytest.mark.parametrize(
    "value", ["boss", {"value": "boss"}, [{"$ref": None, "value": "boss"}], {"$ref": None, "value": "boss"}]
)
async def test_a_manager_as_text_is_wrapped(scim: Scim, value: object) -> None:
    ann = await scim.create_user("ann")
    reply = await scim.patch(f"/Users/{ann['id']}", {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": value})
    assert reply.status == 200, reply.data
    assert reply.data[ENTERPRISE]["manager"]["value"] == "boss"
    reply = await scim.patch(f"/Users/{ann['id']}", {"op": "Remove", "path": f"{ENTERPRISE}:manager"})
    assert "manager" not in reply.data.get(ENTERPRISE, {})


async def test_a_manager_as_text_in_a_post(scim: Scim) -> None:
    ann = await scim.create_user(
        "ann", **{"schemas": [USER, ENTERPRISE], ENTERPRISE: {"manager": "boss", "department": "R&D"}}
    )
    assert ann[ENTERPRISE] == {"manager": {"value": "boss"}, "department": "R&D"}


async def test_attribute_names_in_any_case_and_dotted_ones_without_a_path(scim: Scim) -> None:
    data = {name.upper() if name != "schemas" else name: value for name, value in user("ann").items()}
    created = await scim.ask("POST", "/Users", data)
    assert created.status == 201, created.data
    assert created.data["userName"] == "ann@example.com"
    reply = await scim.patch(
        f"/Users/{created.data['id']}",
        {
            "op": "Replace",
            "value": {
                "DISPLAYNAME": "Ann L.",
                "name.givenName": "Anna",
                'emails[type eq "work"].value': "anna@example.com",
                f"{ENTERPRISE}:department": "R&D",
            },
        },
    )
    assert reply.status == 200, reply.data
    assert (reply.data["displayName"], reply.data["name"]["givenName"]) == ("Ann L.", "Anna")
    assert reply.data["emails"][0]["value"] == "anna@example.com"
    assert reply.data[ENTERPRISE]["department"] == "R&D"


async def test_several_operations_are_one_change(each_scim: Scim) -> None:
    ann = await each_scim.create_user("ann")
    reply = await each_scim.patch(
        f"/Users/{ann['id']}",
        {"op": "Replace", "path": "displayName", "value": "Ann"},
        {"op": "Replace", "path": "active", "value": "nonsense"},
    )
    assert reply.status == 400
    assert "displayName" not in await each_scim.get(f"/Users/{ann['id']}")


@pytest.mark.parametrize("excluded", ["members", "MEMBERS", f"{GROUP}:members", "meta,members"])
async def test_members_are_left_out_when_asked(scim: Scim, excluded: str) -> None:
    ann = await scim.create_user("ann")
    group = await scim.create_group("Team", ann["id"])
    assert [one["value"] for one in (await scim.get(f"/Groups/{group['id']}"))["members"]] == [ann["id"]]
    query = "excludedAttributes=" + quote(excluded)
    assert "members" not in await scim.get(f"/Groups/{group['id']}?{query}")
    assert "members" not in await scim.get(f"/Groups/{group['id']}?{query.lower()}")
    found = await scim.get("/Groups?" + query + "&filter=" + quote('displayName eq "team"'))
    assert [one["id"] for one in found["Resources"]] == [group["id"]]
    assert "members" not in found["Resources"][0]


async def test_a_membership_is_looked_up(each_scim: Scim) -> None:
    ann, bob = await each_scim.create_user("ann"), await each_scim.create_user("bob")
    team = await each_scim.create_group("Team", ann["id"])
    await each_scim.create_group("Others", bob["id"])
    for expression in (
        f'members[value eq "{ann["id"]}"]',
        f'members.value eq "{ann["id"]}"',
        f'members eq "{ann["id"]}"',
        f'id eq "{team["id"]}" and members[value eq "{ann["id"]}"]',
    ):
        found = await each_scim.get("/Groups?filter=" + quote(expression))
        assert [one["displayName"] for one in found["Resources"]] == ["Team"], expression
    nobody = await each_scim.get("/Groups?filter=" + quote(f'id eq "{team["id"]}" and members[value eq "{bob["id"]}"]'))
    assert nobody["totalResults"] == 0


@pytest.mark.parametrize(
    "form",
    [
        lambda id: {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": id}]},
        lambda id: {"op": "Remove", "path": "members", "value": [{"value": id, "display": "somebody else's name"}]},
        lambda id: {"op": "remove", "path": f'members[value eq "{id}"]'},
        lambda id: {"op": "Remove", "path": "members", "value": {"value": id}},
        lambda id: {"op": "Remove", "path": "members", "value": [id]},
        lambda id: {"op": "remove", "path": f'{GROUP}:members[value eq "{id}"]'},
        lambda id: {"op": "remove", "path": f'members[type eq "User" and value eq "{id}"]'},
    ],
)
async def test_a_member_is_removed_in_every_form(each_scim: Scim, form: Any) -> None:
    ann, bob = await each_scim.create_user("ann"), await each_scim.create_user("bob")
    group = await each_scim.create_group("Team", ann["id"], bob["id"])
    await each_scim.forget_intents()
    reply = await each_scim.patch(f"/Groups/{group['id']}", form(ann["id"]))
    assert reply.status == 204
    assert [one["value"] for one in (await each_scim.get(f"/Groups/{group['id']}"))["members"]] == [bob["id"]]
    assert await each_scim.intents() == [("member", group["id"], ann["id"], None)]


@pytest.mark.parametrize(
    "form",
    [
        lambda id: {"op": "Add", "path": "members", "value": [{"value": id}]},
        lambda id: {"op": "Add", "path": "members", "value": [{"$ref": None, "value": id}]},
        lambda id: {"op": "add", "value": {"members": [{"value": id}]}},
        lambda id: {"op": "Add", "path": "Members", "value": {"value": id}},
        lambda id: {"op": "Add", "path": f"{GROUP}:members", "value": [{"value": id}]},
    ],
)
async def test_a_member_is_added_in_every_form_and_twice_is_once(each_scim: Scim, form: Any) -> None:
    ann, bob = await each_scim.create_user("ann"), await each_scim.create_user("bob")
    group = await each_scim.create_group("Team", bob["id"])
    await each_scim.forget_intents()
    for _ in range(2):
        assert (await each_scim.patch(f"/Groups/{group['id']}", form(ann["id"]))).status == 204
    members = {one["value"] for one in (await each_scim.get(f"/Groups/{group['id']}"))["members"]}
    assert members == {ann["id"], bob["id"]}
    assert await each_scim.intents() == [("member", group["id"], ann["id"], {})]


async def test_display_names_of_members_come_back_as_given(each_scim: Scim) -> None:
    ann = await each_scim.create_user("ann")
    group = await each_scim.create_group("Team")
    add = {"op": "Add", "path": "members", "value": [{"value": ann["id"], "display": "Ann from R&D"}]}
    await each_scim.patch(f"/Groups/{group['id']}", add)
    members = (await each_scim.get(f"/Groups/{group['id']}"))["members"]
    url = f"{each_scim.url}/Users/{ann['id']}"
    assert members == [{"value": ann["id"], "$ref": url, "type": "User", "display": "Ann from R&D"}]


async def test_a_remove_with_nobody_in_it_removes_nobody(scim: Scim) -> None:
    ann = await scim.create_user("ann")
    group = await scim.create_group("Team", ann["id"])
    await scim.patch(f"/Groups/{group['id']}", {"op": "Remove", "path": "members", "value": []})
    assert len((await scim.get(f"/Groups/{group['id']}"))["members"]) == 1
    await scim.patch(f"/Groups/{group['id']}", {"op": "Remove", "path": "members"})
    assert "members" not in await scim.get(f"/Groups/{group['id']}")


@pytest.mark.parametrize("member", [{"value": "nobody"}, {"value": "nobody", "type": "User"}, {}, "nobody"])
async def test_an_unknown_member_is_refused_and_nothing_else_is_done(each_scim: Scim, member: object) -> None:
    group = await each_scim.create_group("Team")
    await each_scim.forget_intents()
    reply = await each_scim.patch(
        f"/Groups/{group['id']}",
        {"op": "Replace", "path": "displayName", "value": "Renamed"},
        {"op": "Add", "path": "members", "value": [member]},
    )
    assert (reply.status, reply.data["scimType"]) == (400, "invalidValue")
    assert (await each_scim.get(f"/Groups/{group['id']}"))["displayName"] == "Team"
    assert await each_scim.intents() == []


async def test_groups_in_groups_are_refused(scim: Scim) -> None:
    inner = await scim.create_group("Inner")
    reply = await scim.ask(
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "Outer", "members": [{"value": inner["id"], "type": "Group"}]},
    )
    assert reply.status == 400
    assert "Groups in groups" in reply.data["detail"]
