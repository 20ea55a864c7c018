"""An access log without confidential data of visitors or the proxy."""

from __future__ import annotations

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse

from ethora_async.redaction import scrub


class AccessLogger(AbstractAccessLogger):
    """Logs method, path, status, size and milliseconds; no query, header or body."""

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write the line; `time` is in seconds."""
        path = scrub(request.rel_url.raw_path)
        size = response.body_length
        self.logger.info("%s %s %d %d bytes %.1f ms", request.method, path, response.status, size, time * 1000)
