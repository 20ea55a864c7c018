from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.split_name import split_name


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ann Lee", "Ann", "Lee"),
        ("  Ann\t Mary \n Lee ", "Ann Mary", "Lee"),
        ("Ludwig van der Rohe", "Ludwig", "van der Rohe"),
        ("Leonardo da Vinci", "Leonardo", "da Vinci"),
        ("van Gogh", "van", "Gogh"),
        ("Dick Van Dyke", "Dick Van", "Dyke"),
        ("Dr. Ann Lee", "Dr. Ann", "Lee"),
        ("Ann Lee Jr.", "Ann", "Lee Jr."),
        ("Ann Lee, Ph.D.", "Ann", "Lee, Ph.D."),
        ("Lee, Ann Mary", "Ann Mary", "Lee"),
        ("van der Rohe, Ludwig", "Ludwig", "van der Rohe"),
        ("Lee, Ann, Jr.", "Ann", "Lee, Jr."),
        ("Lee，Ann", "Ann", "Lee"),
        ("Madonna", "Madonna", "Madonna"),
        ("Lee,", "Lee", "Lee"),
        ("王小明", "王小明", "王小明"),
        ("王　小明", "王", "小明"),
        ("Ann Mary B", "Ann", "Mary B"),
        ("Ann B", "Ann", "B"),
        ("Jr.", "Jr.", "Jr."),
        ("Ann Md", "Ann", "Md"),
        ("Łukasz Żółć-Nowak", "Łukasz", "Żółć-Nowak"),
    ],
)
def test_a_display_name_is_split(name: str, first: str, last: str) -> None:
    assert split_name(name) == (first, last)


@pytest.mark.parametrize("name", ["", " \t", ",", " , ,", None, 5])
def test_what_holds_no_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        split_name(name)
    assert caught.value.field == "display_name"


WORDS = st.sampled_from(["Ann", "van", "de", "Jr.", "III", "B", "Lee", "王", ",", "，", "PhD,", "O'Brien", "d'"])


def letters(text: str) -> Counter[str]:
    return Counter(one for one in text if not one.isspace() and one not in ",，،")


@given(st.text(max_size=30) | st.lists(WORDS, min_size=1, max_size=7).map(" ".join))
def test_no_character_is_lost_but_commas_and_neither_name_is_ever_empty(name: str) -> None:
    if not letters(name):
        return
    first, last = split_name(name)
    assert first == first.strip() != ""
    assert last == last.strip() != ""
    if letters(last) == letters(name):
        assert letters(first) <= letters(last)  # a single name, repeated
        return
    assert letters(first) + letters(last) == letters(name)


@given(st.lists(st.sampled_from(["Ann", "van", "de", "Jr.", "III", "B", "Lee"]), min_size=2, max_size=7))
def test_without_a_comma_the_two_read_as_the_one_did(words: list[str]) -> None:
    assert " ".join(split_name(" ".join(words))) == " ".join(words)
