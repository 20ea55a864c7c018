"""The request log of a sandbox: one line per request, tokens and passwords never in it."""

from __future__ import annotations

import logging
import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

logger: logging.Logger = logging.getLogger("ethora_async.sandbox")

KEPT = 10_000
SECRETS = re.compile(r"token|secret|passw|auth|key|code|jwt|session", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def mask(query: str) -> str:
    """Hide the values of a query string whose names speak of tokens, passwords or keys."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(
        f"{name}=***" if sign and SECRETS.search(name) else f"{name}{sign}{value}" for name, sign, value in pairs
    )


class RequestRecord(NamedTuple):
    """A served request. `path` has no query; `status` is 0 when the connection was cut without a reply."""

    method: str
    path: str
    status: int


class RequestLog:
    """Keeps the latest requests, writes a line for each, and tells a listener."""

    def __init__(self, listener: Callable[[RequestRecord], None] | None = None) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=KEPT)
        self._listener = listener

    def add(self, method: str, path: str, query: str, status: int, seconds: float) -> None:
        """Note one request."""
        record = RequestRecord(method, path, status)
        self.records.append(record)
        if logger.isEnabledFor(logging.INFO):
            target = CONTROL.sub("?", f"{path}?{mask(query)}" if query else path)
            logger.info("%s %s %s %.1f ms", method, target, status or "cut", seconds * 1000)
        if self._listener is not None:
            self._listener(record)
