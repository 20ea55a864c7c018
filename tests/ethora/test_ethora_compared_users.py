"""What a comparison needs of a listed user is the same, whether a record is made of it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async.codec import dumps, loads
from ethora_async.errors import ReplyLostError
from ethora_async.platforms.ethora import wire
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.platform_records import OwnUsers
from ethora_async.platforms.ethora.users import compared
from ethora_async.platforms.ethora.users.compared import read_compared, read_listing
from ethora_async.request import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from ethora_async.records import User

APP = "646cc8dc96d4a4dc8f7b2f2d"
NAMES = Names(APP)
ORIGIN = Origin("users.list", 200, "request-1")
OWN = OwnUsers(frozenset({"bot", "646cc8dc96d4a4dc8f7b2f2e"}))
USUAL: dict[str, Any] = {
    "_id": "646cc8dc96d4a4dc8f7b2fff", "uuid": "Ann", "xmppUsername": f"{APP}_Ann", "email": "Ann@example.com",
    "firstName": "Ann", "lastName": "Lee", "profileImage": "", "tags": [], "createdAt": "2026-10-01T12:00:00.000Z",
    "xmppPassword": "secret", "defaultWallet": {"walletAddress": ""},
}  # fmt: skip
TEXTS: st.SearchStrategy[Any] = st.sampled_from([None, "", " Text ", "Ärger", 7, True, 1.5, [], {}])
IDS = st.sampled_from(["Ann", "ann", "owner-1", "bot", "Zoë", "a b", f"{APP}_Ann", f"{APP}_", "a" * 300, "", "a/b"])
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "_id": TEXTS | st.sampled_from(["646CC8DC96D4A4DC8F7B2F2E", "bot"]),
    "uuid": TEXTS | IDS,
    "xmppUsername": TEXTS | IDS.map(lambda id: f"{APP}_{id}") | st.sampled_from(["Ann", f"{APP}_{APP}_Ann"]),
    "email": TEXTS,
    "firstName": TEXTS,
    "lastName": TEXTS,
    "profileImage": TEXTS,
    "tags": TEXTS | st.sampled_from([["a"], ["a", 1], [None], "tag"]),
    "createdAt": TEXTS | st.sampled_from(["2026-10-01", "yesterday", 1759320000000]),
    "updatedAt": TEXTS | st.sampled_from(["2026-10-01T12:00:00", "never"]),
    "isBot": st.sampled_from([True, False, "true"]),
    "type": st.sampled_from(["bot", "user", None]),
    "id": TEXTS | IDS,
}
ROWS = st.tuples(st.fixed_dictionaries({}, optional=CHANGES), st.sets(st.sampled_from([*USUAL]), max_size=2)).map(
    lambda drawn: {name: value for name, value in {**USUAL, **drawn[0]}.items() if name not in drawn[1]}
)
MATCHING = IDS.map(lambda id: {**USUAL, "uuid": id, "xmppUsername": f"{APP}_{id}"})


def _read(rows: list[Any], reserved: Callable[[User], bool], decode: Callable[[bytes], Any] = loads) -> Any:
    try:
        return read_compared(decode(dumps({"items": rows, "total": 9})), NAMES, reserved, origin=ORIGIN)
    except ReplyLostError as error:
        return error.message, error.operation, error.request_id


@example([{**USUAL, "tags": ""}])
@given(st.lists(ROWS | MATCHING | st.sampled_from([None, [], "row", 1]), max_size=3))
def test_users_are_compared_as_their_records_would_be(rows: list[Any]) -> None:
    # Any other predicate needs the records.
    by_records = _read(rows, lambda user: OWN(user))
    assert _read(rows, OWN) == by_records
    assert _read(rows, OWN, read_listing) == by_records
    assert _read(rows, lambda user: OWN(user), read_listing) == by_records


def test_no_record_is_made_of_a_usual_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that most users need no record: the property above would also hold if all did."""
    monkeypatch.setattr(wire, "read_user", None)
    users, total = read_compared({"items": [USUAL], "total": 1}, NAMES, OWN, origin=ORIGIN)
    assert (users.ids, users.keys, users.own, total) == (["Ann"], ["ann"], [False], 1)
    assert users.states == [{"email": "ann@example.com", "first_name": "Ann", "last_name": "Lee", "profile_image": ""}]


def test_what_a_record_holds_beside_the_compared_fields_is_not_kept() -> None:
    assert "secret" not in repr(compared.read_compared([USUAL], NAMES, OWN, origin=ORIGIN))
