"""Forms with files (RFC 7578), encoded while they are sent."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Self

from ethora_async.attachments import Attachment, Content, Source, check_size, open_content
from ethora_async.errors import ChatError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

# As the HTML standard tells browsers to escape names; everything else is sent as UTF-8.
_IN_QUOTES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class Multipart:
    """A form as a request body: an `ethora_async.request.Upload`. Create it with `of`."""

    def __init__(self, fields: Mapping[str, str], files: Iterable[tuple[str, Content]], largest: int | None) -> None:
        boundary = secrets.token_hex(16)
        self.content_type: str = f"multipart/form-data; boundary={boundary}"
        self.error: ChatError | None = None
        self._started = False
        self._largest = largest
        fields_text = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        self._fields = fields_text.encode()
        self._files = [(_head(boundary, field, content), content) for field, content in files]
        self._end = f"--{boundary}--\r\n".encode()

    @classmethod
    async def of(
        cls,
        files: Iterable[tuple[str, Attachment | Source]],
        *,
        fields: Mapping[str, str] | None = None,
        largest: int | None = None,
    ) -> Self:
        """Return a form with plain `fields`, followed by these files, each under its form field's name.

        Args:
            largest: maximum size of one file in bytes.

        Raises:
            InvalidInputError: a file cannot be read, has no name, or is too large.
        """
        opened = []
        for field, file in files:
            content = await open_content(file)
            check_size(content.name, content.size or 0, largest)
            opened.append((field, content))
        return cls(fields or {}, opened, largest)

    @property
    def length(self) -> int | None:
        """The form's length in bytes; None while a file's size is unknown."""
        length = len(self._fields) + len(self._end)
        for head, content in self._files:
            if content.size is None:
                return None
            length += len(head) + content.size + 2
        return length

    def can_restart(self) -> bool:
        """Return whether `chunks` can be called: not again, if a file can be read only once."""
        return not self._started or all(content.restartable for _, content in self._files)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the form from its start, piece by piece. Errors are also kept in `error`, since transports hide them.

        Raises:
            InvalidInputError: a file could not be read to its end, or cannot be read again.
        """
        self.error = None
        try:
            if not self.can_restart():
                msg = "a file that can be read only once was to be sent again"
                raise InvalidInputError(msg, field="files")
            self._started = True
            before = self._fields
            for head, content in self._files:
                yield before + head
                async for piece in content.checked(self._largest):
                    yield piece
                before = b"\r\n"
            yield before + self._end
        except ChatError as error:
            self.error = error
            raise


def _head(boundary: str, field: str, content: Content) -> bytes:
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{_quoted(field)}"; filename="{_quoted(content.name)}"\r\n'
        f"Content-Type: {content.content_type}\r\n\r\n"
    ).encode()


def _quoted(text: str) -> str:
    return text.translate(_IN_QUOTES)
