"""The sandboxes serve the routes that the platform notes list, and no others.

The notes are written from public sources, and the sandboxes by themselves: neither is made from the other.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from route_tables import routes

from ethora_async.platforms.avaya import operations as avaya_operations
from ethora_async.platforms.ethora import operations as ethora_operations
from ethora_async.platforms.rocketchat import operations as rocketchat_operations
from ethora_async.platforms.rocketchat import operations_messages as rocketchat_messages
from ethora_async.platforms.rocketchat import operations_people as rocketchat_people
from ethora_async.platforms.rocketchat import operations_rooms as rocketchat_rooms
from ethora_async.request import Operation
from ethora_async.sandbox.avaya import gateway as avaya
from ethora_async.sandbox.ethora.gateway import TABLE as ETHORA
from ethora_async.sandbox.imbachat import gateway as imbachat
from ethora_async.sandbox.rocketchat.gateway import TABLE as ROCKETCHAT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

ROOT = Path(__file__).parents[2]


def test_the_local_ethora_serves_the_routes_of_the_notes_to_the_same_tokens() -> None:
    served = {(route.method, route.path, route.auth.value, route.section) for route in ETHORA.routes}
    assert served == routes("ethora")


def test_the_local_rocketchat_serves_the_routes_of_the_notes_to_the_same_callers() -> None:
    served = {(route.method, route.path, route.section) for route in ROCKETCHAT.routes}
    listed = routes("rocketchat")
    assert served == {(method, path, heading) for method, path, _, heading in listed}
    needs = {(method, path): words for method, path, words, _ in listed}
    for route in ROCKETCHAT.routes:
        said = needs[route.method, route.path].strip("`")
        assert route.anonymous == (said == "nothing"), route
        assert route.two_factor == (said == "second factor"), route
        if route.any_of and not route.two_factor:
            assert said in route.any_of, route


def test_the_local_avaya_serves_the_routes_of_the_notes() -> None:
    assert {route.operation for route in avaya.TABLE.routes} == {
        f"{method} {path}" for method, path, *_ in routes("avaya")
    }


def test_the_local_imbachat_serves_the_routes_of_the_notes() -> None:
    assert {route.operation for route in imbachat.TABLE.routes} == {
        f"{method} {path}" for method, path, *_ in routes("imbachat")
    }


def _operations(module: ModuleType) -> Iterable[Operation]:
    for value in vars(module).values():
        yield from _held(value)


def _held(value: object) -> Iterable[Operation]:
    """The operations of a constant: one, or a table of them."""
    if isinstance(value, Operation):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _held(inner)
    elif isinstance(value, ethora_operations.AppOperations):
        yield from (one for one in vars_of(value) if one is not None)


def vars_of(table: ethora_operations.AppOperations) -> list[Operation | None]:
    return [getattr(table, name) for name in type(table).__annotations__]


def _shape(method: str, path: str) -> tuple[str, ...]:
    """A call without the names of its placeholders, and without a slash at its end."""
    words = ["{}" if word.startswith("{") else word for word in path.rstrip("/").split("/")]
    return (method, *words)


def test_every_operation_of_a_client_is_in_the_notes_under_the_heading_it_cites() -> None:
    strays = []
    for platform, module in (
        ("ethora", ethora_operations),
        ("rocketchat", rocketchat_operations),
        ("rocketchat", rocketchat_messages),
        ("rocketchat", rocketchat_people),
        ("rocketchat", rocketchat_rooms),
        ("avaya", avaya_operations),
    ):
        listed = {_shape(method, path): heading for method, path, _, heading in routes(platform)}
        for operation in _operations(module):
            heading = listed.get(_shape(operation.method, operation.path))
            cited = operation.source.partition("#")[2]
            # Avaya's two routes share a table; each has a heading of its own for the details.
            if heading is None or (platform != "avaya" and heading != cited):
                strays.append(f"{platform}: {operation.method} {operation.path}: {heading} is not {cited}")
    assert strays == []


def test_the_sandboxes_are_not_made_from_the_clients() -> None:
    """Otherwise the comparison above would compare the client with itself."""
    for path in (ROOT / "ethora_async" / "sandbox").rglob("*.py"):
        names = {
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        assert not any(name.startswith("ethora_async.platforms") for name in names), path
