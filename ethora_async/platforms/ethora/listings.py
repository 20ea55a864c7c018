"""Listings of an app's users and chats, and lookups that scan them.

See docs/platforms/ethora.md#users, #chats.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from ethora_async.errors import NotFoundError, ReplyLostError
from ethora_async.pages import Pages, read_all
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.users.compared import read_compared, read_listing
from ethora_async.records import MongoId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ethora_async.capabilities import ListedUsers
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.records import Chat, Id, User

LARGEST_PAGE = 500
"""Maximum number of items in a page of any list (docs/platforms/ethora.md#hosts-and-paths)."""


def chat_pages(
    context: AppContext, *, include_members: bool = False, limit: int = LARGEST_PAGE, offset: int = 0
) -> Pages[Chat]:
    """Return the app's chats, in pages."""

    async def fetch(offset: int, limit: int) -> tuple[tuple[Chat, ...], int | None]:
        app = await context.open()
        query: dict[str, str | int] = {"limit": limit, "offset": offset}
        if include_members:
            query["includeMembers"] = "true"
        reply = await app.call(app.operations.list_chats, query=query)
        return wire.read_chats(reply.data, app.names, origin=reply.origin)

    return Pages(fetch, lambda chat: chat.name, limit=limit, offset=offset, largest=LARGEST_PAGE)


def user_pages(
    context: AppContext, *, chat: Id | None = None, limit: int = LARGEST_PAGE, offset: int = 0
) -> Pages[User]:
    """Return the app's users or a chat's members, in pages."""

    async def fetch(offset: int, limit: int) -> tuple[tuple[User, ...], int | None]:
        app = await context.open()
        operation = app.operations.list_users
        query: dict[str, str | int] = {"limit": limit, "offset": offset}
        if chat is not None:
            if app.operations.list_members is None:
                members = await find_members(context, chat)
                return members[offset : offset + limit], len(members)
            operation = app.operations.list_members
            query["chatName"] = app.names.lookup_name(chat, "chat")
        reply = await app.call(operation, query=query)
        return wire.read_users(reply.data, app.names, origin=reply.origin)

    return Pages(fetch, lambda user: user.xmpp_username or user.id, limit=limit, offset=offset, largest=LARGEST_PAGE)


async def list_for_comparison(
    context: AppContext, reserved: Callable[[User], bool], keep: Callable[[ListedUsers], Awaitable[int]]
) -> None:
    """List what a comparison needs of the users that `user_pages` lists; see `ListsForComparison`."""

    async def fetch(offset: int, limit: int) -> tuple[ListedUsers, int | None]:
        app = await context.open()
        query = {"limit": limit, "offset": offset}
        reply = await app.call(app.operations.list_users, query=query, decode=read_listing)
        return read_compared(reply.data, app.names, reserved, origin=reply.origin)

    await read_all(fetch, keep, limit=LARGEST_PAGE)


async def find_record_ids(context: AppContext, ids: Sequence[str]) -> list[str]:
    """Return the platform's record ids of users, in order: a `MongoId` is one, others are looked up page by page.

    Raises:
        NotFoundError: no page lists one of them.
    """
    wanted = {id for id in ids if not isinstance(id, MongoId)}
    found: dict[str, str] = {}
    if wanted:
        async with aclosing(user_pages(context).by_page()) as pages:
            async for page in pages:
                found |= {user.id: user.record_id for user in page.items if user.id in wanted and user.record_id}
                if len(found) == len(wanted):
                    break
    for id in ids:
        if id in wanted and id not in found:
            msg = f"no user {id!r}, or the listing does not show its record id"
            raise NotFoundError(msg, operation=(await context.open()).operations.list_users.name)
    return [id if isinstance(id, MongoId) else found[id] for id in ids]


async def find_chat(context: AppContext, id: Id, *, include_members: bool = False) -> Chat:
    """Return one chat, looked up page by page.

    Raises:
        NotFoundError: no page lists it.
    """
    app = await context.open()
    name = app.names.lookup_name(id)
    async with aclosing(chat_pages(context, include_members=include_members).by_page()) as pages:
        async for page in pages:
            for chat in page.items:
                if name in (chat.name, chat.record_id):
                    return chat
    msg = f"no chat {str(id)!r}"
    raise NotFoundError(msg, operation=app.operations.list_chats.name)


async def find_members(context: AppContext, id: Id) -> tuple[User, ...]:
    """Return the members of one chat from the listing of chats.

    Raises:
        NotFoundError: no page lists the chat.
        ReplyLostError: the listing contains no members, or fewer than its count.
    """
    chat = await find_chat(context, id, include_members=True)
    shown = len(chat.members or ())
    if chat.members is None or shown < (chat.member_count or 0):
        msg = f"the platform lists {shown} of the {chat.member_count or 'unknown number of'} members of {chat.id!r}"
        raise ReplyLostError(msg, operation=(await context.open()).operations.list_chats.name)
    return chat.members
