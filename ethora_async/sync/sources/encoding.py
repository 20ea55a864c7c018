"""The encoding of a text file: detected from its byte order mark or its bytes, or given by the caller."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, TYPE_CHECKING, TextIO

import attrs

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TITLES = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
    "utf-32": "UTF-32", "cp1252": "Windows-1252",
}  # fmt: skip

_NOT_IN_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{3,}")
_LETTER = re.compile(rb"[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xc0-\xcf\xd1-\xd6\xd8-\xef\xf1-\xf6\xf8-\xfd]")
_UTF8_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")

UNDECODABLE = "ethora.undecodable"
"""The error handler that turns undecodable bytes into lone surrogates, as ``surrogateescape`` does, but also for
encodings with wide characters. `values.undecodable` finds them.
"""


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    culprits = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + max(byte, 0x80)) for byte in culprits), error.end


codecs.register_error(UNDECODABLE, _keep_bytes)


@attrs.frozen
class Encoding:
    """The encoding of a file.

    Attributes:
        codec: Python's name of the encoding.
        sure: Whether it was given, or follows from the bytes with certainty.
    """

    codec: str
    sure: bool = True

    @property
    def title(self) -> str:
        """The encoding's common name."""
        return _TITLES.get(self.codec, self.codec)

    @property
    def usual(self) -> bool:
        """Whether it is UTF-8, which needs no note."""
        return self.title == "UTF-8"

    def text(self, file: IO[bytes]) -> TextIO:
        """Wrap an open file as text; line ends stay unchanged."""
        errors = "surrogateescape" if self.usual else UNDECODABLE
        # A byte order mark may be present even if the encoding was not detected by it.
        codec = "utf-8-sig" if self.usual else self.codec
        return io.TextIOWrapper(io.BufferedReader(_Raw(file)), encoding=codec, errors=errors, newline="")


class _Raw(io.RawIOBase):
    """Adapts any binary file, such as `gzip.GzipFile`, to `io.BufferedReader`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def named_encoding(name: str) -> Encoding:
    """Return the encoding with a name such as ``utf-16`` or ``windows-1252``.

    Raises:
        InvalidInputError: Python has no such text encoding.
    """
    try:
        info = codecs.lookup(name.strip())
        # Codecs from text to text, and escape codecs, are not encodings of a file.
        usable = isinstance("a".encode(info.name), bytes) and not info.name.endswith(("escape", "code", "idna"))
        codec = info.name if usable else None
    except (LookupError, UnicodeError, TypeError, ValueError):
        codec = None
    if codec is None:
        msg = f"--encoding {name!r} is not a known encoding: examples are utf-8, utf-16, windows-1252, iso-8859-2"
        raise InvalidInputError(msg, field="encoding")
    return Encoding("utf-8" if codec == "utf-8-sig" else codec)


def detect_encoding(opened: Callable[[], IO[bytes]]) -> Encoding:
    """Detect a file's encoding by reading all of its bytes.

    A byte order mark decides. So do the zero bytes of UTF-16 without one. A file that is valid UTF-8 is UTF-8.
    Otherwise it is Windows-1252 if it contains no UTF-8 sequence beyond ASCII, only bytes that Windows-1252 uses for
    letters of Western European languages or typographic marks, and never three of them in a row; else UTF-8 with
    errors, whose rows are rejected one by one.

    Raises:
        OSError: The file cannot be read.
    """
    with opened() as file:
        start = file.read(4)
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return Encoding(codec)
    if len(start) >= 4 and start[1::2] == b"\0\0" and b"\0" not in start[::2]:
        return Encoding("utf-16-le")
    if len(start) >= 4 and start[::2] == b"\0\0" and b"\0" not in start[1::2]:
        return Encoding("utf-16-be")
    return _utf8_or_1252(opened)


def _utf8_or_1252(opened: Callable[[], IO[bytes]]) -> Encoding:
    decoder = codecs.getincrementaldecoder("utf-8")()
    valid, western, letters = True, True, False
    with opened() as file:
        while block := file.read(_BLOCK):
            if block.isascii() and decoder.getstate()[0] == b"":
                continue
            if valid:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    valid = False
            western = western and not _NOT_IN_1252.search(block) and not _HIGH_RUN.search(block)
            # If part of it is UTF-8 beyond ASCII, the rest is damaged UTF-8 and not another encoding.
            western = western and not _UTF8_SEQUENCE.search(block)
            letters = letters or _LETTER.search(block) is not None
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        valid = False
    if valid:
        return Encoding("utf-8")
    return Encoding("cp1252") if western and letters else Encoding("utf-8", sure=False)
