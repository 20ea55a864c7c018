"""Map kinds and actions of items to a platform's methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.errors import ChatError
from ethora_async.records import NewChat, NewUser, new_user, new_users
from ethora_async.sync.plan.directories import chats_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from ethora_async.capabilities import ChatDirectory, ManagesUsers, UserDirectory


class Item(Protocol):
    """The fields of a journal item that are needed to send it; see `Entry`."""

    @property
    def key(self) -> str:
        """The id of the user or chat; for a membership, the chat's."""
        ...

    @property
    def other(self) -> str:
        """For a membership, the user's id; else empty."""
        ...

    @property
    def after(self) -> Mapping[str, Any] | None:
        """The fields as they should be."""
        ...


Make = Callable[[Sequence[Item]], list[Any]]
"""Converts journal items for sending."""

Start = Callable[[Any], Run[Any]]
"""Sends converted items."""


def way(client: ManagesUsers, kind: str, action: str) -> tuple[Make, Start]:
    """Return what converts items of this kind and action, and what sends them."""
    users = client.users
    ways: dict[tuple[str, str], tuple[Make, Start]] = {
        ("user", "create"): (_new_users, users.create_many),
        ("user", "update"): (_each(partial(_user_change, users)), users.update_many),
        ("user", "delete"): (_each(_key), users.delete_many),
    }
    if kind != "user":
        chats = chats_of(client)
        ways |= {
            ("chat", "create"): (_each(_new_chat), chats.create_many),
            ("chat", "update"): (list, partial(_update_chats, chats)),
            ("chat", "delete"): (_each(_key), chats.delete_many),
            ("member", "grant"): (_each(_pair), chats.grant_many),
            ("member", "revoke"): (_each(_pair), chats.revoke_many),
        }
    return ways[kind, action]


def _each(make: Callable[[Item], Any]) -> Make:
    return lambda items: [make(item) for item in items]


def _key(item: Item) -> str:
    return item.key


def _pair(item: Item) -> tuple[str, str]:
    return item.key, item.other


def _new_users(items: Sequence[Item]) -> list[NewUser]:
    return new_users([item.after or {} for item in items])


def _new_chat(item: Item) -> NewChat:
    return NewChat(**(item.after or {}))


def _user_change(users: UserDirectory[Any], item: Item) -> Any:
    after = item.after or {}
    user, fields = new_user(**after["item"]), frozenset(after["fields"])
    if users.plain_id(user.id) == item.key:
        return users.change(user, fields)
    return users.change(user, fields, current=item.key)


def _update_chats(chats: ChatDirectory, items: AsyncIterable[Item]) -> Run[Item]:
    async def work(batch: Sequence[Item]) -> list[Outcome[Item]]:
        (item,) = batch
        try:
            done = await chats.update(item.key, **(item.after or {})["fields"])
        except ChatError as error:
            status: Status = "unknown" if error.effect == "unknown" else "failed"
            return [Outcome(item, item.key, status, error, attempts=error.attempts, request_id=error.request_id)]
        return [Outcome(item, item.key, done.status, attempts=done.attempts, request_id=done.request_id)]

    return Run(items, lambda: nullcontext(work), batch_size=1, concurrency=CONCURRENCY)
