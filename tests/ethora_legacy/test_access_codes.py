"""`Access` and its four-digit codes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import Access, InvalidInputError


@pytest.mark.parametrize(
    ("access", "code"),
    [
        (Access.NONE, "0000"),
        (Access.READ, "0001"),
        (Access.WRITE, "0010"),
        (Access.READ | Access.WRITE, "0011"),
        (Access.ADMIN, "0100"),
        (Access.OWNER, "1000"),
        (Access.OWNER | Access.ADMIN | Access.WRITE | Access.READ, "1111"),
    ],
)
def test_it_prints_and_parses_the_guides_codes(access: Access, code: str) -> None:
    assert (str(access), f"{access}", f"{access:>6}", access.code) == (code, code, f"  {code}", code)
    assert Access.parse(code) == Access.parse(f" {code} ") == access
    assert Access.parse(access) is access


@given(st.integers(0, 15))
def test_every_code_comes_back_as_it_went(number: int) -> None:
    access = Access(number)
    assert Access.parse(str(access)) == access
    assert pickle.loads(pickle.dumps(access)) == copy.deepcopy(access) == access


def test_rights_combine_and_can_be_asked_for() -> None:
    member = Access.READ | Access.WRITE
    assert Access.READ in member
    assert Access.ADMIN not in member
    assert member & ~Access.WRITE == Access.READ
    assert not Access.NONE
    assert repr(member) == "<Access.READ|WRITE: 3>"


@pytest.mark.parametrize("wrong", ["", "1", "011", "00011", "0021", "xxx1", "0b11", "٠٠١١", 3, 11, True, None, 3.0])
def test_anything_else_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="'0000' to '1111'") as caught:
        Access.parse(wrong, "accessCode")
    assert caught.value.field == "accessCode"


def test_there_is_no_fifth_digit() -> None:
    with pytest.raises(ValueError, match="16"):
        Access(16)
