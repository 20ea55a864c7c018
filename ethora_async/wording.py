"""Parts of sentences for people: numbers with their nouns, and quoted input of bounded length."""

from __future__ import annotations

from unicodedata import normalize

_LONGEST_QUOTED = 120
_LONGEST_MESSAGE = 1_000
_TAIL = 300


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 user``, ``1,200 users``.

    Args:
        number: The number.
        one: The noun, or noun and verb, for one: ``user``, ``row is``.
        many: The same for other numbers; by default with an ``s``.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def quoted(text: str) -> str:
    """Return text in quotes and with escapes, as `repr` does; of a long one only the beginning, with its length."""
    if len(text) <= _LONGEST_QUOTED:
        return repr(text)
    return f"{text[:_LONGEST_QUOTED] + '…'!r} ({len(text):,} characters)"


def quoted_apart(text: str, other: str) -> str:
    """Return text as `quoted` does; if it only looks like the other one, escape its letters beyond ASCII."""
    alike = text != other and normalize("NFC", text) == normalize("NFC", other)
    return ascii(text) if alike else quoted(text)


def printable(text: str) -> str:
    """Return text that can be stored and sent: lone surrogates, as in paths that are not UTF-8, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def storable(text: str) -> str:
    """Return text without the characters that databases reject: NUL and lone surrogates become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def bounded(message: str) -> str:
    """Return a message of bounded length: its middle, where the input is quoted, is left out when it is too long."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    head = message[: _LONGEST_MESSAGE - _TAIL]
    return f"{head} … ({len(message) - _LONGEST_MESSAGE:,} characters left out) … {message[-_TAIL:]}"
