"""Marks and lists of messages (docs/platforms/rocketchat.md#message-marks, #message-lists, #media)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import InvalidInputError, NotFoundError
from ethora_async.multipart import Multipart
from ethora_async.pages import Pages
from ethora_async.platforms.rocketchat import operations_messages as operations
from ethora_async.platforms.rocketchat import operations_rooms, wire
from ethora_async.platforms.rocketchat.users import LARGEST_PAGE
from ethora_async.records import required_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Literal

    from ethora_async.attachments import Attachment, Source
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.message_records import Message, MessageChanges, UrlPreview
    from ethora_async.records import Id
    from ethora_async.request import Operation

UPLOAD_TIMEOUT = 300.0
"""Default time limit of an upload in seconds."""


class MessageMarks:
    """The methods of `Messages` that edit, mark and list messages, and send files."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def edit(self, room: Id, id: str, text: str) -> Message:
        """Change the text of a message.

        Raises:
            InvalidInputError: The text is empty.
            ForbiddenError: The caller may not edit it.
        """
        data = {"msgId": required_text(id, "id"), "text": required_text(text, "text")}
        api = await self._context.open()
        data["roomId"] = await self._context.directory.room_id(api, room)
        reply = await api.call(operations.EDIT, data=data)
        return wire.read_message(reply.data.get("message"), origin=reply.origin)

    async def delete(self, room: Id, id: str) -> Outcome[str]:
        """Delete a message.

        Returns:
            An outcome that is ``deleted``, or ``absent`` when there was no such message.
        """
        data = {"msgId": required_text(id, "id")}
        api = await self._context.open()
        data["roomId"] = await self._context.directory.room_id(api, room)
        try:
            reply = await api.call(operations.DELETE, data=data)
        except NotFoundError as error:
            return Outcome(id, id, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(id, id, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    async def react(self, id: str, emoji: str) -> Outcome[str]:
        """React to a message.

        Args:
            emoji: Its name, such as ``"tada"`` or ``":tada:"``.

        Raises:
            NotFoundError: There is no such message.
            ForbiddenError: The caller may not react there, or there is no such emoji.
        """
        return await self._react(id, emoji, wanted=True)

    async def unreact(self, id: str, emoji: str) -> Outcome[str]:
        """Remove the caller's reaction; see `react`."""
        return await self._react(id, emoji, wanted=False)

    async def pin(self, id: str) -> Outcome[str]:
        """Pin a message in its room.

        Raises:
            NotFoundError: There is no such message.
            ForbiddenError: The asker lacks the permission ``pin-message``.
        """
        return await self._mark(operations.PIN, id)

    async def unpin(self, id: str) -> Outcome[str]:
        """Unpin a message; see `pin`."""
        return await self._mark(operations.UNPIN, id)

    async def star(self, id: str) -> Outcome[str]:
        """Star a message; only the caller sees the star."""
        return await self._mark(operations.STAR, id)

    async def unstar(self, id: str) -> Outcome[str]:
        """Remove the caller's star."""
        return await self._mark(operations.UNSTAR, id)

    async def follow(self, id: str) -> Outcome[str]:
        """Follow the thread that begins with a message."""
        return await self._mark(operations.FOLLOW, id, key="mid")

    async def unfollow(self, id: str) -> Outcome[str]:
        """Unfollow the thread that begins with a message."""
        return await self._mark(operations.UNFOLLOW, id, key="mid")

    async def report(self, id: str, reason: str) -> Outcome[str]:
        """Report a message to the server's moderators."""
        return await self._mark(operations.REPORT, id, description=required_text(reason, "reason"))

    async def ignore_user(self, room: Id, user: Id, ignore: bool = True) -> None:
        """Hide the messages of a member of a room from the caller, or show them again."""
        api = await self._context.open()
        directory = self._context.directory
        room_id, user_id = await directory.room_id(api, room), await directory.user_id(api, user, fresh=True)
        query = {"rid": room_id, "userId": user_id, "ignore": "true" if ignore else "false"}
        await api.call(operations.IGNORE, query=query)

    async def url_preview(self, room: Id, url: str) -> UrlPreview:
        """Return the server's preview of an address; ``meta`` is empty when the server could not read the page.

        Raises:
            InvalidInputError: It is not an http or https address.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            msg = "url must begin with http:// or https://"
            raise InvalidInputError(msg, field="url")
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, room)
        preview = (await api.call(operations.PREVIEW, query={"roomId": room_id, "url": url})).data.get("urlPreview")
        return cast("UrlPreview", preview) if isinstance(preview, dict) else {}

    def pinned(self, room: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the pinned messages of a room."""
        return self._listing(operations.PINNED, room, {}, limit, offset)

    def starred(self, room: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the messages of a room that the caller starred."""
        return self._listing(operations.STARRED, room, {}, limit, offset)

    def mentioning_me(self, room: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the messages of a room that mention the caller."""
        return self._listing(operations.MENTIONING, room, {}, limit, offset)

    def discussions(self, room: Id, *, text: str = "", limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the messages of a room that represent its discussions; ``extra["drid"]`` is the room of each."""
        return self._listing(operations.DISCUSSIONS, room, {"text": text} if text else {}, limit, offset)

    def of_others(self, room: Id, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the messages of a direct room that the asker is not in, the newest first.

        The server's setting ``API_Enable_Direct_Message_History_EndPoint`` must be on, which it is not by default.

        Args:
            room: The room's `RecordId`.

        Raises:
            ForbiddenError: On reading, the setting is off (code ``error-endpoint-disabled``), or the asker lacks the
                permission ``view-room-administration``.
            NotFoundError: On reading, there is no such direct room.
        """
        return self._listing(operations.OF_OTHERS, room, {}, limit, offset)

    def search(self, room: Id, text: str, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Find messages of a room by a text; ``from:NAME`` finds those of one user.

        Raises:
            InvalidInputError: The text is empty.
        """
        query = {"searchText": required_text(text, "text")}
        return self._listing(operations.SEARCH, room, query, limit, offset)

    def deleted(self, room: Id, since: datetime, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[str]:
        """Read the ids of messages of a room that were deleted since a time.

        Raises:
            InvalidInputError: The datetime has no time zone.
        """
        query = {"since": wire.iso(since)}

        def read(row: Any, **_: str) -> str:
            return str(wire.read_row(row).get("_id"))

        return self._listing(operations.DELETED, room, query, limit, offset, read=read, identity=str)

    def threads(
        self,
        room: Id,
        kind: Literal["following", "unread"] | None = None,
        *,
        text: str = "",
        limit: int = LARGEST_PAGE,
        offset: int = 0,
    ) -> Pages[Message]:
        """Read the messages of a room that begin a thread, the last answered first.

        Args:
            kind: Only those that the caller follows, or has not read.
            text: Only those that contain this text.
        """
        query = {key: value for key, value in (("type", kind), ("text", text)) if value}
        return self._listing(operations.THREADS, room, query, limit, offset, name="rid", key="threads")

    def thread(self, id: str, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[Message]:
        """Read the answers in the thread that begins with a message, the oldest first.

        Raises:
            NotFoundError: On reading, there is no such message.
        """
        return self._listing(operations.THREAD, None, {"tmid": required_text(id, "id")}, limit, offset)

    async def thread_changes(self, id: str, since: datetime) -> MessageChanges:
        """Return the messages written, changed and deleted in a thread since a time.

        Raises:
            InvalidInputError: The datetime has no time zone.
            NotFoundError: There is no such message.
        """
        query = {"tmid": required_text(id, "id"), "updatedSince": wire.iso(since)}
        api = await self._context.open()
        reply = await api.call(operations.THREAD_CHANGES, query=query)
        held = wire.read_row(reply.data.get("messages"))
        result = {"updated": held.get("update"), "deleted": held.get("remove")}
        return wire.read_changes({"result": result}, origin=reply.origin)

    async def send_file(
        self,
        room: Id,
        file: Attachment | Source,
        *,
        text: str | None = None,
        description: str | None = None,
        thread: str | None = None,
        one_step: bool = False,
        timeout: float = UPLOAD_TIMEOUT,
    ) -> Message:
        """Send a file to a room; it is read in chunks while it is sent.

        The file is uploaded first, and shown by a second request. Neither is retried when its result is unknown: nobody
        sees a file that was uploaded and not confirmed.

        Args:
            file: A path, bytes, or an open file; see `Attachment`.
            text: The message's own text.
            description: The file's description.
            thread: The id of the message whose thread to answer in.
            one_step: True sends all in one request, for servers before 6.10.
            timeout: For each request.

        Raises:
            InvalidInputError: The file cannot be read.
            NotFoundError: There is no such room.
            ConflictError: The room is archived.
            ForbiddenError: The caller is not in the room, or may not write there.
            ValidationFailedError: The file is too large for the server, or of a kind that it rejects.
        """
        fields = {
            key: value
            for key, value in (("msg", text), ("description", description), ("tmid", thread))
            if value is not None
        }
        api = await self._context.open()
        room_id = await self._context.directory.room_id(api, room)
        form = await Multipart.of([("file", file)], fields=fields if one_step else None)
        operation = operations_rooms.UPLOAD if one_step else operations_rooms.MEDIA
        reply = await api.call(operation, path={"room": room_id}, upload=form, timeout=timeout)
        if not one_step:
            taken = wire.read_row(reply.data.get("file"))
            operation = operations_rooms.CONFIRM_MEDIA
            path = {"room": room_id, "file": str(taken.get("_id"))}
            reply = await api.call(operation, path=path, data=fields, timeout=timeout)
        return wire.read_message(reply.data.get("message"), origin=reply.origin)

    async def _react(self, id: str, emoji: str, *, wanted: bool) -> Outcome[str]:
        name = required_text(emoji, "emoji").strip(":")
        return await self._mark(operations.REACT, id, emoji=name, shouldReact=wanted)

    async def _mark(self, operation: Operation, id: str, *, key: str = "messageId", **more: Any) -> Outcome[str]:
        data = {key: required_text(id, "id"), **more}
        api = await self._context.open()
        reply = await api.call(operation, data=data)
        return Outcome(id, id, "updated", attempts=reply.attempts, request_id=reply.request_id)

    def _listing(
        self,
        operation: Operation,
        room: Id | None,
        query: Mapping[str, str],
        limit: int,
        offset: int,
        *,
        name: str = "roomId",
        key: str = "messages",
        read: Callable[..., Any] = wire.read_message,
        identity: Callable[[Any], str] = lambda message: message.id,
    ) -> Pages[Any]:
        async def fetch(offset: int, limit: int) -> tuple[tuple[Any, ...], int | None]:
            api = await self._context.open()
            asked: dict[str, str | int] = {**query, "offset": offset, "count": limit}
            if room is not None:
                asked[name] = await self._context.directory.room_id(api, room)
            reply = await api.call(operation, query=asked)
            return wire.read_list(reply.data, key, read, origin=reply.origin), wire.total(reply.data)

        return Pages(fetch, identity, limit=limit, offset=offset, largest=LARGEST_PAGE)
