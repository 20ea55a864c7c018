"""Replies become records; an error about a bad one names its path and never its value."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.codec import _EXTRA, Codec, dumps, loads, record_reader
from ethora_async.errors import ReplyLostError
from ethora_async.redaction import Secret
from ethora_async.request import Origin

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@attrs.frozen
class Leaf:
    name: str
    extra: Mapping[str, Any] = {}


@attrs.frozen
class Tree:
    id: str
    size: int = 0
    open: bool | None = None
    made: datetime | None = None
    tags: tuple[str, ...] | None = None
    leaves: list[Leaf] = attrs.field(factory=list)
    extra: Mapping[str, Any] = {}


codec = Codec()
codec.add(Leaf, {})
codec.add(Tree, {"id": "_id", "made": "createdAt"})


def read(data: Any) -> Tree:
    return codec.read(data, Tree, origin=Origin("trees.get"))


def test_names_times_lists_and_nested_records_are_read() -> None:
    tree = read({"_id": 7, "createdAt": "2026-01-02T03:04:05Z", "tags": ["a"], "leaves": [{"name": "x", "hue": "red"}]})
    assert tree == Tree(
        "7", made=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), tags=("a",), leaves=[Leaf("x", {"hue": "red"})]
    )


@pytest.mark.parametrize(("value", "year"), [("2026-01-02T03:04:05", 2026), (1_700_000_000_000, 2023), (0, 1970)])
def test_times_come_as_text_or_milliseconds_and_are_aware(value: Any, year: int) -> None:
    made = read({"_id": "x", "createdAt": value}).made
    assert made is not None
    assert (made.year, made.tzinfo is not None) == (year, True)


def test_unknown_fields_are_kept_and_sensitive_ones_among_them_sealed() -> None:
    extra = read({"_id": "x", "new": [1], "deep": {"xmppPassword": "canary-pw"}}).extra
    assert extra["new"] == [1]
    assert extra["deep"]["xmppPassword"] == Secret("canary-pw")
    assert "canary" not in repr(extra)


def test_no_field_of_a_platform_replaces_the_others() -> None:
    """Not even one by the name under which the codec hands them over; nor does the name hold what code cannot."""
    assert _EXTRA.isprintable()
    extra = read({"_id": "x", _EXTRA: {"forged": 1}, "new": 2}).extra
    assert dict(extra) == {_EXTRA: {"forged": 1}, "new": 2}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "expected an object, got null @ reply"),
        ("canary", "expected an object, got text @ reply"),
        ([], "expected an object, got a list @ reply"),
        ({}, "missing @ reply.id"),
        ({"_id": None}, "expected text, got null @ reply.id"),
        ({"_id": True}, "expected text, got a boolean @ reply.id"),
        ({"_id": {}}, "expected text, got an object @ reply.id"),
        ({"_id": "x", "size": "canary"}, "expected a whole number, got text @ reply.size"),
        ({"_id": "x", "size": True}, "expected a whole number, got a boolean @ reply.size"),
        ({"_id": "x", "size": 1.5}, "expected a whole number, got a number @ reply.size"),
        ({"_id": "x", "open": "canary"}, "expected true or false, got text @ reply.open"),
        ({"_id": "x", "createdAt": "canary"}, "expected an ISO 8601 time"),
        ({"_id": "x", "createdAt": 1e300}, "expected an ISO 8601 time"),
        ({"_id": "x", "tags": "canary"}, "expected a list, got text @ reply.tags"),
        ({"_id": "x", "tags": {"canary": 1}}, "expected a list, got an object @ reply.tags"),
        ({"_id": "x", "tags": ["a", None]}, "expected text, got null @ reply.tags[1]"),
        ({"_id": "x", "leaves": None}, "@ reply.leaves"),
        ({"_id": "x", "leaves": [{"name": "a"}, {"canary": "b"}]}, "missing @ reply.leaves[1].name"),
    ],
)
def test_a_bad_field_is_named_by_its_path_and_never_by_its_value(data: Any, problem: str) -> None:
    with pytest.raises(ReplyLostError) as caught:
        read(data)
    assert problem in caught.value.message
    assert "canary" not in str(caught.value)
    assert (caught.value.operation, caught.value.effect) == ("trees.get", "unknown")
    assert caught.value.__context__ is None


def test_every_bad_field_is_named() -> None:
    with pytest.raises(ReplyLostError, match=r"reply\.id; .*reply\.size"):
        read({"size": "x"})


@given(JSON, st.dictionaries(st.sampled_from(["_id", "size", "open", "createdAt", "tags", "leaves", "name"]), JSON))
def test_any_reply_is_a_record_or_a_lost_reply(whatever: Any, data: dict[str, Any]) -> None:
    for candidate in (whatever, data, {"_id": "x", **data, "leaves": [data]}):
        with contextlib.suppress(ReplyLostError):
            assert isinstance(read(candidate), Tree)


@given(JSON)
def test_json_goes_there_and_back(value: Any) -> None:
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("body", [b'{"token":"canary', b"<canary>", b"\xffcanary", b"[" * 5_000])
def test_what_is_no_json_is_told_by_its_place_alone(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"not JSON \(line \d+ column \d+\)") as caught:
        loads(body)
    assert caught.value.__context__ is None
    assert "canary" not in repr(caught.value)


def test_nothing_is_none() -> None:
    assert loads(b"") is None


FIELDS = st.dictionaries(
    st.sampled_from(["_id", "size", "open", "createdAt", "tags", "leaves", "token", "other"]),
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.sampled_from(["", "7", "2026-01-02T03:04:05Z", "2026-13-01"])
    | st.lists(st.text(max_size=2) | st.integers(), max_size=2)
    | st.lists(st.fixed_dictionaries({"name": st.text(max_size=2) | st.none()}, optional={"hue": JSON}), max_size=2),
    max_size=8,
)


@given(FIELDS | JSON)
def test_the_function_made_for_a_class_reads_what_cattrs_reads(data: Any) -> None:
    in_general = codec._converter(detailed=False)
    reading = record_reader(Tree, {"id": "_id", "made": "createdAt"}, in_general.structure)
    try:
        fast = reading(data)
    except Exception:  # noqa: BLE001  what it does not expect is left to cattrs
        return
    assert fast == in_general.structure(data, Tree)
    assert [type(getattr(fast, name)) for name in ("id", "size", "open", "made", "tags", "leaves", "extra")] == [
        type(getattr(in_general.structure(data, Tree), name))
        for name in ("id", "size", "open", "made", "tags", "leaves", "extra")
    ]


def test_the_usual_record_is_read_without_cattrs() -> None:
    def structure(value: Any, kind: Any) -> Any:
        msg = f"cattrs was asked for {kind}"
        raise AssertionError(msg)

    reading = record_reader(Tree, {"id": "_id"}, structure)
    assert reading({"_id": "7", "size": 3, "open": None, "made": None, "other": 1}) == Tree("7", 3, extra={"other": 1})
    fresh = reading({"_id": "7"})
    assert fresh.leaves == []
    assert fresh.leaves is not reading({"_id": "7"}).leaves


def test_the_record_is_as_frozen_as_any_other() -> None:
    reading = record_reader(Tree, {"id": "_id"}, in_general_nothing)
    tree = reading({"_id": "7"})
    assert type(tree) is Tree
    assert hash(attrs.evolve(tree, extra=None, leaves=None)) == hash(Tree("7", extra=None, leaves=None))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        tree.size = 3
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del tree.size


def in_general_nothing(value: Any, kind: Any) -> Any:
    raise AssertionError


@attrs.frozen
class Trimmed:
    name: str = attrs.field(converter=str.strip)
    extra: Mapping[str, Any] = {}


@attrs.frozen
class Checked:
    name: str
    extra: Mapping[str, Any] = {}

    def __attrs_post_init__(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("cls", [Trimmed, Checked])
def test_a_class_whose_init_does_more_is_refused(cls: type[Any]) -> None:
    with pytest.raises(TypeError, match=f"{cls.__name__} cannot be read from replies"):
        record_reader(cls, {}, in_general_nothing)
