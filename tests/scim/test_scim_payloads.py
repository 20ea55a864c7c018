"""Reading any payload of an identity provider."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ethora_async.web.scim.members import MemberChange, split
from ethora_async.web.scim.payloads import plain_filter, read

TEXT = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())
NAMES = st.sampled_from(["op", "path", "value", "members", "active", "emails", "x"])
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(TEXT, min_size=1, max_size=4, unique=True), st.sampled_from(["or", "OR", "Or"]))
def test_ids_in_a_path_are_taken_literally(ids: list[str], word: str) -> None:
    terms = f" {word} ".join(f"value eq {json.dumps(id)}" for id in ids)
    found = split({"Operations": [{"op": "remove", "path": f"members[{terms}]"}]})
    assert found == ([MemberChange("remove", dict.fromkeys(ids))], [])


@given(JSON)
def test_nothing_that_is_json_is_an_accident(value: Any) -> None:
    put_right = read(json.dumps({"Operations": [value], **(value if isinstance(value, dict) else {})}).encode())
    split(put_right)
    read(json.dumps(put_right).encode())


@given(JSON)
def test_what_is_right_already_stays(value: Any) -> None:
    once = read(json.dumps({"Operations": [value]}).encode())
    assert read(json.dumps(once).encode()) == once


@given(TEXT, st.sampled_from(["userName", "emails.value", "externalId"]))
def test_a_filter_by_the_standard_stays_as_it_is(text: str, name: str) -> None:
    quoted = json.dumps(text.replace("primary", ""))
    for expression in (f"{name} eq {quoted}", f"emails[type eq {quoted}]", f"not ({name} co {quoted})"):
        assert plain_filter(expression) == expression


@given(TEXT)
def test_what_stands_behind_brackets_goes_into_them(text: str) -> None:
    quoted = json.dumps(text.replace("primary", ""))
    expression = f'emails[type eq "work"].value eq {quoted} and active eq true'
    assert plain_filter(expression) == f'emails[(type eq "work") and value eq {quoted}] and active eq true'


@given(st.text(max_size=60))
def test_no_filter_is_an_accident(text: str) -> None:
    plain_filter(text)
