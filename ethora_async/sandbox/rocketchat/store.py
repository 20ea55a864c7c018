"""The state of a local Rocket.Chat: accounts, tokens and rooms, and their indexes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.ids import hash_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ethora_async.sandbox.rocketchat.records import Integration, LoginToken, Room, User

SWEEP_SECONDS = 600.0
HISTORY = 1_000
"""Requests of outgoing webhooks that are kept."""


class Users:
    """All accounts. User names and addresses are unique, ignoring case."""

    def __init__(self) -> None:
        self._by_id: dict[str, User] = {}
        self._by_name: dict[str, User] = {}
        self._by_email: dict[str, User] = {}
        self._sorted: dict[str, list[User]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_id.values())

    def with_id(self, user_id: str) -> User | None:
        """Return the user with this id."""
        return self._by_id.get(user_id)

    def with_username(self, username: str) -> User | None:
        """Return the user with this user name."""
        return self._by_name.get(username.lower())

    def with_email(self, email: str) -> User | None:
        """Return the user with this address."""
        return self._by_email.get(email.lower())

    def find(self, reference: str) -> User | None:
        """Look a user up by id, user name or address."""
        return self.with_id(reference) or self.with_username(reference) or self.with_email(reference)

    def add(self, user: User) -> None:
        """Add a user, whose names must be free."""
        self._by_id[user.id] = user
        self._by_name[user.username.lower()] = user
        if user.email is not None:
            self._by_email[user.email.lower()] = user
        self._sorted.clear()

    def rename(self, user: User, *, username: str, email: str | None) -> None:
        """Change the unique names of a user; the new ones must be free."""
        self._forget_names(user)
        user.username, user.email = username, email
        self.add(user)

    def remove(self, user: User) -> None:
        """Remove an account."""
        del self._by_id[user.id]
        self._forget_names(user)
        self._sorted.clear()

    def sorted_by(self, name: str, key: Callable[[User], str | float]) -> list[User]:
        """Return all users in an order, cached under `name` until an account changes."""
        if name not in self._sorted:
            self._sorted[name] = sorted(self._by_id.values(), key=key)
        return self._sorted[name]

    def changed(self) -> None:
        """Drop the cached orders after a user has changed."""
        self._sorted.clear()

    def _forget_names(self, user: User) -> None:
        self._by_name.pop(user.username.lower(), None)
        if user.email is not None:
            self._by_email.pop(user.email.lower(), None)


class Rooms:
    """All rooms; named ones are found by name too."""

    def __init__(self) -> None:
        self._by_id: dict[str, Room] = {}
        self._by_name: dict[str, Room] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_id.values())

    def with_id(self, room_id: str) -> Room | None:
        """Return the room with this id."""
        return self._by_id.get(room_id)

    def with_name(self, name: str) -> Room | None:
        """Return the channel or group with this name."""
        return self._by_name.get(name)

    def find(self, reference: str) -> Room | None:
        """Look a room up by id or name."""
        return self.with_id(reference) or self.with_name(reference)

    def add(self, room: Room) -> None:
        """Add a room, whose name must be free."""
        self._by_id[room.id] = room
        if room.name is not None:
            self._by_name[room.name] = room

    def rename(self, room: Room, name: str) -> None:
        """Rename a room; the new name must be free."""
        if room.name is not None:
            self._by_name.pop(room.name, None)
        room.name = name
        self._by_name[name] = room

    def remove(self, room: Room) -> None:
        """Remove a room."""
        del self._by_id[room.id]
        if room.name is not None:
            del self._by_name[room.name]


class Store:
    """The whole database of a server."""

    def __init__(self) -> None:
        self.users: Users = Users()
        self.rooms: Rooms = Rooms()
        self.integrations: dict[str, Integration] = {}
        self.webhook_history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._tokens: dict[str, tuple[User, LoginToken]] = {}
        self._swept = 0.0

    def token_owner(self, token: str) -> tuple[User, LoginToken] | None:
        """Return the owner of a token, even an expired one until it is swept."""
        return self._tokens.get(hash_token(token))

    def add_token(self, user: User, token: LoginToken) -> None:
        """Add a token to a user."""
        user.tokens.append(token)
        self._tokens[token.hashed] = (user, token)

    def drop_token(self, user: User, token: LoginToken) -> None:
        """Remove a token."""
        user.tokens.remove(token)
        self._tokens.pop(token.hashed, None)

    def sweep(self, now: float, lifetime: float) -> list[tuple[User, LoginToken]]:
        """Delete and return the tokens that expired before the latest run of the ten-minute job."""
        run = now - now % SWEEP_SECONDS
        if run <= self._swept:
            return []
        self._swept = run
        dead = [
            (user, token)
            for user, token in self._tokens.values()
            if not token.personal and token.when + lifetime <= run
        ]
        for user, token in dead:
            self.drop_token(user, token)
        return dead
