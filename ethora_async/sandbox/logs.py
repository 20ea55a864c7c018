"""The request log of a sandbox: one line per request, without tokens and passwords."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger: logging.Logger = logging.getLogger("ethora_async.sandbox")

KEPT = 10_000
SECRETS = re.compile(r"token|secret|passw|auth|key|code|jwt|session", re.IGNORECASE)
IN_PATH = re.compile(r"^(/hooks/[^/]*/).+")
"""Tokens in paths: those of Rocket.Chat's incoming webhooks."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


LATEST = 200
LONGEST = 500
TOKEN_HEADERS = ("x-custom-token", "X-Auth-Token", "Authorization")


def fingerprint(headers: Mapping[str, str]) -> str:
    """Return a short digest of a request's token, to recognise equal tokens; or ""."""
    for name in TOKEN_HEADERS:
        token = headers.get(name)
        if token:
            return f"••• {hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
    return ""


def mask(query: str) -> str:
    """Mask the values in a query string whose names suggest tokens, passwords or keys."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(
        f"{name}=***" if sign and SECRETS.search(name) else f"{name}{sign}{value}" for name, sign, value in pairs
    )


class RequestRecord(NamedTuple):
    """A served request. `path` has no query; `status` is 0 when the connection was cut without a reply."""

    method: str
    path: str
    status: int


class LoggedRequest(NamedTuple):
    """A served request with details for people.

    `target` has the query with its secrets masked; `token` identifies tokens without showing them.
    """

    number: int
    at: float
    method: str
    target: str
    status: int
    seconds: float
    token: str


class RequestLog:
    """Keeps the latest requests, writes a line for each, and notifies a listener."""

    def __init__(self, listener: Callable[[RequestRecord], None] | None = None) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=KEPT)
        self._listener = listener
        self._latest: deque[LoggedRequest] = deque(maxlen=LATEST)
        self._count = itertools.count(1)

    def latest(self, most: int) -> list[LoggedRequest]:
        """Return the latest requests, oldest first."""
        return list(self._latest)[-most:]

    def add(
        self,
        method: str,
        path: str,
        query: str,
        status: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Add one request."""
        path = IN_PATH.sub(r"\1***", path)
        record = RequestRecord(method, path, status)
        self.records.append(record)
        target = CONTROL.sub("?", f"{path}?{mask(query)}" if query else path)
        self._latest.append(
            LoggedRequest(
                next(self._count), time.time(), method, target[:LONGEST], status, seconds, fingerprint(headers or {})
            )
        )
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s %s %s %.1f ms", method, target, status or "cut", seconds * 1000)
        if self._listener is not None:
            self._listener(record)
