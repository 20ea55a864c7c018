"""Normalise requests of Microsoft Entra ID and Okta that deviate from RFC 7643 and 7644.

The schemas define the attributes; see docs/how-to/scim.md#what-identity-providers-send for the list of forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ethora_async import codec
from ethora_async.errors import InvalidInputError

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
_CORE = (
    "urn:ietf:params:scim:schemas:core:2.0:user:",
    "urn:ietf:params:scim:schemas:core:2.0:group:",
)
_SEVERAL = frozenset(
    {
        "addresses",
        "emails",
        "entitlements",
        "groups",
        "ims",
        "members",
        "phonenumbers",
        "photos",
        "roles",
        "x509certificates",
    }
)
"""The attributes that hold lists, in lower case."""
_NOT_WRITTEN = frozenset({"id", "meta", "schemas"})
"""Read-only attributes that occur nevertheless in the value of an operation without a path."""
PAGE_NUMBERS = frozenset({"startindex", "count"})
_LAST = 2**53

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_PRIMARY_TEXT = re.compile(r"(\bprimary\s+(?:eq|ne)\s+)\"(true|false)\"", re.IGNORECASE)

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A text in quotes, or an unclosed one up to the end: retrying from each quote would take quadratic time."""
_BEHIND_BRACKETS = re.compile(r'\[([^\[\]]*)\]\.([A-Za-z]\w*)\s+([A-Za-z]{2})\s+("\d+"|[A-Za-z0-9.+-]+)')

_MANAGER = re.compile(r"(\bmanager)(\s+(?:eq|ne|co|sw|ew)\b)", re.IGNORECASE)


def plain_filter(text: str) -> str:
    """Return a filter in the form of RFC 7644: Entra writes ``emails[type eq "work"].value eq "…"`` for a matching
    entry.
    """
    quoted: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        quoted.append(found[0])
        return f'"{len(quoted) - 1}"'

    shape = _BEHIND_BRACKETS.sub(r"[(\1) and \2 \3 \4]", _QUOTED.sub(put_away, text))
    shape = _MANAGER.sub(r"\1.value\2", shape)
    plain = _QUOTED.sub(lambda found: quoted[int(found[0].strip('"'))], shape)
    return _PRIMARY_TEXT.sub(lambda found: found[1] + found[2].lower(), plain)


def plain_name(path: str) -> str:
    """Return an attribute's path in lower case, without the core schema's URN."""
    name = path.strip().lower()
    for urn in _CORE:
        name = name.removeprefix(urn)
    return name


def holds_nul(text: str) -> bool:
    """Return whether JSON, a filter or a path contains a NUL character, as it is or as JSON's escape."""
    return "\0" in text or _NUL.search(text) is not None


def read(body: bytes) -> Any:
    """Parse a body's JSON and normalise it.

    Raises:
        ValueError: it is not JSON.
        InvalidInputError: a text contains a NUL character, which databases reject.
    """
    data = codec.loads(body)
    if holds_nul(body.decode(errors="replace")):
        fields = data.items() if isinstance(data, dict) else ()
        where = (name for name, value in fields if holds_nul(codec.dumps([name, value]).decode()))
        msg = f"{next(where, 'The body')} contains a NUL character"
        raise InvalidInputError(msg)
    if not isinstance(data, dict):
        return data
    return {
        name: [_operation(part) for one in value for part in _parts(one)]
        if name.lower() == "operations" and isinstance(value, list)
        else page_number(value)
        if name.lower() in PAGE_NUMBERS
        else _attribute(name, value)
        for name, value in data.items()
    }


def page_number(value: Any) -> Any:
    """Return a number of a page within what databases can count; anything else is returned unchanged."""
    with suppress(ValueError, OverflowError):
        if isinstance(value, (int, float, str)) and abs(int(value)) > _LAST:
            return _LAST if int(value) > 0 else 0
    return value


