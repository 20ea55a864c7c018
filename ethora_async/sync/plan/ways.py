"""Map kinds and actions of items to a platform's methods."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ethora_async.bulk.outcome import Outcome, Status
from ethora_async.bulk.run import CONCURRENCY, Run
from ethora_async.errors import ChatError
from ethora_async.records import NewChat, NewUser, new_user
from ethora_async.sync.plan.directories import chats_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping, Sequence

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


def way(client: ManagesUsers, kind: str, action: str) -> tuple[Callable[[Item], Any], Callable[[Any], Run[Any]]]:
    """Return two functions: one converts a journal item for sending, the other sends the converted items."""
    users = client.users
    ways: dict[tuple[str, str], tuple[Callable[[Item], Any], Callable[[Any], Run[Any]]]] = {
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


def _key(item: Item) -> str:
    return item.key


def _itself(item: Item) -> Item:
    return item


def _pair(item: Item) -> tuple[str, str]:
    return item.key, item.other


def _new_user(item: Item) -> NewUser:
    return new_user(**(item.after or {}))


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
