"""Multipart bodies: fields as text, and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from aiohttp import BodyPartReader
from aiohttp.http_exceptions import HttpProcessingError

from ethora_async.sandbox.rocketchat.errors import failure

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

LARGEST = 128 * 1024 * 1024
PIECE = 256 * 1024
BROKEN: tuple[type[Exception], ...] = (HttpProcessingError, ValueError, RuntimeError, AssertionError, LookupError)
"""Exceptions of aiohttp's reader for bodies that are not multipart; RuntimeError includes its warnings."""


@attrs.frozen
class Upload:
    """A file of a form."""

    field: str
    name: str
    content_type: str
    content: bytes = attrs.field(repr=False)


async def receive(request: BaseRequest) -> tuple[dict[str, str], list[Upload]]:
    """Read a multipart body; 400 for a malformed one, 413 for one that is too large."""
    fields: dict[str, str] = {}
    files: list[Upload] = []
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise failure("Malformed part header")
            content = await _read(part)
            if part.filename is None:
                fields[part.name] = content.decode("utf-8", "replace")
            else:
                kind = part.headers.get("Content-Type", "application/octet-stream")
                files.append(Upload(part.name, part.filename, kind, content))
    except BROKEN:
        raise failure("Malformed part header") from None
    return fields, files


async def _read(part: BodyPartReader) -> bytes:
    content = bytearray()
    while piece := await part.read_chunk(PIECE):
        content += piece
        if len(content) > LARGEST:
            raise failure("request entity too large", 413)
    return bytes(content)
