"""The table of operations is complete, and each operation uses the routes it names."""

from __future__ import annotations

import inspect
import re
from itertools import count
from typing import TYPE_CHECKING, Any

from surface_calls import ALL, CASES, World, carry_out, expected, in_room, prepare

from ethora_async.platforms.rocketchat import operations, operations_messages, operations_people, operations_rooms
from ethora_async.request import Operation

if TYPE_CHECKING:
    from surface_calls import Recorder

NOT_ONE_CALL = {"aclose", "ready", "from_env", "from_secrets", "request", "pages", "as_user", "realtime", "embedding"}
"""Of the client itself: no operation on rooms, messages or people."""
BULK = {"create_many", "update_many", "delete_many", "grant_many", "revoke_many"}
"""The same operations for many; `tests/rocketchat` has them."""
LOCAL = {"plain_id", "key", "comparable", "change", "reserved", "forget", "has_replaced", "list", "name_rule"}
"""These send nothing, are lists of two lists, or read a public setting as the client does itself."""
ELSEWHERE = {"tokens.aclose", "tokens.revoke", "send_email_code", "chats.update", "forget_names"}
"""`tests/rocketchat` has them."""


async def test_every_operation_calls_the_routes_of_the_table(recorded: Recorder, world: World) -> None:
    failed = []
    numbers = count()
    for operation, kind in CASES:
        here = world if kind == " " else await in_room(world, kind, next(numbers))
        await prepare(here, operation)
        recorded.seen.clear()
        await carry_out(here, operation)
        called = {re.sub(r"(rooms\.(?:media|upload))/\w+", r"\1/{rid}", one.route) for one in recorded.seen}
        called = {re.sub(r"rooms\.mediaConfirm/\w+/\w+", "rooms.mediaConfirm/{rid}/{fid}", one) for one in called}
        if not expected(operation, kind) <= called:
            failed.append((operation.words, kind, called))
    assert failed == []


def public_methods(of: Any, prefix: str = "") -> set[str]:
    return {
        prefix + name
        for name, method in inspect.getmembers(type(of), inspect.isfunction)
        if not name.startswith("_") and name not in BULK | LOCAL
    }


def test_every_method_of_the_client_is_in_the_table(world: World) -> None:
    client, ada = world.client, world.ada
    methods = public_methods(client) - NOT_ONE_CALL
    for name in ("users", "chats", "messages", "personal_tokens", "server", "tokens"):
        methods |= public_methods(getattr(client, name), f"{name}.")
    methods |= public_methods(ada) - {"request", "pages"}
    in_table = {one.method.removeprefix("ada.").removeprefix("bob.") for one in ALL}
    in_table |= {one.replace("people.", "users.") for one in in_table}
    assert methods - in_table - ELSEWHERE - {"personal_tokens.list", "users.list"} == set()


def test_every_route_that_the_client_knows_is_in_the_table() -> None:
    known = set()
    for module in (operations, operations_messages, operations_people, operations_rooms):
        for value in vars(module).values():
            known |= {one.path for one in flat(value)}
    called = {route.split(" ")[1] for one, kind in CASES for route in expected(one, kind)}
    called = {route if route.startswith("/") else f"/api/v1/{route}" for route in called}
    plain = {re.sub(r"/\{\w+\}", "", path) for path in known}
    assert plain - {re.sub(r"/\{\w+\}", "", path) for path in called} == {
        "/api/v1/login", "/api/v1/logout", "/api/v1/settings.public", "/api/v1/users.2fa.sendEmailCode",
    }  # fmt: skip


def flat(value: Any) -> list[Operation]:
    if isinstance(value, Operation):
        return [value]
    return [one for inner in value.values() for one in flat(inner)] if isinstance(value, dict) else []
