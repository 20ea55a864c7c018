"""Each route that the client calls or the sandbox serves, held against the vendor's types: of 7.x, and the newest."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from raw_calls import NOT_CALLED, RAW
from surface_calls import CASES, Exchange, Recorder, World, carry_out, in_room, prepare
from vendor_types import VERSIONS, vendor_types

from ethora_async.sandbox.rocketchat.gateway import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator


_REF = re.compile(r'"#/definitions/(\w+)"')
_TRAFFIC: dict[str, list[Exchange]] = {}


OLDEST, NEWEST = sorted(VERSIONS)


@pytest.fixture(params=[pytest.param(OLDEST, marks=pytest.mark.slow), NEWEST])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def types(version: str) -> Any:
    return await vendor_types(version)


@pytest.fixture
async def traffic(world: World, recorded: Recorder, version: str) -> list[Exchange]:
    """What the client and the sandbox said to each other, when every operation was carried out; once a version."""
    if version in _TRAFFIC:
        return _TRAFFIC[version]
    numbers = count()
    for raw in RAW:
        here = world if raw.kind == " " else await in_room(world, raw.kind, next(numbers))
        for route in filter(None, (raw.first, raw.route)):
            await _call(here, route, raw.given(here), raw.who)
    for operation, kind in CASES:
        here = world if kind == " " else await in_room(world, kind, next(numbers))
        await prepare(here, operation)
        await carry_out(here, operation)
    _TRAFFIC[version] = [one for one in recorded.seen if one.status < 400 and one.path.startswith("/api/v1/")]
    return _TRAFFIC[version]


async def _call(world: World, route: str, given: dict[str, Any], who: str) -> None:
    method, name = route.split(" ")
    told = {"query": given} if method == "GET" else {"json": given}
    as_user = {} if who == "admin" else {"as_user": who}
    await world.client.request(method, f"/api/v1/{name}", **told, **as_user)


def _known(types: Any, exchange: Exchange) -> tuple[str, Any] | None:
    """The vendor's name of the route, and what it says of it."""
    match = TABLE.find(exchange.method, exchange.path)
    assert match is not None
    words = match.route.path.removeprefix("/api").split("/")
    for name, about in types["routes"].items():
        method, _, path = name.partition(" ")
        theirs = path.split("/")
        same = len(theirs) == len(words) and all(
            one == other or (one.startswith(":") and other.startswith("{"))
            for one, other in zip(theirs, words, strict=True)
        )
        if method == exchange.method and same:
            return name, about
    return None


def _validator(types: Any, schema: Any) -> Any:
    """A validator of a schema, with the definitions that it reaches: all of them would take seconds."""
    key = json.dumps(schema)
    if key not in types.setdefault("made", {}):
        reached: dict[str, Any] = {}
        pending = _REF.findall(key)
        while pending:
            name = pending.pop()
            if name not in reached:
                reached[name] = types["definitions"][name]
                pending += _REF.findall(json.dumps(reached[name]))
        types["made"][key] = jsonschema_rs.validator_for({**schema, "definitions": reached})
    return types["made"][key]


