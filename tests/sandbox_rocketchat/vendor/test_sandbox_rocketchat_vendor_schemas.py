"""The sandbox's input and output, compared with the vendor's published validators and record schemas."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema_rs
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from rocket_helpers import Rest
from rocket_vendor import VERSION, plain_schema, vendor_schemas

from ethora_async.sandbox import RocketChatSandbox
from ethora_async.sandbox.rocketchat.gateway import TABLE
from ethora_async.sandbox.rocketchat.schema import problems
from ethora_async.sandbox.rocketchat.versions import Version

PAIRS = {
    "POST users.create": "isUserCreateParamsPOST",
    "GET users.info": "isUsersInfoParamsGetProps",
    "GET users.list": "isUsersListParamsGET",
    "POST users.update": "isUsersUpdateParamsPOST",
    "POST users.logout": "isUserLogoutParamsPOST",
    "POST users.setActiveStatus": "isUserSetActiveStatusParamsPOST",
    "POST users.2fa.sendEmailCode": "isUsers2faSendEmailCodeProps",
    "GET settings.public": "isSettingsPublicWithPaginationProps",
    "POST channels.create": "isChannelsCreateProps",
    "POST channels.kick": "isChannelsKickProps",
    "POST channels.delete": "isChannelsDeleteProps",
    "POST channels.join": "isChannelsJoinProps",
    "POST channels.leave": "isChannelsLeaveProps",
    "GET channels.list": "isChannelsListProps",
    "GET channels.history": "isChannelsHistoryProps",
    "GET channels.messages": "isChannelsMessagesProps",
    "POST groups.create": "isGroupsCreateProps",
    "POST groups.invite": "isGroupsInviteProps",
    "POST groups.kick": "isGroupsKickProps",
    "POST groups.delete": "isGroupsDeleteProps",
    "POST groups.leave": "isGroupsLeaveProps",
    "POST groups.setTopic": "isGroupsSetTopicProps",
    "POST groups.setDescription": "isGroupsSetDescriptionProps",
    "GET groups.info": "isGroupsInfoProps",
    "GET groups.members": "isGroupsMembersProps",
    "GET groups.history": "isGroupsHistoryProps",
    "GET groups.messages": "isGroupsMessagesProps",
    "POST im.create": "isDmCreateProps",
    "GET im.history": "isDmHistoryProps",
    "GET im.messages": "isDmMessagesProps",
    "GET im.members": "isDmMemberProps",
    "GET rooms.info": "isRoomsInfoProps",
    "POST rooms.invite": "isRoomsInviteProps",
    "GET subscriptions.get": "isSubscriptionsGetProps",
    "GET subscriptions.getOne": "isSubscriptionsGetOneProps",
    "POST subscriptions.read": "isSubscriptionsReadProps",
    "POST chat.postMessage": "isChatPostMessageProps",
    "POST chat.sendMessage": "isChatSendMessageProps",
    "POST chat.update": "isChatUpdateProps",
    "POST chat.delete": "isChatDeleteProps",
    "GET chat.getMessage": "isChatGetMessageProps",
    "GET chat.syncMessages": "isChatSyncMessagesProps",
}
# End-to-end encryption and files are no part of the sandbox.
NOT_PLAYED = {"content", "e2eMentions", "fileId"}

values = st.one_of(
    st.sampled_from(["", "x", "true", "false", "accept", "UPDATED", "2026-01-01T00:00:00.000Z"]),
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.lists(st.sampled_from(["x", 1, None]), max_size=2),
    st.dictionaries(
        st.sampled_from(["name", "rid", "topic", "broadcast", "roles", "bogus"]), st.sampled_from(["x", True, None, []])
    ),
)


@pytest_asyncio.fixture
async def published() -> dict[str, Any]:
    return await vendor_schemas()


def _options(schema: Any) -> list[Any]:
    options = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [{**schema, **option} if "properties" in schema else option for option in options]


def _fitting(schema: Any) -> Any:
    """The least value that a schema of the vendor's takes."""
    if "oneOf" in schema:
        return _fitting(schema["oneOf"][0])
    if schema.get("type") == "object":
        wanted = schema.get("required", [])
        return {name: _fitting(schema["properties"][name]) for name in wanted}
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "x", "boolean": True, "number": 1, "array": []}[schema["type"]]


