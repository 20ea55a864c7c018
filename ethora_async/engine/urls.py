"""Percent-encoded paths and queries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from ethora_async.errors import InvalidInputError
from ethora_async.redaction import Secret

QueryValue = str | int | float | Secret | Sequence[str | int | float | Secret]
"""A value in a query; a sequence repeats the name. A `Secret` is revealed in the URL alone."""

Query = Mapping[str, QueryValue | None]
"""A query: texts, numbers, booleans, and lists of them; None values are left out."""

_NEEDS_NO_QUOTING = re.compile(r"[\w.~-]+", re.ASCII).fullmatch


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill in the ``{named}`` parts of a path template, each percent-encoded.

    Raises:
        InvalidInputError: a part is ``.`` or ``..``, which servers and proxies resolve as path segments.
    """
    parts: dict[str, str] = {}
    for name, value in values.items():
        if value in (".", ".."):
            msg = f"{name} must not be {value!r}: it would name another path"
            raise InvalidInputError(msg, field=name)
        # As `_quoted` does, without calling it: most ids need no encoding.
        parts[name] = value if _NEEDS_NO_QUOTING(value) else quote(value, safe="")
    return template.format_map(parts)


def _quoted(value: str) -> str:
    # Most ids need no encoding, and the check takes a tenth of the time.
    return value if _NEEDS_NO_QUOTING(value) else quote(value, safe="")


def with_query(url: str, query: Mapping[str, QueryValue]) -> str:
    """Append a query string to a URL; booleans become ``true`` and ``false``, a list repeats its name."""
    parts = []
    for name, value in query.items():
        if type(value) is str:
            parts.append(f"{_quoted(name)}={_quoted(value)}")
        elif isinstance(value, (list, tuple)):
            parts += [f"{_quoted(name)}={_text(one)}" for one in value]
        else:
            parts.append(f"{_quoted(name)}={_text(value)}")
    return f"{url}?{'&'.join(parts)}" if parts else url


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value.reveal() if isinstance(value, Secret) else str(value))
