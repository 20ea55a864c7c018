"""JSON of which only some keys are decoded: these have the values that decoding all of it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async.codec import PartialObject, PartialReader, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable


class _Row(TypedDict, total=False):
    name: str | None
    open: bool | None
    tags: list[str] | None


class _Page(TypedDict, total=False):
    rows: list[_Row] | None
    first: _Row | None
    total: int | None


read = PartialReader(_Page)

_FITS: dict[str, Any] = {
    "name": lambda value: isinstance(value, str),
    "open": lambda value: isinstance(value, bool),
    "tags": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "rows": lambda value: isinstance(value, list) and all(map(fits, value)),
    "first": lambda value: fits(value),
    "total": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_KEYS = {"rows": ("name", "open", "tags"), "first": ("name", "open", "tags"), "": ("rows", "first", "total")}


def fits(value: Any, keys: tuple[str, ...] = _KEYS["rows"]) -> bool:
    return isinstance(value, dict) and all(value[key] is None or _FITS[key](value[key]) for key in keys if key in value)


def pruned(value: Any, where: str = "") -> Any:
    """Return a value that fits, without the keys that the shape does not name."""
    if isinstance(value, list):
        return [pruned(one, where) for one in value]
    if not isinstance(value, dict) or where not in _KEYS:
        return value
    return {key: pruned(one, key) for key, one in value.items() if key in _KEYS[where]}


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e9, 1e9)
    | st.text(st.characters(codec="utf-8"))
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé"), inner, max_size=3),
    max_leaves=5,
)
ROW = st.fixed_dictionaries(
    {}, optional={"name": SCALARS, "open": SCALARS, "tags": st.lists(st.text("aé")) | VALUES, "other": VALUES}
)
PLAIN_ROW = st.fixed_dictionaries(
    {}, optional={"name": st.none() | st.text("aé"), "open": st.booleans(), "other": VALUES}
)
PAGE = st.fixed_dictionaries(
    {},
    optional={
        "rows": st.lists(PLAIN_ROW, max_size=3) | st.lists(ROW | VALUES, max_size=3) | SCALARS,
        "first": PLAIN_ROW | ROW | VALUES,
        "total": st.integers(0, 9) | SCALARS,
        "other": VALUES,
    },
)


@given(PAGE | VALUES)
def test_a_value_is_whole_or_lacks_what_the_shape_does_not_name(value: Any) -> None:
    body = dumps(value)
    found = read(body)
    if fits(value, _KEYS[""]):
        assert isinstance(found, PartialObject)
        assert found == pruned(value)
        assert found.whole() == loads(body)
    else:
        assert found == loads(body)
        assert not isinstance(found, PartialObject)


@example(b'{"total": 1, "total": 2, "rows": [{"name": "a", "name": null}]}')
@example(b'{"first": {"name": "\\ud800"}}')
@example(b'{"other": "\\udc00"}')
@example(b"\xef\xbb\xbf{}")
@example(b"")
@given(
    st.builds(
        lambda body, start, length, put: body[:start] + put + body[start + length :],
        PAGE.map(lambda page: json.dumps(page).encode()),  # in ASCII: no piece of a character can be cut out
        st.integers(0, 60),
        st.integers(0, 3),
        st.sampled_from([b"", b"{", b"]", b",", b'"', b"\\", b"0", b"-", b"nul", b" ", b"\n", b"\x00"]),
    )
)
def test_what_is_not_json_is_refused_alike(body: bytes) -> None:
    whole, partly = outcome(loads, body), outcome(read, body)
    if isinstance(whole, ValueError):
        assert str(partly) == str(whole)
        assert partly.__context__ is None
    else:
        assert partly == (pruned(whole) if isinstance(partly, PartialObject) else whole)


def outcome(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except ValueError as error:
        return error


@pytest.mark.parametrize("other", [b'"\xff"', b"1e999"])
def test_what_is_left_out_is_checked_less_and_costs_nothing_that_is_known(other: bytes) -> None:
    found = read(b'{"total": 3, "other": ' + other + b"}")
    assert found == {"total": 3}
    assert found.whole() == {"total": 3}


@pytest.mark.parametrize("levels", [1_100, 5_000, 1_000_000])
def test_deep_nesting_is_left_out_or_refused(levels: int) -> None:
    """How much of it msgspec skips depends on Python's version."""
    body = b'{"total": 3, "other": ' + b"[" * levels + b"]" * levels + b"}"
    found = outcome(read, body)
    assert "not JSON" in str(found) if isinstance(found, ValueError) else found == {"total": 3}