def _parts(operation: Any) -> list[Any]:
    """Split an operation without a path into several, if names in its value are paths with a filter."""
    if not isinstance(operation, Mapping):
        return [operation]
    fields = {name.lower(): value for name, value in operation.items()}
    value = fields.get("value")
    if fields.get("path") or not isinstance(value, Mapping):
        return [operation]
    paths = [name for name in value if "[" in name]
    left = {name: one for name, one in value.items() if name not in paths}
    parts: list[Any] = [{"op": fields.get("op"), "path": path, "value": value[path]} for path in paths]
    return [{**fields, "value": left}, *parts] if left or not paths else parts


def _operation(operation: Any) -> Any:
    if not isinstance(operation, Mapping):
        return operation
    fields = {name.lower(): value for name, value in operation.items()}
    put_right: dict[str, Any] = {}
    op, path = fields.get("op"), fields.get("path")
    put_right["op"] = op.lower() if isinstance(op, str) else op
    if isinstance(path, str) and path.strip():
        put_right["path"] = _PRIMARY_TEXT.sub(lambda found: found[1] + found[2].lower(), path.strip())
    elif path is not None and path != "":
        put_right["path"] = path
    if "value" in fields:
        value = fields["value"]
        if "path" in put_right:
            value = _at_path(put_right["path"], value)
        elif isinstance(value, Mapping):
            value = {name: _attribute(name, one) for name, one in value.items() if name.lower() not in _NOT_WRITTEN}
        put_right["value"] = value
    return put_right


def _at_path(path: Any, value: Any) -> Any:
    """Normalise the value for one path."""
    if not isinstance(path, str):
        return value
    name = plain_name(path)
    if "[" not in name and name not in _SEVERAL and "." not in name.rpartition(":")[2]:
        value = _unwrapped(value, keep=name.endswith(":manager"))
    return _attribute(path, value)


def _unwrapped(value: Any, *, keep: bool) -> Any:
    """Unwrap a single value from the list that Entra puts it in: ``[{"$ref": null, "value": "…"}]``."""
    if isinstance(value, list) and len(value) == 1:
        only = value[0]
        if keep:
            return only
        if isinstance(only, Mapping) and "value" in only and only.keys() <= {"$ref", "value"}:
            return only["value"]
        if isinstance(only, str):
            return only
    return value


def _attribute(name: str, value: Any) -> Any:
    """Normalise the value of one attribute, of a resource or of a PATCH operation."""
    lower = plain_name(name)
    if lower in ("active", "primary") or lower.endswith((".primary", "].primary")):
        return _boolean(value)
    if lower == "manager" or lower == f"{ENTERPRISE}:manager":
        return _manager(value)
    if lower == "members":
        return _members(value)
    if lower == ENTERPRISE and isinstance(value, Mapping):
        return {inner: _attribute(inner, one) for inner, one in value.items()}
    if lower in _SEVERAL and isinstance(value, list):
        return [_entry(one) for one in value if not _is_empty(one)]
    if isinstance(value, Mapping) and "[" in lower:
        return _entry(value)
    return value


def _entry(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {name: _boolean(one) if name.lower() == "primary" else one for name, one in entry.items()}


def _is_empty(entry: Any) -> bool:
    """Return whether an entry means "no value": Okta sends ``{"type": "work", "value": ""}``."""
    return isinstance(entry, Mapping) and any(
        name.lower() == "value" and (value is None or value == "") for name, value in entry.items()
    )


def _boolean(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return value


def _manager(value: Any) -> Any:
    if isinstance(value, str):
        return {"value": value} if value else None
    return value


def _members(value: Any) -> Any:
    """Normalise members: drop a null ``$ref``, and accept a plain text as an id and a single member without a list."""
    if isinstance(value, (str, Mapping)):
        value = [value]
    if not isinstance(value, list):
        return value
    return [_member(one) for one in value]


def _member(member: Any) -> Any:
    if isinstance(member, str):
        return {"value": member}
    if not isinstance(member, Mapping):
        return member
    return {name: one for name, one in member.items() if one is not None}


__all__ = ["plain_filter", "plain_name", "read"]
