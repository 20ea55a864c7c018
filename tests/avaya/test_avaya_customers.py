"""Customers for whom no token can be minted are refused before anything is sent.

See docs/platforms/avaya.md#generate-jwt, #lifetime-guests-and-verified-customers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from avaya_parts import INTEGRATION, Wire
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import InvalidInputError
from ethora_async.platforms.avaya.customers import Customer, whole_minutes
from ethora_async.sandbox.avaya.checks import violations

if TYPE_CHECKING:
    from ethora_async.testing.users import FakeClock

VERIFIED: dict[str, Any] = {"verified": True}

REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no id": ("", {}, "id"),
    "a blank id": ("  ", {}, "id"),
    "an id of no kind": (True, {}, "id"),
    "an id too long": ("x" * 257, {}, "id"),
    "half a character": ("a\ud800", {}, "id"),
    "a flag as text": ("c", {"verified": "false"}, "verified"),
    "a flag as a number": ("c", {"verified": 1}, "verified"),
    "a name too long": ("c", {"name": "x" * 71}, "name"),
    "a name of no kind": ("c", {"name": 5}, "name"),
    "a guest's identifiers": ("c", {"identifiers": {"emailAddresses": ["a@b.c"]}}, "identifiers"),
    "a guest's empty identifiers": ("c", {"identifiers": {}}, "identifiers"),
    "no identifiers": ("c", {**VERIFIED, "identifiers": {}}, "identifiers"),
    "eleven names": ("c", {**VERIFIED, "identifiers": {f"k{n}": "v" for n in range(11)}}, "identifiers"),
    "a list of pairs": ("c", {**VERIFIED, "identifiers": [("a", "b")]}, "identifiers"),
    "an empty name": ("c", {**VERIFIED, "identifiers": {"": "v"}}, "identifiers"),
    "a long name": ("c", {**VERIFIED, "identifiers": {"k" * 51: "v"}}, "identifiers"),
    "a name with spaces": ("c", {**VERIFIED, "identifiers": {" k": "v"}}, "identifiers"),
    "no value": ("c", {**VERIFIED, "identifiers": {"k": []}}, "identifiers"),
    "six values": ("c", {**VERIFIED, "identifiers": {"k": list("abcdef")}}, "identifiers"),
    "an empty value": ("c", {**VERIFIED, "identifiers": {"k": ["v", ""]}}, "identifiers"),
    "a long value": ("c", {**VERIFIED, "identifiers": {"k": "v" * 257}}, "identifiers"),
    "a value of no kind": ("c", {**VERIFIED, "identifiers": {"k": [5]}}, "identifiers['k']"),
    "values of no kind": ("c", {**VERIFIED, "identifiers": {"k": 5}}, "identifiers"),
    "bytes": ("c", {**VERIFIED, "identifiers": {"k": b"v"}}, "identifiers"),
    "a nested mapping": ("c", {**VERIFIED, "identifiers": {"k": {"v": "w"}}}, "identifiers"),
    "None": ("c", {**VERIFIED, "identifiers": {"k": None}}, "identifiers"),
    "fourteen minutes": ("c", {"ttl": 14 * 60}, "ttl"),
    "sixty-one minutes": ("c", {"ttl": 61 * 60}, "ttl"),
    "half minutes": ("c", {"ttl": timedelta(minutes=20, seconds=30)}, "ttl"),
    "minutes taken for seconds": ("c", {"ttl": 30}, "ttl"),
    "text": ("c", {"ttl": "30"}, "ttl"),
    "no time": ("c", {"ttl": 0}, "ttl"),
    "for ever": ("c", {"ttl": float("inf")}, "ttl"),
    "not a number": ("c", {"ttl": float("nan")}, "ttl"),
    "a flag for a time": ("c", {"ttl": True}, "ttl"),
}


@pytest.mark.parametrize(("id", "options", "field"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_does_not_fit_is_refused_and_nothing_is_sent(
    clock: FakeClock, id: Any, options: dict[str, Any], field: str
) -> None:
    wire = Wire(clock)
    with pytest.raises(InvalidInputError) as caught:
        await wire.client.tokens.for_user(id, **options)
    assert caught.value.field == field
    assert wire.transport.requests == []


@pytest.mark.parametrize(
    ("id", "options"),
    [
        ("x" * 256, {}),
        (7, {}),
        (UUID(int=1), {}),
        ("c", {"name": "é" * 70}),
        ("c", {**VERIFIED, "identifiers": {f"{n}" + "k" * 49: ["v" * 256] * 5 for n in range(10)}}),
        ("c", {**VERIFIED, "identifiers": {"userId": "u1", "phoneNumbers": ("+49 30 1234",)}}),
        ("c", {"ttl": 15 * 60}),
        ("c", {"ttl": timedelta(hours=1)}),
        ("c", {"ttl": 1200.0}),
    ],
)
async def test_what_just_fits_is_taken(clock: FakeClock, id: Any, options: dict[str, Any]) -> None:
    wire = Wire(clock)
    await wire.client.tokens.for_user(id, **options)
    assert len(wire.jwt_requests) == 1


async def test_personal_data_that_does_not_fit_is_not_repeated(clock: FakeClock) -> None:
    long = "ann@example.com" * 30
    with pytest.raises(InvalidInputError) as caught:
        await Wire(clock).client.tokens.for_user("c", verified=True, identifiers={"emailAddresses": ["x", long]})
    assert "value 2 of identifiers['emailAddresses']" in str(caught.value)
    assert "ann@" not in str(caught.value)


@pytest.mark.parametrize("minutes", range(15, 61))
def test_every_whole_minute_from_15_to_60_is_an_int(minutes: int) -> None:
    for ttl in (minutes * 60, minutes * 60.0, timedelta(minutes=minutes)):
        assert whole_minutes(ttl) == minutes
        assert type(whole_minutes(ttl)) is int


texts = st.text(max_size=4) | st.integers(250, 260).map("x".__mul__)
names = st.text(max_size=3) | st.integers(48, 53).map("k".__mul__)


@given(
    id=texts,
    verified=st.booleans(),
    name=st.none() | st.text(max_size=5) | st.integers(68, 73).map("n".__mul__),
    identifiers=st.none() | st.dictionaries(names, st.lists(texts, max_size=7) | texts, max_size=12),
    minutes=st.integers(10, 65),
)
def test_whatever_we_let_through_keeps_avayas_limits(
    id: str, verified: bool, name: str | None, identifiers: Any, minutes: int
) -> None:
    try:
        customer = Customer.of(id, verified=verified, name=name, identifiers=identifiers)
        body = customer.body(INTEGRATION, whole_minutes(minutes * 60))
    except InvalidInputError:
        return
    assert violations(body) == ()
    assert verified or "customerIdentifiers" not in body
