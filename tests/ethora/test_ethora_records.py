"""The records that callers pass in, and their names (docs/platforms/ethora.md#names-and-ids)."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_ethora import APP, RECORD, person

from ethora_async import Chat, InvalidInputError, MongoId, NewChat, NewUser, User
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.users.api import UserChange
from ethora_async.redaction import MASK
from ethora_async.request import Origin

NAMES = Names(APP)
UNFIT_IDS = ["", "  ", "a@b", "@", "a/b", "/", "a b", "a\tb", "a\nb", "a\x00b", "\x00", "a\x7fb", "a\x85b", "a\u2003b"]
UNFIT_IDS += ["\ud800", "a\udfffb", ".", ".."]


@pytest.mark.parametrize("id", [*UNFIT_IDS, None, True, 1.5, b"u1", ["u1"], MongoId(RECORD)])
def test_ids_that_cannot_be_part_of_an_address_are_refused_on_creation(id: Any) -> None:
    for make in (lambda: person("u1", id=id), lambda: NewChat(id=id, title="Chat")):
        with pytest.raises(InvalidInputError) as caught:
            make()
        assert caught.value.field == "id"
        assert caught.value.effect == "none"


@pytest.mark.parametrize(
    ("id", "kept"),
    [("u1", "u1"), (7, "7"), (-7, "-7"), (UUID(int=7), str(UUID(int=7))), ("Ünï-🙂._", "Ünï-🙂._")],
)
def test_fit_ids_are_kept_as_text(id: Any, kept: str) -> None:
    assert person("u1", id=id).id == NewChat(id=id, title="Chat").id == kept
    assert type(person("u1", id=id).id) is str


def test_an_id_that_is_an_enum_member_is_its_text() -> None:
    class Team(str, enum.Enum):  # noqa: UP042  the form whose str() is not its text
        RED = "red"

    assert person("u1", id=Team.RED).id == "red"
    assert NAMES.lookup(Team.RED) == "red"


@pytest.mark.parametrize(
    "email", ["a@b", "o'brien+tag@sub.example.co", "a.b..c@example.com", f"a@{'x' * 63}.com", "!#$%&'*+/=?^_`{|}~-@x"]
)
def test_addresses_that_a_browser_takes_are_taken(email: str) -> None:
    assert person("u1", email=f" {email.upper()} ").email == email.lower()


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "a", "@b", "a@", "a@b@c", "a b@c", "a@b..c", "a@-b", "a@b-", "a@b_c", f"a@{'x' * 64}.com", "ä@b.c",
        "a@bü.c", '"a"@b.c', "a@[1.2.3.4]", "a@b.c\x00", "\ud800@b.c", None, 5,
    ],
)  # fmt: skip
def test_addresses_that_a_browser_refuses_are_refused(email: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        person("u1", email=email)
    assert caught.value.field == "email"


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("value", ["", " \t", None, 5, "\x00", "half \ud83d"])
def test_names_must_hold_something(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        person("u1", **{field: value})
    assert caught.value.field == field


def test_texts_are_trimmed_and_an_empty_picture_clears_it() -> None:
    user = person("u1", first_name=" Zoë ", last_name="李 ", profile_image="  ")
    assert (user.first_name, user.last_name, user.profile_image) == ("Zoë", "李", "")
    assert person("u1", profile_image=" https://x/y ").profile_image == "https://x/y"
    chat = NewChat(id="c1", title=" Order ", description=" ")
    assert (chat.title, chat.description) == ("Order", "")


def test_a_password_is_never_shown() -> None:
    user = person("u1", password="hunter2hunter2")
    for shown in (repr(user), str(user), f"{user}", str(attrs.asdict(user)), str(attrs.astuple(user))):
        assert "hunter2" not in shown
        assert MASK in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(user)
    assert user.password is not None
    assert copy.deepcopy(user).password == user.password
    assert attrs.evolve(user, first_name="Bea").password == user.password
    assert user.password.reveal() == "hunter2hunter2"


def test_an_empty_password_is_none_and_others_must_be_text() -> None:
    assert person("u1", password="").password is None
    with pytest.raises(InvalidInputError, match="password must be text") as caught:
        person("u1", password=1234567)
    assert "1234567" not in str(caught.value)


def test_records_without_secrets_can_be_pickled_copied_and_hashed() -> None:
    records = [
        person("u1"),
        User(id="u1", record_id=MongoId(RECORD)),
        NewChat(id="c1", title="Chat", members=["u1", MongoId(RECORD)]),
        Chat(id="c1", name=f"{APP}_c1", members=(User(id="u1", tags=("a",), extra={"a": 1}),)),
        UserChange(id="u1"),
    ]
    for record in records:
        again = pickle.loads(pickle.dumps(record))
        assert again == record == copy.deepcopy(record)
        assert hash(again) == hash(record)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        person("u1").first_name = "Bea"  # type: ignore[misc]


def test_members_are_ids_and_one_need_not_stand_in_a_list() -> None:
    assert NewChat(id="c1", title="Chat", members="alice").members == ("alice",)
    assert NewChat(id="c1", title="Chat", members=7).members == ("7",)
    members = NewChat(id="c1", title="Chat", members=(id for id in ["a", 7, MongoId(RECORD)])).members
    assert members == ("a", "7", RECORD)
    assert isinstance(members[2], MongoId)
    with pytest.raises(InvalidInputError) as caught:
        NewChat(id="c1", title="Chat", members=["a", ""])
    assert caught.value.field == "members"


@pytest.mark.parametrize("access", ["Private", "group", "", None])
def test_access_is_one_of_two_words(access: Any) -> None:
    with pytest.raises(InvalidInputError, match="'private' or 'public'"):
        NewChat(id="c1", title="Chat", access=access)


@pytest.mark.parametrize("field", ["first_name", "last_name", "profile_image"])
def test_changes_are_texts_that_can_be_sent(field: str) -> None:
    assert getattr(UserChange(id="u1", **{field: " x "}), field) == "x"  # type: ignore[arg-type]
    assert getattr(UserChange(id="u1", **{field: " "}), field) == ""  # type: ignore[arg-type]
    for unfit in (5, "\ud800", "\x00"):
        with pytest.raises(InvalidInputError) as caught:
            UserChange(id="u1", **{field: unfit})  # type: ignore[arg-type]
        assert caught.value.field == field


@pytest.mark.parametrize("value", ["", "x" * 24, "0" * 23, "0" * 25, f" {RECORD}"])
def test_a_mongo_id_is_24_digits(value: str) -> None:
    with pytest.raises(InvalidInputError, match="24 hexadecimal digits"):
        MongoId(value)


def test_a_mongo_id_is_lower_case_and_says_what_it_is() -> None:
    assert MongoId("ABCDEF" * 4) == "abcdef" * 4
    assert repr(MongoId("0" * 24)) == f"MongoId('{'0' * 24}')"
    assert isinstance(pickle.loads(pickle.dumps(MongoId(RECORD))), MongoId)


_plain_ids = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="@/"), min_size=1
)


@given(
    _plain_ids.filter(lambda id: id not in (".", "..")), st.integers(0, 3), st.sampled_from(["", "@xmpp.x", "@x/res"])
)
def test_every_form_of_an_id_gives_one_plain_and_one_prefixed_name(id: str, prefixes: int, host: str) -> None:
    form = f"{APP}_" * prefixes + id + (host if prefixes else "")
    assert NAMES.lookup(form) == id
    assert NAMES.lookup_name(form) == f"{APP}_{id}"
    assert NAMES.lookup(NAMES.lookup_name(form)) == id


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (f"{APP}9_u1", f"{APP}9_u1"),  # the prefix ends with its underscore
        (f"{APP}u1", f"{APP}u1"),
        (f"u_{APP}_1", f"u_{APP}_1"),
        (f"{APP}_", f"{APP}_"),
        (RECORD, RECORD),
        (0, "0"),
    ],
)
def test_what_only_looks_like_a_prefix_stays(value: Any, plain: str) -> None:
    assert NAMES.lookup(value) == plain


def test_a_mongo_id_is_never_prefixed() -> None:
    assert NAMES.lookup_name(MongoId(RECORD)) == RECORD
    assert NAMES.lookup_name(RECORD) == f"{APP}_{RECORD}"


@pytest.mark.parametrize("value", ["", " ", "@host", f" @{APP}", "a\x00", "\ud800", True, None, 1.0, b"u1", ()])
def test_what_cannot_be_looked_up_is_refused_and_still_has_a_key(value: Any) -> None:
    with pytest.raises(InvalidInputError):
        NAMES.lookup(value)
    assert NAMES.shown(value).encode() is not None


def test_members_are_prefixed_each_once_and_in_order() -> None:
    assert NAMES.members(["b", "a", "b", MongoId(RECORD), 7]) == [f"{APP}_b", f"{APP}_a", RECORD, f"{APP}_7"]
    assert NAMES.members("abc") == [f"{APP}_abc"]
    assert NAMES.members({"a": 1}) == [f"{APP}_a"]


def test_a_user_needs_keyword_arguments() -> None:
    with pytest.raises(TypeError):
        NewUser("u1", "a@b.c", "Ann", "Lee")  # type: ignore[misc]


def test_usual_records_are_read_without_cattrs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        msg = "cattrs was asked"
        raise AssertionError(msg)

    monkeypatch.setattr(type(wire.codec), "_converter", refused)
    user = {"_id": RECORD, "uuid": "u1", "email": "u1@x.example", "firstName": "A", "lastName": "B", "createdAt": None}
    assert wire.read_user({**user, "createdAt": "2026-01-02T03:04:05Z"}, NAMES, origin=Origin("x")).id == "u1"
    chat = {"_id": RECORD, "name": f"{APP}_c1", "title": "C", "type": "group", "usersCnt": 3}
    assert wire.read_chat(chat, NAMES, origin=Origin("x")).id == "c1"
    (member,) = wire.read_chat({**chat, "members": [user]}, NAMES, origin=Origin("x")).members or ()
    assert (type(member), member.id) == (User, "u1")
