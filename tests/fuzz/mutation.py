"""Mutate the inputs of the corpus: cut, splice, repeat and change them, and JSON also by its structure."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

LONGEST = 16_384
"""Bytes of an input: an hour of a fuzz is better spent on many small ones."""

TOKENS: tuple[bytes, ...] = (
    b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\n\n", b'"', b'""', b"'", b",", b";", b"\t", b"=",
    b"{", b"}", b"[", b"]", b"<", b">", b"&", b"%", b"#", b"\\", b"\\u0000", b"\\ud800", b"../", b"://", b"@", b":",
    b"null", b"true", b"-1", b"0", b"1e309", b"NaN", b"Infinity", b"9" * 30, b"\xed\xa0\x80", b"\xc3\x28",
    b"\xf0\x9f\x98\x80", b"a" * 300, b"[" * 200, b"{" * 50, b'{"a":' * 120, b"<a>" * 150, b"--", b"sep=;", b"*", b"/33",
    b"::1", b"9" * 5000,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e300, 2**63, -(2**63), "", " ", "\x00", "\u2028", "a" * 200, [], {}, [[]], {"": None},
    [None], {"id": {}}, [{"_id": 1}], "2024-13-45T99:00:00Z", 10**14, "0", {"$date": 1e20}, {"$date": "x"},
)  # fmt: skip


def mutated(corpus: Sequence[bytes], dice: random.Random) -> bytes:
    """Return an input that is like one or two of the corpus."""
    data = corpus[int(dice.random() * len(corpus))]
    if dice.random() < 0.45 and (bent := _bent_json(data, dice)) is not None:
        return bent
    found = bytearray(data)
    for _ in range(1 + int(dice.random() * 4)):
        _bend(found, corpus, dice)
    return bytes(found[: max(LONGEST, len(data))])


def _bend(data: bytearray, corpus: Sequence[bytes], dice: random.Random) -> None:
    size = len(data)
    place = int(dice.random() * (size + 1))
    end = min(size, place + int(dice.random() * 24))
    way = int(dice.random() * 7)
    if way == 0:
        data[place:end] = b""
    elif way == 1:
        data[place:end] = data[place:end] * (2 + int(dice.random() * 6))
    elif way == 2:
        data[place:place] = TOKENS[int(dice.random() * len(TOKENS))]
    elif way == 3:
        other = corpus[int(dice.random() * len(corpus))]
        start = int(dice.random() * (len(other) + 1))
        data[place:] = other[start:]
    elif way == 4 and place < size:
        data[place] ^= 1 << int(dice.random() * 8)
    elif way == 5:
        del data[place:]
    else:
        data[place:end] = TOKENS[int(dice.random() * len(TOKENS))]


def _bent_json(data: bytes, dice: random.Random) -> bytes | None:
    if data[:1] not in (b"{", b"["):
        return None
    with suppress(ValueError, RecursionError):
        value = json.loads(data)
        for _ in range(1 + int(dice.random() * 3)):
            value = _bent(value, dice)
        return json.dumps(value).encode()[:LONGEST]
    return None


def _bent(value: Any, dice: random.Random) -> Any:
    """Replace, drop, double or rename something at any depth."""
    if dice.random() < 0.25 or not value or not isinstance(value, (dict, list)):
        return VALUES[int(dice.random() * len(VALUES))]
    if isinstance(value, list):
        place = int(dice.random() * len(value))
        if dice.random() < 0.2:
            return value[:place] + value[place + 1 :]
        if dice.random() < 0.2:
            return [*value, value[place]]
        return [*value[:place], _bent(value[place], dice), *value[place + 1 :]]
    key = list(value)[int(dice.random() * len(value))]
    if dice.random() < 0.15:
        return {name: inner for name, inner in value.items() if name != key}
    if dice.random() < 0.1:
        return {**value, f"{key}x": value[key]}
    return {**value, key: _bent(value[key], dice)}
