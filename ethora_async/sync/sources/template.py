"""Values derived from others: ``{email.local}``, ``{first_name} {last_name}``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PART = re.compile(r"\{([^{}]+)\}")

_CHANGES: Mapping[str, Callable[[str], str]] = {
    "local": lambda text: text.rpartition("@")[0],
    "domain": lambda text: text.rpartition("@")[2] if "@" in text else "",
    "lower": str.lower,
    "upper": str.upper,
}


PARTS = tuple(_CHANGES)
"""The parts of a text: ``{email.local}``."""


@attrs.frozen
class Template:
    """A text with placeholders for the row's other values.

    Attributes:
        text: As it was written.
        names: The values that it uses, in order.
    """

    text: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template | None:
        """Parse a template; return None when the text has no braces.

        Raises:
            InvalidInputError: Its braces are invalid.
        """
        if "{" not in text and "}" not in text:
            return None
        parts = [_split(part) for part in _PART.findall(text)]
        if not parts or set(_PART.sub("", text)) & set("{}") or not all(name for name, _ in parts):
            msg = f"{text!r} is not a template: write the name of a value in braces, for example {{email.local}}"
            raise InvalidInputError(msg, field="mapping")
        return cls(text, tuple(dict.fromkeys(name for name, _ in parts)))

    def filled(self, values: Callable[[str], str]) -> str:
        """Return the text with its placeholders filled; empty when one of the values is empty."""
        empty = False

        def fill(match: re.Match[str]) -> str:
            nonlocal empty
            name, change = _split(match[1])
            value = values(name).strip()
            if change:
                value = _CHANGES[change](value)
            empty = empty or not value
            return value

        text = _PART.sub(fill, self.text)
        return "" if empty else text.strip()


def _split(part: str) -> tuple[str, str]:
    """Return the value's name and the part to use: ``email.local`` is the part of ``email`` before its ``@``."""
    name, _, change = part.strip().rpartition(".")
    return (name.strip(), change) if name and change in _CHANGES else (part.strip(), "")
