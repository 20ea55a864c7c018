"""The compact text form of faults, for a command line.

`POST /v2/users/batch: status=503 times=2; *: latency=0.05; job_polls=3`
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRY = re.compile(r"""(?:[^;"']|"[^"]*"|'[^']*'|["'])+""")
BREAK_KEYS = frozenset({"status", "cut", "after_work", "retry_after", "body", "content_type"})
LIMIT_KEYS = frozenset({"limit", "per", "retry_after"})


@attrs.frozen
class Spec:
    """One part of a spec: the settings of a route, or of the whole sandbox when `route` is None."""

    route: str | None
    values: dict[str, Any]
    latency: float | None = None

    @property
    def breaks(self) -> bool:
        """True if calls fail, and are not only delayed."""
        return not BREAK_KEYS.isdisjoint(self.values)


def _flag(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def _times(text: str) -> int | None:
    """Read the number of times, or `all`."""
    return None if text == "all" else int(text)


def _seconds_or_date(text: str) -> float | str:
    """Read a `Retry-After`: seconds, or an HTTP date, kept as it is."""
    try:
        return float(text)
    except ValueError:
        return text


ROUTE_KEYS: dict[str, Callable[[str], Any]] = {
    "status": int,
    "times": _times,
    "every": int,
    "lasts": float,
    "cut": str,
    "after_work": _flag,
    "retry_after": _seconds_or_date,
    "body": str,
    "content_type": str,
    "latency": float,
    "limit": int,
    "per": float,
}
SANDBOX_KEYS: dict[str, Callable[[str], Any]] = {
    "job_polls": int,
    "job_delay": float,
    "job_stall": float,
    "job_stall_every": int,
    "deletion_lag": float,
    "legacy_errors": _flag,
}


def read_spec(spec: str) -> list[Spec]:
    """Split a spec into its parts, values converted. ValueError quotes the part that cannot be read."""
    return [_read_entry(entry.strip()) for entry in ENTRY.findall(spec) if entry.strip()]


def _read_entry(entry: str) -> Spec:
    route, colon, rest = entry.partition(":")
    if not colon or "=" in route:
        return Spec(None, _read_values(entry, SANDBOX_KEYS, entry))
    values = _read_values(rest, ROUTE_KEYS, entry)
    latency = values.pop("latency", None)
    spec = Spec(route.strip(), values, latency)
    if not {"limit", "per"}.isdisjoint(values) and (not values.keys() <= LIMIT_KEYS or "limit" not in values):
        msg = f"Fault {entry!r} mixes two kinds: a limit goes with per= and retry_after= only."
        raise ValueError(msg)
    if latency is None and "limit" not in values and not spec.breaks:
        msg = f"Fault {entry!r} says how often, but not what: add status=, cut= or latency=."
        raise ValueError(msg)
    return spec


def _read_values(text: str, keys: dict[str, Callable[[str], Any]], entry: str) -> dict[str, Any]:
    try:
        words = shlex.split(text)
    except ValueError:
        msg = f"Fault {entry!r} has an unclosed quote."
        raise ValueError(msg) from None
    if not words:
        msg = f"Fault {entry!r} says nothing: write key=value pairs after the colon."
        raise ValueError(msg)
    return dict(_read_pair(word, keys, entry) for word in words)


def _read_pair(word: str, keys: dict[str, Callable[[str], Any]], entry: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    if not equals or key not in keys:
        msg = f"Fault {entry!r}: {word!r} is not one of {', '.join(f'{name}=' for name in keys)}."
        raise ValueError(msg)
    try:
        return key, keys[key](value)
    except ValueError:
        msg = f"Fault {entry!r}: the value of {word!r} cannot be read."
        raise ValueError(msg) from None
