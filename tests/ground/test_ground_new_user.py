"""`new_user` gives what `NewUser` gives, or refuses what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async import records
from ethora_async.errors import InvalidInputError
from ethora_async.records import MongoId, NewUser, email_text, new_user, new_users

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text(max_size=6) | st.text(" aé\x00\n\u200b\ud800.@", max_size=6) | st.just("Ann")
IDS = TEXTS | st.sampled_from(["user-1", "a.b", ".", "Ann", MongoId("a" * 24)])
LENGTHS = st.sampled_from([1, 2, 60, 61, 62, 63, 64, 65, 120, 250])
PARTS = st.builds(lambda letter, length: letter * length, st.sampled_from("a9-A"), LENGTHS)
LONG = st.builds(lambda local, labels: f"{local}@{'.'.join(labels)}", PARTS, st.lists(PARTS, min_size=1, max_size=5))
USUAL = st.sampled_from(["ann@example.com", "Ann@Example.com", " ann@example.com", "1@2.3", "ann@my-example.com"])
EMAILS = TEXTS | st.emails() | LONG | USUAL


def _made(make: Any, fields: tuple[Any, ...]) -> Any:
    names = ("id", "email", "first_name", "last_name", "password", "profile_image")
    try:
        return make(**dict(zip(names, fields, strict=True)))
    except InvalidInputError as error:
        return str(error), error.field


FIELDS = st.tuples(IDS, EMAILS, TEXTS, TEXTS, st.none() | TEXTS, st.none() | TEXTS)


@example(("user-1", "ann@example.com", "Ann", "Lee", None, None))
@example(("user-1", "ann@example.com", "Ann", "Lee", None, ""))
@example(("user-1", f"{'x' * 250}@example.com", "Ann", "Lee", None, None))
@example(("user-1", "ann@example.com", 7, "Lee", None, None))
@given(FIELDS)
def test_a_user_made_the_quick_way_is_the_same(fields: tuple[Any, ...]) -> None:
    quick, plain = _made(new_user, fields), _made(NewUser, fields)
    assert quick == plain
    if isinstance(plain, NewUser):
        assert repr(quick) == repr(plain)
        assert type(quick.id) is type(plain.id)
        assert hash(quick) == hash(plain)


PLAIN = {"id": "user-1", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}
RECORDS = st.builds(
    lambda changes, absent: {name: text for name, text in {**PLAIN, **changes}.items() if name not in absent},
    st.fixed_dictionaries(
        {},
        optional={
            "id": IDS,
            "email": EMAILS,
            "first_name": TEXTS | st.just(7),
            "last_name": TEXTS,
            "profile_image": st.sampled_from([None, "", "https://example.com/a.png", " ", [], 0]),
        },
    ),
    st.sets(st.sampled_from([*PLAIN]), max_size=1),
)


@example([PLAIN, {**PLAIN, "id": "user-2", "profile_image": ""}])
@example([PLAIN, {**PLAIN, "nickname": "Annie"}])
@example([])
@given(st.lists(st.just(PLAIN) | RECORDS, max_size=3))
def test_users_made_together_are_those_made_one_by_one(rows: list[dict[str, Any]]) -> None:
    def made(make: Callable[[], list[NewUser]]) -> Any:
        try:
            return [(type(user), repr(user), hash(user)) for user in make()]
        except (InvalidInputError, TypeError) as error:
            return type(error), str(error)

    assert made(lambda: new_users(rows)) == made(lambda: [new_user(**row) for row in rows])


def test_plain_users_are_made_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above would hold as well if none ever were."""
    monkeypatch.setattr(records, "new_user", None)
    first, second = records.new_users([PLAIN, {**PLAIN, "id": "user-2", "profile_image": ""}])
    assert (first, second.id, second.profile_image) == (NewUser(**PLAIN), "user-2", "")
    with pytest.raises(AttributeError):
        first.id = "changed"  # type: ignore[misc]


def test_an_address_is_nobody_elses_in_lower_case() -> None:
    """The lower case of the sign for kelvin is an ASCII letter: such addresses are refused before they are folded."""
    folded = [letter for letter in map(chr, range(0x80, 0x110000)) if letter.lower().isascii()]
    assert "\u212a" in folded
    for letter in folded:
        for address in (f"{letter}im@example.com", f"kim@{letter}im.com"):
            with pytest.raises(InvalidInputError, match="is not a valid e-mail address"):
                email_text(address)
            with pytest.raises(InvalidInputError, match="is not a valid e-mail address"):
                new_user(id="kim", email=address, first_name="Kim", last_name="Lee")
