"""Settings and sort keys of apps, checked before anything is sent.

See docs/platforms/ethora.md#hosts-and-paths, #apps.
"""

from __future__ import annotations

import re
from typing import Literal

from ethora_async.errors import InvalidInputError
from ethora_async.records import required_text

AppOrder = Literal[
    "display_name",
    "total_registered",
    "total_sessions",
    "total_api_calls",
    "total_files",
    "total_transactions",
    "created_at",
    "total_chats",
]
_ORDERS: dict[str, str] = {
    "display_name": "displayName",
    "total_registered": "totalRegistered",
    "total_sessions": "totalSessions",
    "total_api_calls": "totalApiCalls",
    "total_files": "totalFiles",
    "total_transactions": "totalTransactions",
    "created_at": "createdAt",
    "total_chats": "totalChats",
}
_DOMAIN_NAME = re.compile(r"[A-Za-z0-9]+")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


def ordering(order_by: AppOrder | None, order: str | None) -> dict[str, str | int]:
    """Return the query of an ordered listing of apps.

    Raises:
        InvalidInputError: an argument is not one of the known values.
    """
    query: dict[str, str | int] = {}
    if order_by is not None:
        if order_by not in _ORDERS:
            msg = f"order_by must be one of {', '.join(_ORDERS)}, not {order_by!r}"
            raise InvalidInputError(msg, field="order_by")
        query["orderBy"] = _ORDERS[order_by]
    if order is not None:
        if order not in ("asc", "desc"):
            msg = f"order must be 'asc' or 'desc', not {order!r}"
            raise InvalidInputError(msg, field="order")
        query["order"] = order
    return query


def domain_text(value: str) -> str:
    """Return a domain name: letters and digits (docs/platforms/ethora.md#hosts-and-paths).

    Raises:
        InvalidInputError: it has anything else.
    """
    text = required_text(value, "domain_name")
    if not _DOMAIN_NAME.fullmatch(text):
        msg = f"domain_name {text!r} must have letters and digits only"
        raise InvalidInputError(msg, field="domain_name")
    return text


def color(value: str) -> str:
    """Return a colour, ``#RRGGBB``.

    Raises:
        InvalidInputError: it has another form.
    """
    if not _COLOR.fullmatch(value):
        msg = f"primary_color must look like #1A2B3C, not {value!r}"
        raise InvalidInputError(msg, field="primary_color")
    return value


__all__ = ["AppOrder", "color", "domain_text", "ordering"]
