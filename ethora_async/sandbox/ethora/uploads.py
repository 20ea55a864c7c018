"""Multipart bodies, written to disk piece by piece: a file is never whole in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
from aiohttp import BodyPartReader
from aiohttp.http_exceptions import HttpProcessingError

from ethora_async.sandbox.ethora.errors import RefusedError, invalid
from ethora_async.sandbox.ethora.files import Received

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.ethora.files import Shelf

MAX_FILE = 50 * 1024 * 1024
MAX_FIELD = 1024 * 1024
PIECE = 256 * 1024
BROKEN: tuple[type[Exception], ...] = (HttpProcessingError, ValueError, RuntimeError, AssertionError, LookupError)
"""Exceptions of aiohttp's reader for bodies that are not multipart; RuntimeError includes its warnings."""


@attrs.frozen
class Upload:
    """The parts of a multipart body: values as text, and the files."""

    values: dict[str, str] = attrs.field(factory=dict[str, str])
    files: list[Received] = attrs.field(factory=list[Received])


def is_multipart(request: BaseRequest) -> bool:
    """Return whether the content type of the body is multipart."""
    return request.content_type == "multipart/form-data"


async def receive(request: BaseRequest, shelf: Shelf, most: int) -> Upload:
    """Read a multipart body with at most `most` files of 50 MB each.

    Raises the 400 for a malformed body, the 413 for a file that is too large, the 422 for too many files.
    """
    upload = Upload()
    try:
        await _read_parts(request, shelf, most, upload)
    except BaseException as error:
        for file in upload.files:
            shelf.doom(file.path)
        if isinstance(error, BROKEN):
            raise RefusedError(400, "Malformed part header", "INVALID_MULTIPART") from None
        raise
    return upload


async def _read_parts(request: BaseRequest, shelf: Shelf, most: int, upload: Upload) -> None:
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise ValueError
        if part.filename is None:
            upload.values[part.name] = await _read_value(part)
            continue
        if len(upload.files) == most:
            raise invalid(f'"{part.name}" must contain less than or equal to {most} items', part.name)
        upload.files.append(await _save(part, part.name, part.filename, shelf))


async def _read_value(part: BodyPartReader) -> str:
    value = bytearray()
    while piece := await part.read_chunk(PIECE):
        value += piece
        if len(value) > MAX_FIELD:
            raise RefusedError(413, "Field value too long", "PAYLOAD_TOO_LARGE")
    return value.decode()


async def _save(part: BodyPartReader, field: str, name: str, shelf: Shelf) -> Received:
    digest, size = hashlib.sha256(), 0
    path = await shelf.new_path()
    try:
        while piece := await part.read_chunk(PIECE):
            size += len(piece)
            if size > MAX_FILE:
                raise RefusedError(413, "File too large", "PAYLOAD_TOO_LARGE")
            digest.update(piece)
            await shelf.append(path, piece)
    except BaseException:
        shelf.doom(path)
        raise
    mimetype = part.headers.get("Content-Type", "application/octet-stream")
    return Received(field, name, mimetype, size, digest.hexdigest(), path)
