"""One id in all its forms."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora.names import Names, conference_host
from ethora_async.records import MongoId

APP = "app123"
names = Names(APP)
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters="@"), min_size=1).filter(
    lambda text: not text.startswith("app123_") and text == text.strip() and text not in (".", "..")
)


@given(PLAIN, st.integers(0, 3), st.sampled_from(["", "@xmpp.example", "@xmpp.example/phone"]))
def test_every_form_of_an_id_comes_down_to_the_plain_one(plain: str, prefixes: int, host: str) -> None:
    form = "app123_" * prefixes + plain + (host if prefixes else "")
    assert names.lookup(form) == plain
    assert names.lookup_name(form) == f"app123_{plain}"
    assert names.strip(names.lookup_name(form)) == plain


@given(PLAIN)
def test_prefixing_twice_is_prefixing_once(plain: str) -> None:
    once = names.lookup_name(plain)
    assert names.lookup_name(once) == once


@pytest.mark.parametrize("value", ["app1234", "app1234_u1", "app123", "APP123_u1", "xapp123_u1"])
def test_what_only_looks_like_the_prefix_is_part_of_the_id(value: str) -> None:
    assert names.lookup(value) == value
    assert names.lookup_name(value) == f"app123_{value}"


def test_numbers_and_uuids_are_ids_too() -> None:
    uuid = UUID(int=7)
    assert (names.lookup(42), names.lookup(uuid), names.lookup_name(0)) == ("42", str(uuid), "app123_0")


def test_a_record_id_stays_what_it_is_and_plain_hex_is_an_id_like_any_other() -> None:
    digits = "64b0c0ffee64b0c0ffee64b0"
    assert names.lookup(MongoId(digits)) == names.lookup_name(MongoId(digits)) == digits
    assert isinstance(names.lookup_name(MongoId(digits)), MongoId)
    assert names.lookup_name(digits) == f"app123_{digits}"


@pytest.mark.parametrize("value", ["", "  ", ".", "..", "@xmpp.example", True, None, 1.5, b"u1", ["u1"], "u\udcff"])
def test_what_can_be_no_id_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.lookup(value, "user")  # type: ignore[arg-type]
    assert caught.value.field == "user"


@pytest.mark.parametrize("value", ["zoe@gmail.com", "app1234_zoe@xmpp.example", "ffff_bob@xmpp.example", "app123@x"])
def test_an_address_that_is_no_jid_of_the_app_is_nobody(value: str) -> None:
    """Otherwise an e-mail address would name the user whose id is its local part."""
    with pytest.raises(InvalidInputError, match="not an e-mail address"):
        names.lookup(value)


def test_members_come_each_once_and_in_order() -> None:
    assert names.members(["b", "a", "b", "a"]) == ["app123_b", "app123_a"]
    assert names.members("one") == ["app123_one"]
    assert names.members(iter([1, 2])) == ["app123_1", "app123_2"]
    with pytest.raises(InvalidInputError, match="users is empty"):
        names.members([])


def test_chats_live_on_the_conference_host() -> None:
    assert conference_host("xmpp.example") == "conference.xmpp.example"


@pytest.mark.parametrize("character", list("\"&'/:<>@"))
@pytest.mark.parametrize("write", ["a{}b", "{}", "\u00e9{}"])
def test_full_width_forms_of_what_no_jid_can_hold_are_rejected_too(character: str, write: str) -> None:
    """RFC 7622 prepares a local part first, which makes U+FF20 an @, and rejects these characters after that."""
    wide = write.format(chr(ord(character) + 0xFEE0))
    with pytest.raises(InvalidInputError, match=f"holds {character} in full width"):
        names.own(wide)


def test_full_width_letters_are_ids_like_any_other() -> None:
    assert names.own("\uff21\uff4e\uff4e") == "\uff21\uff4e\uff4e"
