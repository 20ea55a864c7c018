"""Keep secrets out of botocore's own log records during our calls.

At DEBUG botocore logs whole answers (`botocore.parsers`: the secret itself, and the keys of an assumed role) and whole
requests (`botocore.endpoint`, `botocore.auth`: session tokens, web identity tokens). The loggers differ between
releases, so a list of them would be incomplete.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOTS: Final = ("botocore", "boto3")

_ours: ContextVar[bool] = ContextVar("ethora_async_secrets_aws_call", default=False)


class _Quiet(logging.Filter):
    """Drops records of our calls below WARNING; removes the traceback of others, since its frames hold credentials."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not _ours.get():
            return True
        record.exc_info = record.exc_text = None
        return record.levelno >= logging.WARNING


_filter: Final = _Quiet()


@contextmanager
def quiet_botocore() -> Iterator[None]:
    """Silence the SDK's loggers in this block and thread; other calls log as before.

    Records of urllib3 stay: they contain host, path and status, and never a header or body.
    """
    hush_new_loggers()
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def hush_new_loggers() -> None:
    """Add the filter to the SDK's loggers that lack it: a logger's filter does not apply to its children's records.

    Call it after each step that may import more of the SDK.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _ROOTS:
            logging.getLogger(name).addFilter(_filter)
