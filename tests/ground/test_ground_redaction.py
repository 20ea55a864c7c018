"""Masking, for any text."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from html import escape
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ethora_async.redaction import MASK, Secret, request_id, scrub, sealed, sensitive_values

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=4).filter(
    lambda v: MASK not in v and v not in MASK
)


@given(before=TEXT, value=VALUE, after=TEXT, spell=st.sampled_from([str, escape, quote, lambda v: json.dumps(v)[1:-1]]))
def test_a_known_value_is_never_in_the_text(before: str, value: str, after: str, spell: Any) -> None:
    told = spell(value)
    assume(told not in before + after + MASK)
    shown = scrub(f"{before} {told} {after}", [value])
    assert told not in shown
    assert value not in shown


@given(TEXT, st.lists(VALUE, max_size=3))
def test_scrubbed_text_is_one_short_printable_line(text: str, known: list[str]) -> None:
    shown = scrub(text, known)
    assert len(shown) <= 301
    assert shown.isprintable()
    assert "  " not in shown


@pytest.mark.parametrize(
    "text",
    [
        "bad eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjp7fX0.canary-signature",
        "cut eyJhbGciOiJIUzI1NiJ9.canary",
        "Authorization: Bearer canary-0123456789",
        "basic Y2FuYXJ5OmNhbmFyeQ==",
        'in {"password":"canary!","x":1}',
        "password=canary&x=1",
        "token: canary",
        "API_KEY = 'canary'",
        "app secret: canary",
        "Authorization: Bearer canary",
        "Basic canarycanary",
        '{"password": "correct horse canary"}',
        '"tokens": ["canary", 1]',
        "secret: 'can\\'t canary'",
        "Set-Cookie: sid=canary; path=/",
        "tokeneyJhbGciOiJIUzI1NiJ9.canary",
        "x-api-key: canary",
    ],
)
def test_what_looks_like_a_secret_is_masked_unasked(text: str) -> None:
    shown = scrub(text)
    assert MASK in shown
    assert "canary" not in shown
    assert "Y2Fu" not in shown


def test_ordinary_sentences_stay_as_they_are() -> None:
    for text in ('"lastName" is not allowed to be empty', "User not found: u-17", "Invalid token type", "no password"):
        assert scrub(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "password: must be at least 6 characters",
        "Password: Passwords do not match.",
        "Basic authentication is required",
        "Bearer authentication failed",
        "JWT malformed",
        "token: expired",
        "Invalid token: user not found",
        "secret: is required",
        "api_key: missing",
        '{"errors":{"password":"must be at least 6 characters"}}',
    ],
)
def test_sentences_about_secrets_stay_readable(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("token: abc123 is old", f"token: {MASK} is old"), ("a=1&token=x1y2z3&b=2", f"a=1&token={MASK}&b=2")],
)
def test_only_the_value_is_masked(text: str, shown: str) -> None:
    assert scrub(text) == shown


@pytest.mark.parametrize("cut", range(4085, 4105))
def test_no_part_of_a_secret_survives_where_a_long_text_is_cut(cut: int) -> None:
    for value in ("eyJhbGciOiJIUzI1NiJ9.canarycanary", "token=canarycanary", '"password":"canary canary"'):
        assert "cana" not in scrub(" " * cut + value)
        assert "cana" not in scrub(" " * cut + value, ["canary canary", "canarycanary"])


def test_a_long_text_without_spaces_still_says_something() -> None:
    assert scrub('{"error":"no",' + '"x":1,' * 2000).startswith('{"error":"no"')


def test_the_longer_secret_is_masked_whole() -> None:
    assert scrub("x abcdefgh y", ["abcd", "abcdefgh"]) == f"x {MASK} y"


@given(st.text())
def test_a_secret_shows_itself_only_when_asked(text: str) -> None:
    secret = Secret(text)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>5}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert shown.strip("[]") == MASK
    assert secret.reveal() == text
    assert (secret == Secret(text), secret == Secret(text + "x"), secret == text) == (True, False, False)
    assert hash(secret) == hash(Secret(text))
    assert bool(secret) is bool(text)


def test_a_secret_is_copied_but_never_pickled() -> None:
    @attrs.frozen
    class Holder:
        it: Secret

    holder = Holder(Secret("canary-in-holder"))
    assert copy.deepcopy(holder) == copy.copy(holder) == holder
    assert "canary" not in repr(attrs.asdict(holder))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(holder.it, protocol)


def test_a_secret_that_utf8_cannot_hold_compares_without_showing_itself() -> None:
    assert Secret("canary\udcff") == Secret("canary\udcff")
    assert Secret("canary\udcff") != Secret("canary")


def test_a_secret_in_a_log_line_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("%s and %r", Secret("canary"), {"a": Secret("canary")})
    assert "canary" not in caplog.text


def test_sensitive_values_are_found_at_any_depth() -> None:
    data = {"a": [{"Password": "one"}, {"refreshToken": ["two"]}], "apiKey": "three", "name": "x", "secret": 5}
    assert sorted(sensitive_values(data)) == ["one", "three", "two"]
    shown = repr(sealed(data))
    assert not any(value in shown for value in ("one'", "two", "three"))
    assert "'x'" in shown


@pytest.mark.parametrize("good", ["r-1", "9f.8e:7", "A" * 128])
def test_a_request_id_is_passed_on(good: str) -> None:
    assert request_id(good) == good


@pytest.mark.parametrize("bad", [None, 7, "", "a b", "A" * 129, "<x>", "eyJhbGciOiJI.eyJkYXRhIjp7", "a\n"])
def test_what_is_no_request_id_is_not(bad: object) -> None:
    assert request_id(bad) is None


def test_no_depth_of_nesting_runs_out_of_stack() -> None:
    data: Any = "x"
    for _ in range(5_000):
        data = {"password": [data]}
    assert "'x'" not in repr(sealed({"deep": data, "kept": 1}))
    assert list(sensitive_values(data)) == ["x"]
