"""A fingerprint of rows that does not help to guess passwords."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ethora_async import codec
from ethora_async.sync.sources.binding import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_VERSION = "rows2"
_BITS = 256
_AT_ONCE = 500
"""Rows that are digested together."""


class RowDigest:
    """Computes a text that changes whenever one of the rows does. Its memory use is constant.

    The fingerprint covers the values read from the rows (by field, after mapping, defaults and trimming) and their
    positions. So a copy on another machine has the same fingerprint, and unused columns do not count.

    Anyone who has the journal has the fingerprint too, and may know every field but the password. Therefore passwords,
    and rows that could not be read (they may contain a password anywhere), go into a second half. It passes through
    scrypt with the cost that OWASP recommends for stored passwords (N 2^14, r 8, p 5: 16 MB, some 0.2 s), salted by the
    first half. A guess costs as much as with a well-protected password table, and must be right for all users'
    passwords at once.

    Rows that have a place and no password are hashed in sequence, many at once. The digests of all others are added up:
    if `place` is None their order does not count, as for a query without ORDER BY.
    """

    def __init__(self) -> None:
        self._in_order = hashlib.sha256()
        self._waiting: list[tuple[int, Mapping[str, str]]] = []
        self._open = self._secret = 0
        self._rows = 0
        self._has_secrets = False

    def add(self, texts: Mapping[str, str], place: int | None) -> None:
        """Add a row that could be read."""
        self._rows += 1
        password = texts.get(PASSWORD)
        if place is None or password:
            self._add_up(texts, place, password)
            return
        self._waiting.append((place, texts))
        if len(self._waiting) == _AT_ONCE:
            self._digest_waiting()

    def add_encoded(self, records: Sequence[str], first: int) -> None:
        """Add rows without passwords as JSON with sorted keys, at consecutive places from `first` on."""
        self._digest_waiting()
        self._rows += len(records)
        self._in_order.update("".join([f"[{place},{text}]," for place, text in enumerate(records, first)]).encode())

    def _digest_waiting(self) -> None:
        rows, self._waiting = self._waiting, []
        try:
            self._append(rows)
        except TypeError:  # half of a surrogate pair, which JSON cannot hold
            for place, texts in rows:
                try:
                    self._append([(place, texts)])
                except TypeError:
                    self._add_up(texts, place, None)

    def _append(self, rows: Sequence[tuple[int, Mapping[str, str]]]) -> None:
        # Without the brackets: how many rows are taken at once must not count.
        for part in (codec.dumps_sorted(rows)[1:-1], b",") if rows else ():
            self._in_order.update(part)

    def _add_up(self, texts: Mapping[str, str], place: int | None, password: str | None) -> None:
        shown = _digest(place, (part for name in sorted(texts) if name != PASSWORD for part in (name, texts[name])))
        self._open += int.from_bytes(shown)
        if password:
            self._hide(_digest(place, (shown.hex(), password)))

    def add_unreadable(self, texts: Iterable[str], place: int | None) -> None:
        """Add a row that could not be read: all of its content counts as secret."""
        self._rows += 1
        self._hide(_digest(place, texts))

    def text(self) -> str:
        """Return the fingerprint. Blocks for a moment."""
        self._digest_waiting()
        shown = _digest(self._rows, (str(self._open % 2**_BITS), self._in_order.hexdigest()))
        if not self._has_secrets:
            return f"{_VERSION}:{shown.hex()}"
        secret = (self._secret % 2**_BITS).to_bytes(_BITS // 8)
        hidden = hashlib.scrypt(secret, salt=shown, n=2**14, r=8, p=5, maxmem=2**26, dklen=32)
        return f"{_VERSION}:{shown.hex()}:{hidden.hex()}"

    def _hide(self, digest: bytes) -> None:
        self._has_secrets = True
        self._secret += int.from_bytes(digest)


def _digest(number: int | None, parts: Iterable[str]) -> bytes:
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    # With lengths first: otherwise ("ab", "c") and ("a", "bc") would be equal.
    head = ",".join([str(number), *map(str, map(len, encoded))])
    return hashlib.sha256(b"".join((head.encode(), b";", *encoded))).digest()
