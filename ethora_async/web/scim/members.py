"""Changes of a group's members, extracted from a PATCH and written directly to the member table.

Applied to the whole group instead, adding one member to a group of 50,000 would read and compare all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from ethora_async import codec
from ethora_async.web.scim.payloads import plain_name

_ONE = r'value\s+eq\s+("(?:[^"\\]|\\.)*")'
_TERM = re.compile(rf"\s*{_ONE}\s*(or\s+|$)", re.IGNORECASE)


@attrs.frozen
class MemberChange:
    """One change.

    Attributes:
        op: ``add`` these, ``remove`` these, ``replace`` all by these; ``clear`` removes all.
        members: ids, each with its display name or None.
    """

    op: Literal["add", "remove", "replace", "clear"]
    members: Mapping[str, str | None] = attrs.field(factory=dict)


def split(body: Any) -> tuple[list[MemberChange], list[Any]] | None:
    """Return the changes of members in a PATCH, and the operations that are left.

    Returns None when a change of members has a form that only the generic code supports.
    """
    operations = _operations(body)
    if operations is None:
        return None
    changes: list[MemberChange] = []
    rest: list[Any] = []
    for operation in operations:
        if not isinstance(operation, Mapping):
            return None
        op, path, value = operation.get("op"), operation.get("path"), operation.get("value")
        if path is None and isinstance(value, Mapping):
            left = {name: one for name, one in value.items() if plain_name(name) != "members"}
            for name in value.keys() - left.keys():
                change = _change(op, value[name], given=True)
                if change is None or op == "remove":
                    return None
                changes.append(change)
            if left or not value:
                rest.append({**operation, "value": left})
        elif isinstance(path, str) and plain_name(path).startswith("members"):
            found = _at_path(op, plain_name(path), path, operation)
            if found is None:
                return None
            changes.append(found)
        else:
            rest.append(operation)
    return changes, rest


def _operations(body: Any) -> list[Any] | None:
    if not isinstance(body, Mapping):
        return None
    for name, value in body.items():
        if name.lower() == "operations" and isinstance(value, list) and value:
            return value
    return None


def _at_path(op: Any, name: str, path: str, operation: Mapping[str, Any]) -> MemberChange | None:
    if name == "members":
        return _change(op, operation.get("value"), given="value" in operation)
    if op == "remove" and "value" not in operation:
        ids = _selected(path)
        return None if ids is None else MemberChange("remove", dict.fromkeys(ids))
    return None


def _change(op: Any, value: Any, *, given: bool) -> MemberChange | None:
    if op == "remove" and not given:
        return MemberChange("clear")
    members = _members(value)
    if members is None or op not in ("add", "remove", "replace"):
        return None
    return MemberChange(op, members)


def _members(value: Any) -> dict[str, str | None] | None:
    if not isinstance(value, list):
        return None
    found: dict[str, str | None] = {}
    for member in value:
        if not isinstance(member, Mapping):
            return None
        fields = {name.lower(): one for name, one in member.items()}
        id, display, kind = fields.get("value"), fields.get("display"), fields.get("type")
        if not isinstance(id, str) or not id or not isinstance(display, str | None):
            return None
        if kind is not None and (not isinstance(kind, str) or kind.lower() != "user"):
            return None
        found[id] = display
    return found


def _selected(path: str) -> list[str] | None:
    """Return the ids in ``members[value eq "a" or value eq "b"]``."""
    head, _, inner = path.strip().partition("[")
    if plain_name(head) != "members" or not inner.endswith("]"):
        return None
    text, position = inner[:-1].strip(), 0
    ids: list[str] = []
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            return None
        try:
            ids.append(str(codec.loads(term[1].encode())))
        except ValueError:
            return None
        position = term.end()
        if bool(term[2]) != (position < len(text)):
            return None
    return ids or None


__all__ = ["MemberChange", "split"]
