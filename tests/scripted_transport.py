"""A transport that answers as a test has written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict

from ethora_async.codec import dumps
from ethora_async.request import Request, Response
from ethora_async.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping


def reply(status: int = 200, data: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, CIMultiDict(headers or {}), b"" if data is None else dumps(data))


def scripted(*answers: Response | Exception) -> MemoryTransport:
    """Gives the answers in order, the last one for good."""
    left = list(answers)

    def answer(_: Request) -> Response:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    return MemoryTransport(answer)
