"""Parse the chat server's requests (docs/platforms/imbachat.md#callbacks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote

import attrs

from ethora_async.platforms.imbachat.numbers import is_decimal

if TYPE_CHECKING:
    import re

_USERS = frozenset({"users", "getusers"})
_SEARCHES: Mapping[str, Literal["wrapped", "list"]] = {"search": "wrapped", "searchusers": "list"}
_ID_PARAMETERS = ("user_ids", "ids")
_LONGEST_TEXT_ID = 256


@attrs.frozen
class AskUsers:
    """A request for users by id: `ids` as they were written, joined."""

    ids: str


@attrs.frozen
class AskSearch:
    """A search for users by name; `form` is the format of the reply."""

    term: str
    form: Literal["wrapped", "list"]


@attrs.frozen
class AskVersion:
    """A request for the API's version."""


Asked = AskUsers | AskSearch | AskVersion | None


def asked(method: str, path: str, query: str | Mapping[str, str], separator: str) -> Asked:
    """Parse a request; return None for an unknown one.

    Args:
        path: the part after the handler's prefix, percent-encoded as on the wire.
        query: the raw query string, or a mapping of its decoded parameters.
    """
    steps = [step for step in path.split("/") if step]
    if len(steps) == 2 and steps[0] in _SEARCHES:
        return AskSearch(unquote(steps[1]), _SEARCHES[steps[0]]) if method in ("GET", "POST") else None
    if steps and steps[-1] in _SEARCHES:
        return AskSearch("", _SEARCHES[steps[-1]]) if method in ("GET", "POST") else None
    if method != "GET":
        return None
    if (ids := _ids_in(query, separator)) is not None and (not steps or (len(steps) == 1 and steps[0] in _USERS)):
        return AskUsers(ids)
    if not steps:
        return AskVersion()
    if steps[0] in _USERS:
        del steps[0]
    return AskUsers(unquote("/".join(steps))) if len(steps) <= 1 else None


def _ids_in(query: str | Mapping[str, str], separator: str) -> str | None:
    # multidict's `items` yields a repeated name each time.
    pairs = list(query.items()) if isinstance(query, Mapping) else parse_qsl(query, keep_blank_values=True)
    for parameter in _ID_PARAMETERS:
        found = [value for name, value in pairs if name == parameter]
        if found:
            return separator.join(found)
    return None


def split_ids(
    text: str, *, separator: str, most: int, pattern: re.Pattern[str] | None
) -> tuple[list[int | str], str | None]:
    """Return the ids, without duplicates, in order; and a description of the error, if there is one.

    Args:
        pattern: a pattern that a whole id must match to be accepted as text; None accepts positive decimal numbers, as
            `int`.
    """
    if len(text) > most * (_LONGEST_TEXT_ID + len(separator)):
        return [], f"at most {most} ids can be asked for at once"
    texts = dict.fromkeys(part for part in (one.strip(" ") for one in text.split(separator)) if part)
    if len(texts) > most:
        return [], f"at most {most} ids can be asked for at once"
    if pattern is None:
        if not all(map(is_decimal, texts)):
            return [], "an id is not a positive decimal number"
        return [int(one) for one in texts], None
    if not all(len(one) <= _LONGEST_TEXT_ID and pattern.fullmatch(one) for one in texts):
        return [], "an id is not of the form that this site uses"
    return list(texts), None
