"""Customers for whom chat tokens are created, checked against the documented limits.

See docs/platforms/avaya.md#generate-jwt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.config import seconds
from ethora_async.errors import ConfigError, InvalidInputError
from ethora_async.records import Id, id_text, optional_text

if TYPE_CHECKING:
    from ethora_async.config import Seconds

LONGEST_ID = 256
LONGEST_NAME = 70
LONGEST_KEY = 50
LONGEST_IDENTIFIER = 256
MOST_KEYS = 10
MOST_IDENTIFIERS = 5
SHORTEST_TTL, LONGEST_TTL = 15, 60
"""In minutes."""

Identifiers = Mapping[str, str | Iterable[str]]
"""Names of identifiers (``emailAddresses``, ``phoneNumbers``, or your own) with one value or several."""


@attrs.frozen
class Customer:
    """One customer, in the form of the Generate JWT call."""

    id: str
    verified: bool
    name: str | None
    identifiers: tuple[tuple[str, tuple[str, ...]], ...] = attrs.field(repr=False)

    @classmethod
    def of(cls, id: Id, *, verified: bool, name: str | None, identifiers: Identifiers | None) -> Customer:
        """Return a customer after checking every argument.

        Raises:
            InvalidInputError: an argument is invalid, or a guest has identifiers.
        """
        if not isinstance(verified, bool):
            msg = f"verified must be True or False, not {type(verified).__name__}"
            raise InvalidInputError(msg, field="verified")
        if identifiers is not None and not verified:
            msg = (
                "a guest has no identifiers: Avaya ignores them, and they are personal data; pass verified=True for a "
                "customer who is logged in"
            )
            raise InvalidInputError(msg, field="identifiers")
        return cls(_id(id), verified, _name(name), _identifiers(identifiers))

    def body(self, integration: str, minutes: int) -> dict[str, Any]:
        """Return the request's body, in the documented order."""
        body: dict[str, Any] = {
            "integrationId": integration,
            "customerId": self.id,
            "verifiedCustomer": self.verified,
        }
        if self.name is not None:
            body["customerName"] = self.name
        if self.identifiers:
            body["customerIdentifiers"] = {key: list(values) for key, values in self.identifiers}
        body["ttl"] = minutes
        return body


def whole_minutes(ttl: Seconds) -> int:
    """Return a lifetime as the whole number of minutes to send.

    Raises:
        InvalidInputError: it is not a whole number of minutes from 15 to 60.
    """
    try:
        number = seconds(ttl, "ttl")
    except ConfigError as error:
        raise InvalidInputError(error.message, field="ttl") from None
    minutes = int(number / 60)
    if minutes * 60 != number or not SHORTEST_TTL <= minutes <= LONGEST_TTL:
        msg = (
            f"ttl must be a whole number of minutes from {SHORTEST_TTL} to {LONGEST_TTL}, not {number:g} seconds: "
            "pass timedelta(minutes=…), or seconds"
        )
        raise InvalidInputError(msg, field="ttl")
    return minutes


def _id(id: Id) -> str:
    text = id_text(id)
    if isinstance(id, str) and (id != text or not id.isprintable()):
        # Trimming could merge two of your customers into one of Avaya's.
        msg = "id begins or ends with white space, or holds an invisible character: ids are taken literally"
        raise InvalidInputError(msg, field="id")
    if len(text) > LONGEST_ID:
        msg = f"id must have at most {LONGEST_ID} characters, not {len(text)}"
        raise InvalidInputError(msg, field="id")
    return text


def _name(name: str | None) -> str | None:
    if name is None:
        return None
    text = optional_text(name, "name")
    if len(text) > LONGEST_NAME:
        msg = f"name must have at most {LONGEST_NAME} characters, not {len(text)}"
        raise InvalidInputError(msg, field="name")
    return text


def _identifiers(identifiers: Identifiers | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if identifiers is None:
        return ()
    if not isinstance(identifiers, Mapping):
        msg = f"identifiers must be a mapping of names to values, not {type(identifiers).__name__}"
        raise InvalidInputError(msg, field="identifiers")
    if not 1 <= len(identifiers) <= MOST_KEYS:
        msg = f"identifiers must hold 1 to {MOST_KEYS} names, not {len(identifiers)}: pass None for none"
        raise InvalidInputError(msg, field="identifiers")
    return tuple((_key(key), _several(key, values)) for key, values in identifiers.items())


def _key(key: str) -> str:
    text = optional_text(key, "identifiers")
    if text != key or not 1 <= len(text) <= LONGEST_KEY:
        msg = f"a name among the identifiers must have 1 to {LONGEST_KEY} characters and no space around them"
        raise InvalidInputError(msg, field="identifiers")
    return text


def _several(key: str, values: str | Iterable[str]) -> tuple[str, ...]:
    where = f"identifiers[{key!r}]"
    # A single text is one value, not a list of its letters.
    if isinstance(values, (bytes, Mapping)) or not isinstance(values, Iterable):
        msg = f"{where} must be text or a list of texts, not {type(values).__name__}"
        raise InvalidInputError(msg, field="identifiers")
    texts = tuple(optional_text(one, where) for one in ([values] if isinstance(values, str) else values))
    if not 1 <= len(texts) <= MOST_IDENTIFIERS:
        msg = f"{where} must hold 1 to {MOST_IDENTIFIERS} values, not {len(texts)}"
        raise InvalidInputError(msg, field="identifiers")
    for place, text in enumerate(texts, 1):
        if not 1 <= len(text) <= LONGEST_IDENTIFIER:
            # The value itself is personal data, and is not quoted.
            msg = f"value {place} of {where} must have 1 to {LONGEST_IDENTIFIER} characters, not {len(text)}"
            raise InvalidInputError(msg, field="identifiers")
    return texts
