"""Keeps botocore's own log records of our calls free of secrets.

At DEBUG botocore writes whole answers (`botocore.parsers`: the secret itself, and the keys of an assumed role) and
whole requests (`botocore.endpoint`, `botocore.auth`: session tokens, web identity tokens). Which logger writes what
changes between its releases, so a list of them would have holes.
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
    """Drop what our calls log below WARNING; the rest goes without its traceback, whose frames hold credentials."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not _ours.get():
            return True
        record.exc_info = record.exc_text = None
        return record.levelno >= logging.WARNING


_filter: Final = _Quiet()


@contextmanager
def quiet_botocore() -> Iterator[None]:
    """Silence the SDK's loggers in this block and thread; everyone else's calls log as before.

    The records of urllib3 stay: they name host, path and status, and never a header or body.
    """
    hush_new_loggers()
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def hush_new_loggers() -> None:
    """Put the filter on the SDK's loggers that lack it: a logger's filter does not see its children's records.

    To be called after each step that may import more of the SDK.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _ROOTS:
            logging.getLogger(name).addFilter(_filter)
