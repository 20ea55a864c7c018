"""Pages of long results (XEP-0059)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from ethora_async.sandbox.ethora.xmpp.elements import Element, element
from ethora_async.sandbox.ethora.xmpp.namespaces import RSM
from ethora_async.sandbox.ethora.xmpp.refusals import StanzaError

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL: Final = 50
MOST: Final = 250
"""The default and the largest number of items on a page, as on ejabberd."""
_DIGITS: Final = 9
"""A larger number selects everything."""


@attrs.frozen
class Page:
    """The requested page: at most `size` items.

    `before` selects the last ones before an id, or of all with "", and `index` those from a position on.
    """

    size: int = USUAL
    before: str | None = None
    after: str | None = None
    index: int | None = None

    @classmethod
    def read(cls, query: Element) -> Page:
        """Read the `<set>` of a query.

        Raises:
            StanzaError: it is malformed.
        """
        asked = query.find("set", RSM)
        if asked is None:
            return cls()
        size = _number(asked, "max")
        return cls(
            USUAL if size is None else min(size, MOST),
            asked.text_of("before"),
            asked.text_of("after"),
            _number(asked, "index"),
        )


def _number(asked: Element, name: str) -> int | None:
    """Return the number in an element of a `<set>`; None if it is missing or empty."""
    text = asked.text_of(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise StanzaError("bad-request", f"{name} is a number")
    return int(text) if len(text) <= _DIGITS else 10**_DIGITS


def page_set(ids: Sequence[str], total: int, index: int | None = None) -> Element:
    """Return the `<set>` of a result: its first and last id, and the total number."""
    told = element("set", RSM)
    if ids:
        first = element("first", RSM, ids[0])
        if index is not None:
            first.attributes["index"] = str(index)
        told.children += [first, element("last", RSM, ids[-1])]
    told.children.append(element("count", RSM, str(total)))
    return told