@pytest.mark.parametrize("call", PAIRS)
def test_a_request_is_taken_exactly_when_the_vendor_takes_it(call: str, published: dict[str, Any]) -> None:
    method, name = call.split()
    match = TABLE.find(method, f"/api/v1/{name}")
    assert match is not None
    ours = match.route.schema(Version.parse(VERSION))
    assert ours is not None
    schema = published["validators"][PAIRS[call]]
    theirs = jsonschema_rs.validator_for(plain_schema(schema))
    options = [option for option in _options(schema) if not NOT_PLAYED & set(option.get("required", []))]
    keys = sorted({key for option in options for key in option.get("properties", {})} - NOT_PLAYED)
    seen = set()

    @settings(max_examples=40)
    @given(
        start=st.sampled_from(options),
        changes=st.dictionaries(st.sampled_from([*keys, "bogus"]), values, max_size=3),
        without=st.sets(st.sampled_from(keys), max_size=1),
    )
    def agree(start: Any, changes: Any, without: Any) -> None:
        body = {key: value for key, value in {**_fitting(start), **changes}.items() if key not in without}
        verdict = theirs.is_valid(body)
        assert (problems(ours, body) == []) is verdict, body
        seen.add(verdict)

    agree()
    assert seen == {True, False}


def _record(published: dict[str, Any], name: str) -> Any:
    components = plain_schema(published["components"])
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": {"schemas": components}})


@pytest_asyncio.fixture
async def told() -> Any:
    """Return replies of a server with some data, by name."""
    async with (
        RocketChatSandbox(version=VERSION, rate_limit=None) as sandbox,
        aiohttp.ClientSession(sandbox.url) as session,
    ):
        yield await _tour(Rest(session, sandbox))


async def _tour(rest: Rest) -> dict[str, Any]:
    async def got(name: str, **query: Any) -> Any:
        return (await rest.get(name, **query)).body

    ada = await rest.make_user("ada", bio="x", roles=["user"])
    room = (await rest.post("channels.create", {"name": "town", "members": ["ada"]})).body["channel"]
    group = (await rest.post("groups.create", {"name": "club"})).body["group"]
    direct = (await rest.post("im.create", {"username": "ada"})).body["room"]
    await rest.post("channels.setTopic", {"roomId": room["_id"], "topic": "T"})
    sent = (await rest.post("chat.postMessage", {"channel": "#town", "text": "hi @ada"})).body["message"]
    edit = {"roomId": room["_id"], "msgId": sent["_id"], "text": "better"}
    edited = (await rest.post("chat.update", edit)).body["message"]
    history = (await got("channels.history", roomId=room["_id"]))["messages"]
    joined = (await got("rooms.get"))["update"]
    return {
        "IUser": [ada, (await got("users.info", username="ada"))["user"]],
        "IMeApiUser": [await got("me")],
        "IRoom": [room, group, direct, *joined, (await got("rooms.info", roomId=room["_id"]))["room"]],
        "ISubscription": (await got("subscriptions.get"))["update"],
        "IMessage": [sent, edited, *history],
        400: [
            await got("users.info", username="nobody"),
            await got("users.info"),
            (await rest.post("users.create", {**ada, "password": "x"})).body,
            (await rest.post("channels.create", {"name": "town"})).body,
            (await rest.post("users.createToken", {"userId": "x", "secret": "y"})).body,
            await got("rooms.info", roomId="nowhere"),
        ],
        401: [(await rest.get("me", who=None)).body],
        403: [(await rest.get("groups.listAll", who=await rest.make_token(ada["_id"]))).body],
        404: [await got("users.nonsense")],
    }


@pytest.mark.parametrize("name", ["IUser", "IMeApiUser", "IRoom", "ISubscription", "IMessage"])
def test_a_record_has_the_shape_that_the_vendor_publishes(name: str, told: Any, published: dict[str, Any]) -> None:
    validator = _record(published, name)
    assert told[name]
    for body in told[name]:
        found = [f"{error.instance_path}: {error.message}"[:300] for error in validator.iter_errors(body)]
        assert found == [], body
    for key in ("_id", "_updatedAt"):  # or the schema takes anything
        without = {field: value for field, value in told[name][0].items() if field != key}
        assert not validator.is_valid(without) or (name, key) == ("IMeApiUser", "_updatedAt")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "validateBadRequestErrorResponse"),
        (401, "validateUnauthorizedErrorResponse"),
        (403, "validateForbiddenErrorResponse"),
        (404, "validateNotFoundErrorResponse"),
    ],
)
def test_an_error_has_the_shape_that_the_vendor_publishes(
    status: int, name: str, told: Any, published: dict[str, Any]
) -> None:
    validator = jsonschema_rs.validator_for(plain_schema(published["validators"][name]))
    for body in told[status]:
        assert validator.is_valid(body), body
    assert not validator.is_valid({"error": "x"})


def test_the_vendor_publishes_enough_for_this_to_mean_something(published: dict[str, Any]) -> None:
    assert len(published["validators"]) == 403
    assert len(published["components"]) == 203
    assert len(published["components"]["IUser"]["required"]) == 6
