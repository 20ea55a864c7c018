"""Find the part of a filter that an index can answer."""

from __future__ import annotations

from typing import Any

import attrs
from scim2_models.path import CompareOperator, Comparison, LogicalExpr, LogicalOperator, Not, Present, ValuePath

from ethora_async.web.scim.mapping import folded

_FOLDED = frozenset({"username", "displayname", "emails"})
_LISTS = ("emails", "members", "groups")
_INDEXED = {
    "User": frozenset({"id", "username", "externalid", "emails", "groups"}),
    "Group": frozenset({"id", "displayname", "externalid", "members"}),
}


@attrs.frozen
class Lookup:
    """A search in an index.

    Attributes:
        name: the attribute in lower case.
        value: the value that it equals, folded if the attribute ignores case.
    """

    name: str
    value: str


def lookups(kind: str, node: Any) -> tuple[Lookup, ...] | None:
    """Return look-ups that together find every match of a filter; None if no index helps."""
    if isinstance(node, Comparison):
        return _comparison(kind, node)
    if isinstance(node, ValuePath):
        return _entries(kind, node)
    if isinstance(node, LogicalExpr):
        found = [lookups(kind, term) for term in node.terms]
        if node.op == LogicalOperator.and_:
            usable = [one for one in found if one is not None]
            # The most selective one: an id is one record, a member may be in many groups.
            return min(usable, key=_cost, default=None)
        several = [one for one in found if one is not None]
        return tuple(one for some in several for one in some) if len(several) == len(found) else None
    return None


def members_meant(node: Any) -> frozenset[str] | None:
    """Return the member ids in a filter; None if it tests other attributes of members."""
    if isinstance(node, LogicalExpr):
        found = [members_meant(term) for term in node.terms]
        return None if None in found else frozenset(id for ids in found if ids is not None for id in ids)
    if isinstance(node, Not):
        return members_meant(node.expr)
    if isinstance(node, ValuePath) and node.attr_path.attr.lower() == "members":
        lookup = _entries("Group", node)
        return None if lookup is None else frozenset(one.value for one in lookup)
    if isinstance(node, Comparison | Present) and node.attr_path.attr.lower() == "members":
        lookup = _comparison("Group", node) if isinstance(node, Comparison) else None
        return None if lookup is None else frozenset(one.value for one in lookup)
    return frozenset()


def _comparison(kind: str, node: Comparison) -> tuple[Lookup, ...] | None:
    name, sub = node.attr_path.attr.lower(), (node.attr_path.sub_attr or "").lower()
    if node.op != CompareOperator.eq or not isinstance(node.value, str) or name not in _INDEXED[kind]:
        return None
    if sub not in (("", "value") if name in _LISTS else ("",)):
        return None
    if node.attr_path.uri and "extension" in node.attr_path.uri.lower():
        return None
    return (_lookup(name, node.value),)


def _entries(kind: str, node: ValuePath) -> tuple[Lookup, ...] | None:
    """``members[value eq "…"]``, ``emails[type eq "work" and value eq "…"]``."""
    name = node.attr_path.attr.lower()
    if name not in _LISTS or name not in _INDEXED[kind]:
        return None
    return _within(name, node.val_filter)


def _within(name: str, node: Any) -> tuple[Lookup, ...] | None:
    if isinstance(node, Comparison):
        right = node.op == CompareOperator.eq and isinstance(node.value, str)
        return (_lookup(name, node.value),) if right and node.attr_path.attr.lower() == "value" else None
    if isinstance(node, LogicalExpr):
        found = [_within(name, term) for term in node.terms]
        usable = [one for one in found if one is not None]
        if node.op == LogicalOperator.and_:
            return min(usable, key=_cost, default=None)
        return tuple(one for some in usable for one in some) if len(usable) == len(found) else None
    return None


def _lookup(name: str, value: str) -> Lookup:
    return Lookup(name, folded(value) if name in _FOLDED else value)


def _cost(found: tuple[Lookup, ...]) -> tuple[int, bool]:
    return len(found), any(one.name in ("members", "groups") for one in found)


__all__ = ["Lookup", "lookups", "members_meant"]
