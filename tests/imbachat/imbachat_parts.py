"""Helpers for the tests of ImbaChat."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ethora_async import ImbaChatClient, UserInfo
from ethora_async.testing.users import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEY = "unit-test-key-not-a-real-secret-0001"
LOGIN, PASSWORD = "imba", "Pa55:w0rd£"
SETTINGS: dict[str, Any] = {"widget_id": 4711, "secret": KEY, "api_login": LOGIN, "api_password": PASSWORD}


def client(**changes: Any) -> ImbaChatClient:
    return ImbaChatClient(**{**SETTINGS, "clock": FakeClock(), **changes})


def basic(login: str = LOGIN, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


class People:
    """A table of users that records the requested ids."""

    def __init__(self, *users: UserInfo) -> None:
        self.users = {str(user.user_id): user for user in users or (person(1), person(2), person(7))}
        self.asked: list[list[Any]] = []
        self.searched: list[str] = []

    async def lookup(self, ids: Sequence[Any]) -> Iterable[UserInfo]:
        self.asked.append(list(ids))
        # In no order that anybody promised, as SQL's IN has none.
        return reversed([self.users[str(id)] for id in ids if str(id) in self.users])

    async def search(self, term: str) -> Iterable[UserInfo]:
        self.searched.append(term)
        return [user for user in self.users.values() if term.lower() in user.name.lower()]


def person(id: int | str, **changes: Any) -> UserInfo:
    return UserInfo(**{"user_id": id, "name": f"Person {id}", **changes})
