"""Map kinds and actions of items to a platform's methods."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.errors import ChatError
from ethora_async.records import NewChat, NewUser, new_user
from ethora_async.sync.plan.directories import chats_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from ethora_async.capabilities import ChatDirectory, ManagesUsers, UserDirectory
    from ethora_async.sync.store.items import Entry


def way(client: ManagesUsers, kind: str, action: str) -> tuple[Callable[[Entry], Any], Callable[[Any], Run[Any]]]:
    """Return two functions: one converts a journal item for sending, the other sends the converted items."""
    users = client.users
    ways: dict[tuple[str, str], tuple[Callable[[Entry], Any], Callable[[Any], Run[Any]]]] = {
        ("user", "create"): (_new_user, users.create_many),
        ("user", "update"): (partial(_user_change, users), users.update_many),
        ("user", "delete"): (_key, users.delete_many),
    }
    if kind != "user":
        chats = chats_of(client)
        ways |= {
            ("chat", "create"): (_new_chat, chats.create_many),
            ("chat", "update"): (_itself, partial(_update_chats, chats)),
            ("chat", "delete"): (_key, chats.delete_many),
            ("member", "grant"): (_pair, chats.grant_many),
            ("member", "revoke"): (_pair, chats.revoke_many),
        }
    return ways[kind, action]


def _key(entry: Entry) -> str:
    return entry.key


def _itself(entry: Entry) -> Entry:
    return entry


def _pair(entry: Entry) -> tuple[str, str]:
    return entry.key, entry.other


def _new_user(entry: Entry) -> NewUser:
    return new_user(**(entry.after or {}))


def _new_chat(entry: Entry) -> NewChat:
    return NewChat(**(entry.after or {}))


def _user_change(users: UserDirectory[Any], entry: Entry) -> Any:
    after = entry.after or {}
    user, fields = new_user(**after["item"]), frozenset(after["fields"])
    if users.plain_id(user.id) == entry.key:
        return users.change(user, fields)
    return users.change(user, fields, current=entry.key)


def _update_chats(chats: ChatDirectory, items: AsyncIterable[Entry]) -> Run[Entry]:
    async def work(batch: Sequence[Entry]) -> list[Outcome[Entry]]:
        (entry,) = batch
        try:
            done = await chats.update(entry.key, **(entry.after or {})["fields"])
        except ChatError as error:
            status: Status = "unknown" if error.effect == "unknown" else "failed"
            return [Outcome(entry, entry.key, status, error, attempts=error.attempts, request_id=error.request_id)]
        return [Outcome(entry, entry.key, done.status, attempts=done.attempts, request_id=done.request_id)]

    return Run(items, lambda: nullcontext(work), batch_size=1, concurrency=CONCURRENCY)
