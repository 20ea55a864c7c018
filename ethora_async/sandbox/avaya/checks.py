"""Validate a Generate JWT request of the local Avaya (docs/platforms/avaya.md#generate-jwt)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.avaya.problems import REQUIRED, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def violations(body: Mapping[str, Any]) -> tuple[Violation, ...]:
    """Return every constraint that a request's body breaks; unknown members are ignored."""
    return tuple(_violations(body))


def _violations(body: Mapping[str, Any]) -> Iterator[Violation]:
    yield from _text(body, "integrationId", 36, 36)
    integration = body.get("integrationId")
    if isinstance(integration, str) and len(integration) == 36 and not UUID.fullmatch(integration):
        yield Violation("integrationId", "must be a UUID")
    yield from _text(body, "customerId", 1, 256)
    if not isinstance(body.get("verifiedCustomer", False), bool):
        yield Violation("verifiedCustomer", "must be true or false")
    if "customerName" in body:
        yield from _text(body, "customerName", 0, 70)
    if "customerIdentifiers" in body:
        yield from _identifiers(body["customerIdentifiers"])
    ttl = body.get("ttl", 15)
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 15 <= ttl <= 60:
        yield Violation("ttl", "must be a whole number from 15 to 60")


def _text(body: Mapping[str, Any], field: str, least: int, most: int) -> Iterator[Violation]:
    value = body.get(field)
    if value is None:
        yield Violation(field, "must not be null", REQUIRED)
    elif not isinstance(value, str) or not least <= len(value) <= most:
        yield Violation(field, f"must be text of {least} to {most} characters")


def _identifiers(value: Any) -> Iterator[Violation]:
    field = "customerIdentifiers"
    if not isinstance(value, dict) or not 1 <= len(value) <= 10:
        yield Violation(field, "must be an object of 1 to 10 members")
        return
    for key, values in value.items():
        if not 1 <= len(key) <= 50:
            yield Violation(field, "a name must have 1 to 50 characters")
        if not isinstance(values, list) or len(values) > 5:
            yield Violation(f"{field}.{key[:50]}", "must be an array of at most 5 texts")
        elif not all(isinstance(one, str) and 1 <= len(one) <= 256 for one in values):
            yield Violation(f"{field}.{key[:50]}", "every value must be text of 1 to 256 characters")
