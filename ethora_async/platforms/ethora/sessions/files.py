"""Files that users send: their records, and the forms that upload them (docs/platforms/ethora.md#files)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import attrs

from ethora_async.attachments import Attachment, Source
from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import InvalidInputError, NotFoundError
from ethora_async.multipart import Multipart
from ethora_async.pages import Pages
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.listings import LARGEST_PAGE
from ethora_async.records import Id, id_text

if TYPE_CHECKING:
    from ethora_async.config import Seconds
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.request import Origin

MOST_FILES = 5
"""Maximum number of files in one message."""
LARGEST_FILE = 50 * 2**20
"""In bytes: the platform's 50 MB, interpreted generously."""
UPLOAD_TIMEOUT = 300.0
"""Default time limit in seconds for sending files."""

SeveralFiles = Attachment | Source | Iterable[Attachment | Source]
"""One file or several; see `ethora_async.attachments.Source`."""


@attrs.frozen(kw_only=True)
class FileRecord:
    """A file on the platform. Fields that the reply lacked are None.

    Attributes:
        id: the platform's record id.
        name: its original name.
        location: its URL.
        preview: the URL of a smaller picture of it.
        size: in bytes.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    name: str | None = None
    filename: str | None = None
    location: str | None = None
    preview: str | None = None
    mime_type: str | None = None
    size: int | None = None
    is_private: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


wire.codec.add(
    FileRecord,
    {
        "id": "_id",
        "name": "originalname",
        "preview": "locationPreview",
        "mime_type": "mimetype",
        "is_private": "isPrivate",
        "created_at": "createdAt",
        "updated_at": "updatedAt",
    },
)


def read_file(data: Any, path: str, *, origin: Origin) -> FileRecord:
    """Return a file's record.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return wire.codec.read(data, FileRecord, origin=origin, path=path)


def read_files(data: Any, *, origin: Origin) -> tuple[tuple[FileRecord, ...], int | None]:
    """Return the files of a listing or of an upload, and their total."""
    return wire.read_list(data, ("files",), lambda row, path: read_file(row, path, origin=origin), origin=origin)


async def media_form(files: SeveralFiles) -> Multipart:
    """Return the form that sends files to a chat.

    Raises:
        InvalidInputError: there are none or more than five, or one cannot be read, has no name or is larger than 50 MB.
    """
    several = listed(files)
    if len(several) > MOST_FILES:
        msg = f"{len(several)} files are too many for one message: send {MOST_FILES} at a time"
        raise InvalidInputError(msg, field="files")
    return await Multipart.of([("files", file) for file in several], largest=LARGEST_FILE)


def listed(files: SeveralFiles) -> list[Attachment | Source]:
    """Return one file or several as a list.

    Raises:
        InvalidInputError: there is none.
    """
    one = isinstance(files, (str, bytes, bytearray, memoryview, os.PathLike, Attachment, AsyncIterable))
    if one or hasattr(files, "read") or not isinstance(files, Iterable):
        return [cast("Source", files)]
    several: list[Attachment | Source] = [cast("Attachment | Source", file) for file in files]
    if not several:
        msg = "files is empty: pass at least one file"
        raise InvalidInputError(msg, field="files")
    return several


class Files:
    """The files of one user, apart from those in chats."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(self, *, limit: int = LARGEST_PAGE, offset: int = 0) -> Pages[FileRecord]:
        """Return the user's files.

        Args:
            limit: files in a page, 1 to 500 (default 500).
            offset: where to start; 0 is the first.
        """

        async def fetch(offset: int, limit: int) -> tuple[tuple[FileRecord, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operations.LIST_FILES, query={"limit": limit, "offset": offset})
            return read_files(reply.data, origin=reply.origin)

        return Pages(fetch, lambda file: file.id, limit=limit, offset=offset, largest=LARGEST_PAGE)

    async def upload(
        self, files: SeveralFiles, *, chat: Id | None = None, timeout: Seconds = UPLOAD_TIMEOUT
    ) -> tuple[FileRecord, ...]:
        """Upload files, streamed; the request is retried only when it certainly did not arrive.

        Args:
            files: one or several.
            chat: your own id of a chat whose members alone may read them (``/v2/files/secure``).
            timeout: for the whole upload (default 5 minutes).

        Raises:
            InvalidInputError: a file cannot be read or has no name.
            ValidationFailedError: a file is too large (HTTP 413), or of a kind that the platform does not accept.
        """
        app = await self._context.open()
        operation = operations.UPLOAD_FILES if chat is None else operations.UPLOAD_SECURE_FILES
        fields = {} if chat is None else {"chatName": app.names.lookup_name(chat, "chat")}
        form = await Multipart.of([("files", file) for file in listed(files)], fields=fields)
        reply = await app.call(operation, upload=form, timeout=timeout)
        return read_files(reply.data, origin=reply.origin)[0]

    async def delete(self, id: str) -> Outcome[str]:
        """Delete a file by the platform's record id.

        The sources name the method but not the place of the id; it is sent in the path.

        Returns:
            An outcome ``deleted``, or ``absent`` when there was no such file.
        """
        file = id_text(id)
        app = await self._context.open()
        try:
            reply = await app.call(operations.DELETE_FILE, path={"file": file})
        except NotFoundError as error:
            return Outcome(file, file, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(file, file, "deleted", attempts=reply.attempts, request_id=reply.request_id)


__all__ = ["LARGEST_FILE", "MOST_FILES", "UPLOAD_TIMEOUT", "Attachment", "FileRecord", "Files", "SeveralFiles"]
