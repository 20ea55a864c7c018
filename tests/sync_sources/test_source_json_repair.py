"""Invalid strings and bare words in a JSON array cost their own row alone, wherever the pieces of the file are cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_helpers import person, rows

from ethora_async.sync.sources.json_repair import INVALID, NO_VALUE, JsonRepair
from ethora_async.sync.sources.source import BadRow, Row

if TYPE_CHECKING:
    from pathlib import Path

INVALID_STRINGS = [
    rb"\ud800",
    rb"\udc00",
    rb"\udc00\ud800",
    rb"\ud83d\u0041",
    rb"\ud83d\\ude00",
    rb"\x41",
    rb"\u00",
    b"\x01",
    b"a\tb",
    b"a\nb",
    b"\xff",
    b"\xed\xa0\x80",
    "é".encode("latin-1"),
]


@pytest.mark.parametrize("invalid", INVALID_STRINGS)
@pytest.mark.parametrize("where", ["id", "last_name", "key", "nested"])
@pytest.mark.parametrize("around", [b"[%s]", b'{"users": [%s]}', b'\xef\xbb\xbf{\n"ok": true,\n"users": [%s]\n}'])
async def test_an_invalid_string_refuses_its_row_alone(
    tmp_path: Path, invalid: bytes, where: str, around: bytes
) -> None:
    record = person("b")
    if where == "key":
        record["@@"] = 1
    elif where == "nested":
        record["more"] = [{"x": "@@"}]
    else:
        record[where] = "@@"
    people = [
        json.dumps(person("a")),
        json.dumps(record).replace("@@", "a@@b"),
        json.dumps(person("c", last_name="ü 😀")),
    ]
    path = tmp_path / "people.json"
    path.write_bytes(around % ",\n".join(people).encode().replace(b"@@", invalid))
    found = await rows(path)
    assert [row.item.id for row in found if isinstance(row, Row)] == ["a", "c"]
    assert [(row.error.row, "UTF-8" in row.error.message) for row in found if isinstance(row, BadRow)] == [(2, True)]


NO_VALUES = [
    "NaN",
    "-Infinity",
    "01",
    "-01",
    "1.",
    ".5",
    "+1",
    "1e",
    "0x10",
    "-",
    "tru",
    "True",
    "None",
    "a",
    "'a'",
    "12é",
]
"""Words that are no JSON values, though other writers of JSON write them."""


@pytest.mark.parametrize("word", NO_VALUES)
@pytest.mark.parametrize("around", ["[%s]", '{"users": [%s]}'])
async def test_a_word_that_json_does_not_have_refuses_its_row_alone(tmp_path: Path, word: str, around: str) -> None:
    places = {
        '"more": @@': "'more' has no JSON value",
        '"more": {"age": [1, @@ ]}': "'age' has no JSON value",
        "@@: 1": "a key of the object is not a text",
        '"x": "ü, \\" NaN", "age": @@, "age": @@': "'age' has no JSON value",
    }
    people = [json.dumps(person("b"))[:-1] + f", {place}}}" for place in places]
    people = [json.dumps(person("a")), *people, json.dumps(person("c"))]
    path = tmp_path / "people.json"
    path.write_text(around % ",\n".join(people).replace("@@", word), "utf-8")
    first, *refused, last = await rows(path)
    assert [row.item.id for row in (first, last) if isinstance(row, Row)] == ["a", "c"]
    assert [row.error.row for row in refused if isinstance(row, BadRow)] == [2, 3, 4, 5]
    for row, told in zip(refused, places.values(), strict=True):
        assert isinstance(row, BadRow)
        assert told in row.error.message


async def test_an_unquoted_password_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    path.write_text(f'[{json.dumps(person("a"))[:-1]}, "password": hunter2-canary}}]', "utf-8")
    (refused,) = await rows(path)
    assert isinstance(refused, BadRow)
    assert "hunter2-canary" not in repr(refused) + str(refused.error)


JSON = st.recursive(
    st.text() | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.booleans(), st.integers(1, 20))
def test_valid_json_is_unchanged_however_it_is_cut(value: object, escaped: bool, size: int) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=1)
    repair = JsonRepair()
    data = text.encode("utf-8", "surrogatepass")
    pieces = [repair.repaired(data[place : place + size]) for place in range(0, len(data), size)]
    pieces.append(repair.repaired(b""))
    assert b"".join(piece for piece, _ in pieces).decode() == text
    assert '"' not in "".join(outside for _, outside in pieces)


@given(st.lists(st.sampled_from(INVALID_STRINGS), max_size=4), st.integers(1, 20))
def test_the_repaired_text_is_json_however_it_is_cut(strings: list[bytes], size: int) -> None:
    data = b'["\\\\", ' + b"".join(b'"x%sx", ' % one for one in strings) + b"[]]"
    repair = JsonRepair()
    pieces = [repair.repaired(data[place : place + size]) for place in range(0, len(data), size)]
    pieces.append(repair.repaired(b""))
    first, *found, last = json.loads(b"".join(piece for piece, _ in pieces))
    assert (first, last) == ("\\", [])
    assert all(INVALID in one for one in found)
    assert len(found) == len(strings)


@given(st.lists(st.sampled_from(NO_VALUES), max_size=4), st.integers(1, 20))
def test_words_are_replaced_wherever_they_are_cut(words: list[str], size: int) -> None:
    data = f"[1.5e+3, {''.join(f'{word}, ' for word in words)}[true, null,-0]]".encode()
    repair = JsonRepair()
    pieces = [repair.repaired(data[place : place + size]) for place in range(0, len(data), size)]
    pieces.append(repair.repaired(b""))
    first, *found, last = json.loads(b"".join(piece for piece, _ in pieces))
    assert (first, last) == (1500.0, [True, None, 0])
    assert found == [NO_VALUE] * len(words)
    assert repair.marked == bool(words)


def test_a_word_of_any_length_is_kept_in_bounded_memory() -> None:
    repair = JsonRepair()
    pieces = [repair.repaired(b"1" * 1000)[0] for _ in range(100)]
    assert b"".join(pieces) == b"1" * 100_000