def _readings(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A query as it stands, and with its numbers, and with its flags, as the server reads them."""
    flags = {"true": True, "false": False}
    numbers = {name: int(one) if isinstance(one, str) and one.isdigit() else one for name, one in given.items()}
    for reading in (given, numbers):
        yield reading
        yield {name: flags.get(one, one) if isinstance(one, str) else one for name, one in reading.items()}


def _fits(validator: Any, given: dict[str, Any]) -> bool:
    return any(validator.is_valid(one) for one in _readings(given))


async def test_every_route_of_the_sandbox_was_called(traffic: list[Exchange]) -> None:
    called = {match.route.operation for one in traffic if (match := TABLE.find(one.method, one.path)) is not None}
    assert {route.operation for route in TABLE.routes} - called - {*NOT_CALLED} == {"GET /api/info"}


LOOSER_THAN_THE_TYPES = {
    "GET /v1/channels.counters": "userId may be missing: then it is the caller",
    "GET /v1/groups.listAll": "pages are not typed",
    "GET /v1/users.list": "`query` is typed as required, and off on servers by default",
    "POST /v1/groups.invite": "several users at once, as the documentation has it",
    "POST /v1/channels.create": "7.x publishes a validator without `topic`, which its own front end sends",
    "POST /v1/rooms.saveRoomSettings": "7.x publishes a validator without `joinCode`, which its own front end sends",
    "POST /v1/login": "user may be a text, as the documentation and the vendor's own clients have it",
}
"""Requests that the server takes although the published types do not have them.

See docs/platforms/rocketchat.md#types-and-replies.
"""
MORE_IN_THE_TYPES = {
    ("GET /v1/channels.history", ""): "the route gives no numbers of pages",
    ("GET /v1/groups.history", ""): "likewise",
    ("GET /v1/chat.syncMessages", "result"): "a cursor comes only with `next` or `previous`",
    ("GET /v1/chat.getDeletedMessages", "messages.*"): "ids alone are shown",
    ("GET /v1/channels.members", "members.*"): "of members, names and presence alone are shown",
    ("GET /v1/groups.members", "members.*"): "likewise",
    ("GET /v1/rooms.membersOrderedByRole", "members.*"): "likewise",
    ("POST /v1/users.setActiveStatus", "user"): "only what changed is shown",
    ("GET /v1/settings.public", "settings.*"): "ids and values alone are shown",
    ("GET /v1/spotlight", "rooms.*"): "a room without messages has no last one",
    ("GET /v1/spotlight", "users.*"): "a user without a picture has no tag of one",
    ("GET /v1/subscriptions.get", "update.*"): "who has not read yet has no moment of it",
    ("GET /v1/subscriptions.getOne", "subscription"): "likewise",
    ("GET /v1/me", "services"): "whether there is a password, and which second factors are on",
    ("GET /v1/users.autocomplete", "items.*"): "a user without a picture has no tag of one",
    ("GET /v1/statistics", ""): "the sandbox counts, and has nothing else to tell",
    ("GET /v1/statistics.list", "statistics.*"): "likewise",
    ("POST /v1/chat.postMessage", "channel"): "the text that named the channel",
}
"""By route and place: replies of which the published types have more than the server sends, and why.

See docs/platforms/rocketchat.md#types-and-replies.
"""


async def test_what_is_sent_is_what_the_vendor_takes(types: Any, traffic: list[Exchange]) -> None:
    refused, checked = set(), set()
    for one in traffic:
        found = _known(types, one)
        given = one.query if one.method == "GET" else one.body
        if found is None or found[1]["takes"] is None or one.body is None:
            continue
        name, about = found
        checked.add(name)
        published = types["validators"].get(f"is{about['named']}") if about["named"] else None
        # What the server checks requests by; the types ask for more than it does.
        if (
            given
            and name not in LOOSER_THAN_THE_TYPES
            and not _fits(_validator(types, published or about["takes"]), given)
        ):
            refused.add((name, str(given)))
    assert refused == set()
    assert len(checked) > 60


def _as_typed(value: Any) -> Any:
    """A reply without ``broadcast: false``: the types of 8.3 know it as true or missing, servers write it out."""
    if isinstance(value, list):
        return [_as_typed(one) for one in value]
    if isinstance(value, dict):
        return {name: _as_typed(one) for name, one in value.items() if name != "broadcast" or one is not False}
    return value


@pytest.mark.slow
async def test_what_is_answered_has_the_shape_that_the_vendor_types(types: Any, traffic: list[Exchange]) -> None:
    wrong: dict[str, str] = {}
    checked = set()
    for one in traffic:
        found = _known(types, one)
        if found is None or found[1]["answers"] is None or not isinstance(one.reply, dict):
            continue
        name, about = found
        checked.add(name)
        validator = _validator(types, about["answers"])
        for error in validator.iter_errors(_as_typed(one.reply)):
            place = ".".join("*" if isinstance(part, int) else str(part) for part in error.instance_path)
            if (name, place) not in MORE_IN_THE_TYPES:
                wrong.setdefault(f"{name} {place}", error.message[-300:])
    assert wrong == {}
    assert len(checked) > 60


async def test_the_types_bite(types: Any) -> None:
    answers = _validator(types, types["routes"]["GET /v1/channels.files"]["answers"])
    good = {"files": [], "count": 0, "offset": 0, "total": 0}
    assert answers.is_valid(good)
    assert not answers.is_valid({**good, "files": [{}]})
    assert not answers.is_valid({"files": []})
