"""The page of the local Ethora: users, chats, members, messages, apps."""

from __future__ import annotations

import heapq
from itertools import chain, islice
from typing import TYPE_CHECKING

from ethora_async.sandbox.ui.view import SCANNED, Cell, Detail, Knob, ViewRow, ViewTable, make_table, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ethora_async.sandbox.ethora.conversation import Message
    from ethora_async.sandbox.ethora.platform import Platform
    from ethora_async.sandbox.ethora.records import App, Chat, User

NEWEST = 200
USERS = ("Name", "Id", "E-mail", "Chats", "Created")
CHATS = ("Title", "Id", "Type", "Members", "Messages", "Created")
MESSAGES = ("Time", "Chat", "From", "Text")
APPS = ("Name", "Id", "Users", "Chats", "Status")


class EthoraView:
    """Reads the state of a platform; with child apps, ids carry the app's id as the platform's own names do."""

    platform = "Ethora"
    knobs: tuple[Knob, ...] = (
        Knob("legacy_errors", "Bare text errors, as older servers"),
        Knob("job_polls", "Polls that see a job unfinished"),
        Knob("job_delay", "Seconds before a job finishes"),
        Knob("deletion_lag", "Seconds that deleted chats and members stay listed"),
    )

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def facts(self) -> Mapping[str, Cell]:
        """Return facts about the server."""
        base = self._apps()[0]
        return {"App id": base.id, "XMPP host": self._platform.xmpp_host, "Apps": len(self._apps())}

    def counts(self) -> Mapping[str, tuple[str, int]]:
        """Return the tables."""
        apps = self._apps()
        return {
            "users": ("Users", sum(len(app.users) for app in apps)),
            "chats": ("Chats", sum(len(app.chats) for app in apps)),
            "messages": ("Messages", sum(len(chat.messages) for chat in self._scanned())),
            "apps": ("Apps", len(apps)),
        }

    def table(self, key: str, search: str, limit: int) -> ViewTable:
        """Return rows of a table."""
        title, total = self.counts()[key]
        if key == "users":
            users = chain.from_iterable(app.users for app in self._apps())
            return make_table(title, USERS, users, self._user_row, total, search, limit)
        if key == "chats":
            return make_table(title, CHATS, self._chats(), self._chat_row, total, search, limit)
        if key == "messages":
            return make_table(title, MESSAGES, self._newest(), self._said, total, search, limit)
        return make_table(title, APPS, self._apps(), _app_row, total, search, limit)

    def detail(self, key: str, record_id: str) -> Detail | None:
        """Return one user or chat by its prefixed name."""
        app = next((one for one in self._apps() if record_id.startswith(f"{one.id}_")), None)
        if app is None:
            return None
        if key == "users":
            user = app.users.find(record_id)
            return None if user is None else self._user(user)
        chat = app.chats.find(record_id) if key == "chats" else None
        return None if chat is None else self._chat(chat)

    def _user(self, user: User) -> Detail:
        facts: dict[str, Cell] = {
            "Id": user.uuid,
            "xmppUsername": user.xmpp_username,
            "E-mail": user.email or "–",
            "Record id": user.id,
            "Created": moment(user.created_at),
            "Tags": ", ".join(user.profile.tags) or "–",
        }
        chats = make_table("Chats", CHATS, user.chats, self._chat_row, len(user.chats))
        return Detail(_name(user), facts, (chats,))

    def _chat(self, chat: Chat) -> Detail:
        facts: dict[str, Cell] = {
            "Name": chat.name,
            "Type": chat.type,
            "Description": chat.description or "–",
            "Record id": chat.id,
            "Created by": "the platform" if chat.creator is None else chat.creator.uuid,
            "Created": moment(chat.created_at),
        }
        members = make_table("Members", USERS, chat.members, self._user_row, len(chat.members))
        said = ((chat, message) for message in reversed(chat.messages))
        messages = make_table("Messages", MESSAGES, said, self._said, len(chat.messages))
        return Detail(chat.title, facts, (messages, members))

    def _apps(self) -> list[App]:
        store = self._platform.store
        store.agenda.settle(self._platform.clock())
        return store.apps

    def _chats(self) -> Iterator[Chat]:
        return chain.from_iterable(app.chats for app in self._apps())

    def _scanned(self) -> Iterable[Chat]:
        return islice(self._chats(), SCANNED)

    def _newest(self) -> list[tuple[Chat, Message[User]]]:
        latest = ((chat, message) for chat in self._scanned() for message in chat.messages[-NEWEST:])
        return heapq.nlargest(NEWEST, latest, key=lambda pair: pair[1].stanza)

    def _user_row(self, user: User) -> ViewRow:
        cells = (_name(user), user.uuid, user.email or "–", len(user.chats), moment(user.created_at))
        return ViewRow(cells, f"users/{user.xmpp_username}", user.xmpp_username)

    def _chat_row(self, chat: Chat) -> ViewRow:
        counts = (len(chat.members), len(chat.messages))
        return ViewRow((chat.title, chat.uuid, chat.type, *counts, moment(chat.created_at)), f"chats/{chat.name}")

    def _said(self, said: tuple[Chat, Message[User]]) -> ViewRow:
        chat, message = said
        author = "the platform" if message.sender is None else _name(message.sender)
        return ViewRow((moment(message.sent_at), chat.title, author, message.body), f"chats/{chat.name}")


def _name(user: User) -> str:
    return f"{user.first_name} {user.last_name}".strip()


def _app_row(app: App) -> ViewRow:
    status = "archived" if app.archived else "active"
    return ViewRow((app.display_name, app.id, len(app.users), len(app.chats), status))
