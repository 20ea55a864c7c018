"""The page of the local Rocket.Chat: users, rooms, members, messages."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING

from ethora_async.sandbox.ui.view import SCANNED, Cell, Detail, Knob, ViewRow, ViewTable, make_table, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import Message, Room, User

NEWEST = 200
USERS = ("Name", "Username", "E-mail", "Roles", "Status", "Tokens")
ROOMS = ("Name", "Id", "Type", "Members", "Messages", "Created")
MESSAGES = ("Time", "Room", "From", "Text")
KINDS = {"c": "channel", "p": "group", "d": "direct"}


class RocketChatView:
    """Reads the state of a server."""

    platform = "Rocket.Chat"
    knobs: tuple[Knob, ...] = ()

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def facts(self) -> Mapping[str, Cell]:
        """Return facts about the server."""
        return {"Version": str(self._platform.version), "Tokens per user": self._platform.token_cap}

    def counts(self) -> Mapping[str, tuple[str, int]]:
        """Return the tables."""
        store = self._platform.store
        return {
            "users": ("Users", len(store.users)),
            "rooms": ("Rooms", len(store.rooms)),
            "messages": ("Messages", sum(len(room.messages) for room in self._scanned())),
        }

    def table(self, key: str, search: str, limit: int) -> ViewTable:
        """Return rows of a table."""
        title, total = self.counts()[key]
        store = self._platform.store
        if key == "users":
            return make_table(title, USERS, store.users, _user_row, total, search, limit)
        if key == "rooms":
            return make_table(title, ROOMS, store.rooms, _room_row, total, search, limit)
        return make_table(title, MESSAGES, self._newest(), _said, total, search, limit)

    def detail(self, key: str, record_id: str) -> Detail | None:
        """Return one user or room by its id."""
        store = self._platform.store
        if key == "users":
            user = store.users.with_id(record_id)
            return None if user is None else _user(user)
        room = store.rooms.with_id(record_id) if key == "rooms" else None
        return None if room is None else _room(room)

    def _scanned(self) -> Iterable[Room]:
        return islice(self._platform.store.rooms, SCANNED)

    def _newest(self) -> list[tuple[Room, Message]]:
        latest = (
            (room, message) for room in self._scanned() for message in islice(reversed(room.messages.values()), NEWEST)
        )
        return heapq.nlargest(NEWEST, latest, key=lambda pair: pair[1].at)


def _user(user: User) -> Detail:
    facts: dict[str, Cell] = {
        "Username": user.username,
        "E-mail": user.email or "–",
        "Roles": ", ".join(user.roles),
        "Id": user.id,
        "Created": moment(user.created_at),
        "Last login": "–" if user.last_login is None else moment(user.last_login),
    }
    rooms = [membership.room for membership in user.rooms.values()]
    return Detail(user.name, facts, (make_table("Rooms", ROOMS, rooms, _room_row, len(rooms)),))


def _room(room: Room) -> Detail:
    facts: dict[str, Cell] = {
        "Id": room.id,
        "Type": KINDS.get(room.type, room.type),
        "Topic": room.topic or "–",
        "Created by": room.creator.get("username", "–"),
        "Created": moment(room.created_at),
    }
    people = [membership.user for membership in room.members.values()]
    members = make_table("Members", USERS, people, _user_row, len(people))
    said = ((room, message) for message in reversed(room.messages.values()))
    return Detail(_name(room), facts, (make_table("Messages", MESSAGES, said, _said, len(room.messages)), members))


def _name(room: Room) -> str:
    return room.name or " – ".join(room.usernames) or room.id


def _user_row(user: User) -> ViewRow:
    status = user.status if user.active else "deactivated"
    roles = ", ".join(user.roles)
    return ViewRow((user.name, user.username, user.email or "–", roles, status, len(user.tokens)), f"users/{user.id}")


def _room_row(room: Room) -> ViewRow:
    counts = (len(room.members), len(room.messages))
    kind = KINDS.get(room.type, room.type)
    return ViewRow((_name(room), room.id, kind, *counts, moment(room.created_at)), f"rooms/{room.id}")


def _said(said: tuple[Room, Message]) -> ViewRow:
    room, message = said
    return ViewRow((moment(message.at), _name(room), message.username, message.text), f"rooms/{room.id}")
