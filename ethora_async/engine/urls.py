"""Paths and queries, percent-encoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEEDS_NO_QUOTING = re.compile(r"[\w.~-]+", re.ASCII).fullmatch


def fill(template: str, values: Mapping[str, str]) -> str:
    """A path template with its ``{named}`` parts filled in, each percent-encoded.

    Raises:
        InvalidInputError: a part is ``.`` or ``..``, which servers and proxies take for a step through the path.
    """
    for name, value in values.items():
        if value in (".", ".."):
            msg = f"{name} must not be {value!r}: it would name another path"
            raise InvalidInputError(msg, field=name)
    return template.format_map({name: _quoted(value) for name, value in values.items()})


def _quoted(value: str) -> str:
    # Most ids need no encoding, and finding that out is a tenth of the work.
    return value if _NEEDS_NO_QUOTING(value) else quote(value, safe="")


def with_query(url: str, query: Mapping[str, str | int]) -> str:
    """A URL with a query string."""
    return f"{url}?{'&'.join(f'{name}={_quoted(str(value))}' for name, value in query.items())}"
