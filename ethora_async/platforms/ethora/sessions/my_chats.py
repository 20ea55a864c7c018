"""``user.chats``: the chats of one user (docs/platforms/ethora.md#chats)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.bulk.outcome import Outcome
from ethora_async.pages import Pages
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.listings import LARGEST_PAGE
from ethora_async.platforms.ethora.sessions.files import (
    UPLOAD_TIMEOUT,
    FileRecord,
    SeveralFiles,
    media_form,
    read_files,
)
from ethora_async.platforms.ethora.unpaged_lists import whole_list
from ethora_async.records import Chat, Id, required_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.config import Seconds
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.request import Operation


class MyChats:
    """The chats of one user. To create and change chats as this user, see `UserClient.in_app`."""

    def __init__(self, context: AppContext, own_name: Callable[[], str]) -> None:
        self._context = context
        self._own_name = own_name

    def list(self) -> Pages[Chat]:
        """Return the chats that the user is a member of, 1-1 chats included.

        Each lists at most 30 members; `Chat.member_count` is their number. A chat that was deleted, or that the user
        was removed from, may stay listed for up to a minute on real servers (docs/platforms/ethora.md#jobs-and-delays).
        """
        return self._whole(operations.MY_CHATS)

    def created(self) -> Pages[Chat]:
        """Return the chats that the user created."""
        return self._whole(operations.CREATED_CHATS)

    def public(self, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Chat]:
        """Return the chats that anyone may join.

        Args:
            limit: chats in a page, 1 to 500 (default 500).
            offset: where to start; 0 is the first.
        """
        operation = operations.PUBLIC_CHATS

        async def fetch(offset: int, limit: int) -> tuple[tuple[Chat, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operation, query={"limit": limit, "offset": offset})
            return wire.read_chats(reply.data, app.names, origin=reply.origin)

        return Pages(fetch, lambda chat: chat.name, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def get(self, id: Id) -> Chat:
        """Return one of the user's chats, with at most 30 of its members.

        Raises:
            NotFoundError: there is no such chat, or the user is not in it.
        """
        app = await self._context.open()
        reply = await app.call(operations.MY_CHAT, path={"chat": app.names.lookup_name(id)})
        return wire.read_chat(wire.result(reply.data), app.names, origin=reply.origin)

    async def private(self, user: Id) -> Chat:
        """Return the 1-1 chat with another user; created on the first call, the same chat afterwards.

        Its title means nothing: show the other user's name.

        Raises:
            NotFoundError: there is no such user.
        """
        app = await self._context.open()
        reply = await app.call(operations.PRIVATE_CHAT, data={"username": app.names.member(user)})
        return wire.read_chat(wire.result(reply.data), app.names, origin=reply.origin)

    def private_names(self, user: Id) -> tuple[str, str]:
        """Return the two possible names of the 1-1 chat with another user: their order is not defined
        (docs/platforms/ethora.md#names-and-ids). No request is sent.

        Raises:
            InvalidInputError: the client was created from an API key, and has not called `me` yet.
        """
        names = self._context.known().names
        return names.pair(names.strip(self._own_name()), user)

    async def mute(self, id: Id) -> Outcome[str]:
        """Mute notifications of a chat. Muting twice changes nothing.

        Raises:
            NotFoundError: the user is not in such a chat (``CHAT_MEMBERSHIP_NOT_FOUND``).
        """
        return await self._change(operations.MUTE_CHAT, id)

    async def unmute(self, id: Id) -> Outcome[str]:
        """Unmute notifications of a chat.

        Raises:
            NotFoundError: the user is not in such a chat (``CHAT_MEMBERSHIP_NOT_FOUND``).
        """
        return await self._change(operations.UNMUTE_CHAT, id)

    async def report(self, id: Id, category: str, text: str) -> Outcome[str]:
        """Report a chat to the app's owners. Never retried: each request is a separate report.

        Args:
            category: the platform's category, such as ``spam``.
            text: a description.

        Raises:
            NotFoundError: there is no such chat.
        """
        data = {"category": required_text(category, "category"), "text": required_text(text, "text")}
        app = await self._context.open()
        key = app.names.lookup(id)
        reply = await app.call(operations.REPORT_CHAT, path={"chat": app.names.lookup_name(id)}, data=data)
        return Outcome(key, key, "created", attempts=reply.attempts, request_id=reply.request_id)

    async def send_media(
        self, id: Id, files: SeveralFiles, *, timeout: Seconds = UPLOAD_TIMEOUT
    ) -> tuple[FileRecord, ...]:
        """Send files to a chat; its members receive them before this returns.

        Files are read while they are sent, never whole into memory: paths, bytes, binary file objects (including those
        of web frameworks) and async iterables, or an `Attachment` for a file that needs a name. The request is retried
        only when it certainly did not arrive, and then only if the files can be read again.

        Args:
            files: one, or up to five; each at most 50 MB, checked before sending if the size is known.
            timeout: for the whole upload (default 5 minutes).

        Raises:
            InvalidInputError: a file cannot be read, has no name or is too large, or there are too many.
            NotFoundError: there is no such chat.
            ValidationFailedError: the platform does not accept a file; HTTP 413 when it is too large.
        """
        app = await self._context.open()
        form = await media_form(files)
        operation = operations.SEND_MEDIA
        reply = await app.call(operation, path={"chat": app.names.lookup_name(id)}, upload=form, timeout=timeout)
        return read_files(reply.data, origin=reply.origin)[0]

    def _whole(self, operation: Operation) -> Pages[Chat]:
        async def read(query: dict[str, str | int]) -> tuple[tuple[Chat, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operation, query=query)
            return wire.read_chats(reply.data, app.names, origin=reply.origin)

        return whole_list(read, lambda chat: chat.name)

    async def _change(self, operation: Operation, id: Id) -> Outcome[str]:
        app = await self._context.open()
        key = app.names.lookup(id)
        reply = await app.call(operation, path={"chat": app.names.lookup_name(id)}, data={})
        return Outcome(key, key, "updated", attempts=reply.attempts, request_id=reply.request_id)
