"""The body of a reply, decompressed and bounded, so that a hostile or broken server cannot exhaust memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from ethora_async.errors import ReplyLostError, ReplyTooLargeError
from ethora_async.request import ERROR_REPLY_LIMIT

if TYPE_CHECKING:
    from ethora_async.request import Request

ACCEPT_ENCODING = "gzip, deflate"
"""The encodings that `ReplyBody` can decompress."""

_GZIP = 16 + zlib.MAX_WBITS


class ReplyBody:
    """Collect the chunks of one reply's body.

    Decompression stops at the limit, so that a small reply cannot expand into a large one. An error reply is truncated
    at its limit instead: its status matters more than its end.

    Args:
        request: The request; `reply_limit` is its limit in bytes, after decompression.
        status: The reply's status. From 400 on, at most `ERROR_REPLY_LIMIT` bytes are kept.
        encoding: The reply's Content-Encoding, or an empty text if the HTTP library has already decoded it.

    Raises:
        ReplyLostError: `encoding` was not requested.
    """

    def __init__(self, request: Request, status: int, encoding: str) -> None:
        self._is_error = status >= 400
        self._limit = min(request.reply_limit, ERROR_REPLY_LIMIT) if self._is_error else request.reply_limit
        self._data = bytearray()
        self._raw_deflate = False
        self._gzip = False
        self._unpack: zlib._Decompress | None = None
        coding = encoding.strip().lower()
        if coding in ("gzip", "x-gzip"):
            self._gzip = True
            self._unpack = zlib.decompressobj(_GZIP)
        elif coding == "deflate":
            self._raw_deflate = True  # some servers leave out the zlib header
            self._unpack = zlib.decompressobj()
        elif coding not in ("", "identity"):
            msg = "the platform's reply is compressed with an encoding that was not requested"
            raise ReplyLostError(msg)

    def add(self, piece: bytes) -> bool:
        """Add the next chunk; return whether more is wanted.

        Raises:
            ReplyLostError: the compressed data is broken.
            ReplyTooLargeError: the reply exceeds its limit and is not an error reply.
        """
        if self._unpack is None:
            self._data += piece
        else:
            try:
                self._decompress(piece)
            except zlib.error:
                msg = "the platform's reply is compressed data that cannot be read"
                raise ReplyLostError(msg) from None
        if len(self._data) <= self._limit:
            return True
        if not self._is_error:
            msg = (
                f"the platform's reply is larger than {self._limit} bytes: it was not read to its end; "
                "Limits.reply_bytes sets how much is read"
            )
            raise ReplyTooLargeError(msg)
        del self._data[self._limit :]
        return False

    def complete(self) -> bytes:
        """Return the whole body.

        Raises:
            ReplyLostError: the compressed data ends too early.
        """
        if self._unpack is not None and self._data and not self._unpack.eof and len(self._data) < self._limit:
            msg = "the platform's reply is compressed data that ends too early"
            raise ReplyLostError(msg)
        return bytes(self._data)

    def _decompress(self, piece: bytes) -> None:
        while piece and len(self._data) <= self._limit:
            assert self._unpack is not None  # noqa: S101  for the type checker
            if self._unpack.eof:
                if not self._gzip:
                    return
                self._unpack = zlib.decompressobj(_GZIP)  # a gzip file may have several members
            try:
                self._data += self._unpack.decompress(piece, self._limit + 1 - len(self._data))
            except zlib.error:
                if not self._raw_deflate or self._data:
                    raise
                self._raw_deflate = False
                self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
                continue
            piece = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
