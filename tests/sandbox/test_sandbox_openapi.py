"""The sandbox against its own OpenAPI: schemathesis calls every operation, and each reply is as the document says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_world import World
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ethora_async.sandbox.ethora.forms import Forms
from ethora_async.sandbox.ethora.gateway import TABLE
from ethora_async.sandbox.ethora.openapi import describe
from ethora_async.sandbox.ethora.routing import Auth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_helpers import Api

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT = describe(TABLE.routes, Forms.of(lenient=False), "0")
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
ROUTES = {route.operation: route for route in TABLE.routes}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def _drive(world: World, operation, examples: int, *, meaningful: st.SearchStrategy[bool]) -> set[int]:
    """Make generated calls of one operation, check each reply, and return the statuses seen."""
    route, seen = ROUTES[operation.label], set[int]()
    world.renew()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=meaningful)
    def check(case, known: bool) -> None:
        if known:
            world.make_meaningful(case, route)
        response = world.send(case, world.token(route.auth))
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    check()
    return seen


def one_of_each_kind() -> Iterator[Any]:
    """Yield every operation; those after the first of their method, tokens and part of the API are slow."""
    seen = set[tuple[object, ...]]()
    for operation in OPERATIONS:
        route = ROUTES[operation.label]
        kind = (route.method, route.auth, *route.path.split("/")[1:3])
        yield pytest.param(operation, id=operation.label, marks=pytest.mark.slow if kind in seen else ())
        seen.add(kind)


@pytest.mark.parametrize("operation", list(one_of_each_kind()))
def test_every_reply_is_as_the_document_says(operation, world: World) -> None:
    seen: set[int] = set()
    for examples in (5, 20, 100):  # some forms are seldom met by chance
        seen = _drive(world, operation, examples, meaningful=st.just(True))
        if any(status < 300 for status in seen):
            return
    pytest.fail(f"no call succeeded: {seen}")


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_reply_is_as_the_document_says_at_length(operation, world: World) -> None:
    _drive(world, operation, 300, meaningful=st.booleans())


async def test_the_document_is_served_and_lists_every_route(api: Api) -> None:
    reply = await api("GET", "/api-docs/swagger.json", token=None)
    assert (reply.status, reply.body["openapi"]) == (200, "3.1.0")
    described = {(method.upper(), path) for path, methods in reply.body["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in TABLE.routes}


async def test_the_document_names_the_tokens_that_open_a_route(api: Api) -> None:
    paths = (await api("GET", "/api-docs/swagger.json", token=None)).body["paths"]
    assert paths["/ping"]["get"]["security"] == []
    assert paths["/v2/apps"]["get"]["security"] == [{"B2BServerJwtAuth": []}, {"UserJwtAuth": []}]
    assert paths["/v2/users/login-with-email"]["post"]["security"] == [{"AppJwtAuth": []}, {}]


async def test_the_page_lists_every_route(api: Api) -> None:
    reply = await api("GET", "/api-docs/", token=None)
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.body.count("<tr>") == len(TABLE.routes)


@pytest.mark.parametrize("route", [route for route in TABLE.routes if route.auth is not Auth.NONE], ids=str)
def test_no_route_is_open_without_saying_so(route) -> None:
    assert DOCUMENT["paths"][route.path][route.method.lower()]["security"]
