"""JSON as REST and DDP write it: dates are ISO strings over REST and `{"$date": ms}` over DDP.

See docs/platforms/rocketchat.md#rest-rules, #realtime.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import orjson

DATE = "$date"


def moment(seconds: float) -> datetime:
    """Return the moment `seconds` after 1970, to the millisecond."""
    return datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds since 1970."""
    return round(seconds * 1000)


def iso(when: datetime) -> str:
    """Write `2026-01-02T03:04:05.678Z`."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_iso(text: str) -> float | None:
    """Read an ISO date as seconds since 1970; None if it is not valid."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _ejson_default(value: object) -> Any:
    if isinstance(value, datetime):
        return {DATE: round(value.timestamp() * 1000)}
    raise TypeError


def _rest_default(value: object) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError


def rest_json(body: Any) -> bytes:
    """Write a REST body."""
    return orjson.dumps(body, default=_rest_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def ejson(frame: Any) -> str:
    """Write a DDP frame."""
    return orjson.dumps(frame, default=_ejson_default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def read_ejson(value: Any) -> Any:
    """Turn the dates inside a decoded DDP value into datetimes."""
    if isinstance(value, list):
        return [read_ejson(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    if fields.keys() == {DATE} and isinstance(fields[DATE], int | float):
        return moment(fields[DATE] / 1000)
    return {key: read_ejson(item) for key, item in fields.items()}
