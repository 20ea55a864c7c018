"""Helpers for the tests of the web part: routes over a client whose clock stands still."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
from web_sites import USER_HEADER, identify

from ethora_async import EthoraClient, ImbaChatClient, UserInfo
from ethora_async.testing.users import FakeClock
from ethora_async.web import Health, Request, Routes, TokenEndpoint, UserInfoEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECRET = "unit-test-secret-not-a-real-one-0001"
NOW = 1_700_000_000.0
JSON = ("Content-Type", "application/json")
LOGIN, PASSWORD = "imba", "a-password-of-tests"


def ethora(**changes: Any) -> EthoraClient:
    """A client that mints tokens locally; no server answers at its URL."""
    options = {
        "app_id": "app",
        "secret": SECRET,
        "api_url": "http://127.0.0.1:9",
        "xmpp_host": "xmpp.example.com",
        "clock": FakeClock(NOW),
    }
    return EthoraClient(**{**options, **changes})


def imbachat() -> ImbaChatClient:
    return ImbaChatClient(widget_id=4711, secret=SECRET, api_login=LOGIN, api_password=PASSWORD, clock=FakeClock(NOW))


async def people(ids: Sequence[int]) -> Iterable[UserInfo]:
    return [UserInfo(user_id=id, name=f"Person {id}") for id in ids if id < 10]


async def may_enter(user: Any, room: str) -> bool:
    """Allow each user their own rooms."""
    return room.startswith(f"of-{user}")


async def limited(user: Any, native: Any) -> float | None:
    """Reject one user for asking too often."""
    return 7.2 if user == "eager" else None


def basic() -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()


@attrs.frozen
class Parts:
    """The routes, and what they were made of."""

    routes: Routes
    endpoint: TokenEndpoint[Any]
    health: Health
    options: dict[str, Any]


def made(client: Any = None, **changes: Any) -> Parts:
    """Routes with everything on them."""
    clock = FakeClock(NOW)
    options = {
        "may_enter": may_enter,
        "rate_limit": limited,
        "allowed_origins": ["https://shop.example.com"],
        "clock": clock,
        **changes,
    }
    client = client if client is not None else ethora()
    endpoint: TokenEndpoint[Any] = TokenEndpoint(client, identify, **options)
    health = Health(clock=clock)
    routes = Routes(token=endpoint, user_info=UserInfoEndpoint(imbachat().user_info(people)), health=health)
    return Parts(routes, endpoint, health, {"client": client, "token": options})


class Native:
    """A framework's request, as far as `identify` looks."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self.headers = {name.lower(): value for name, value in headers}


async def post(parts: Parts, *headers: tuple[str, str], body: bytes = b"", user: str | None = "ann") -> Any:
    """The core's answer to a request for a token."""
    mine = [(USER_HEADER, user)] if user is not None else []
    given = [("Host", "www.example.com"), JSON, *headers, *mine]
    return await parts.routes.handle(Request.of("POST", "/token", headers=given, body=body, native=Native(given)))
