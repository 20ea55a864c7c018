"""Rows in the order of the users are read at once; the outcomes are those of reading them one by one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ethora_async.bulk.outcome import Outcome, Outcomes
from ethora_async.bulk.report import Report
from ethora_async.codec import dumps
from ethora_async.platforms.ethora.names import Names, key
from ethora_async.platforms.ethora.users import batch_rows
from ethora_async.records import NewUser

NAMES = Names("646cc8dc96d4a4dc8f7b2f2d")
IDS = ("u1", "u2", "u3", f"{NAMES.prefix}u1")
WORDS = (None, "", "created", "exists", "uuid-exists", "failed", "skipped", "Created", 7, ["created"])


def new_user(id: str) -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee")


def row(id: str, word: Any, *, whole: bool, name: Any) -> Any:
    stated: dict[str, Any] = {"xmppUsername": NAMES.prefix + id if name is None else name}
    if word is not None:
        stated["status"] = word
    if whole:
        stated["user"] = {"uuid": id, "email": f"{id}@example.com", "firstName": "Ann"}
    return stated


def shown(outcomes: Any) -> list[Any]:
    assert all(isinstance(one, Outcome) for one in outcomes)
    return [(one.item, one.key, one.status, repr(one.error), one.value, one.attempts) for one in outcomes]


ROWS = st.builds(
    row,
    st.sampled_from(IDS),
    st.sampled_from(WORDS),
    whole=st.booleans(),
    name=st.sampled_from([None, None, None, 5, "", f"{NAMES.prefix}u2@conference.example.com"]),
)


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[NewUser], list[Any]]:
    """Usually the requested rows in order; sometimes arbitrary replies."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=4))
    words = [draw(st.sampled_from(("created", "created", "exists", "", *WORDS))) for _ in ids]
    rows: list[Any] = [row(id, word, whole=draw(st.booleans()), name=None) for id, word in zip(ids, words, strict=True)]
    if draw(st.booleans()):
        rows = draw(st.permutations([*rows, *draw(st.lists(ROWS | st.just("no row"), max_size=2))]))
    return [new_user(id) for id in ids], rows


@given(replies())
def test_in_order_or_one_by_one_the_outcomes_are_the_same(reply: tuple[list[NewUser], list[Any]]) -> None:
    users, rows = reply
    found = [one for one in rows if isinstance(one, dict)]
    ids = [user.id for user in users]
    quick = batch_rows.match_created(users, {"result": {"results": rows}}, NAMES, attempts=3)
    slow = batch_rows._one_by_one(users, ids, found, NAMES, 3)
    assert shown(quick) == shown(slow)
    assert Report.of(quick).counts == Report.of(slow).counts
    job = batch_rows.read_job(dumps({"state": "completed", "result": {"results": rows}}))
    assert shown(batch_rows.match_created(users, job, NAMES, attempts=3)) == shown(slow)


@given(
    st.lists(
        st.sampled_from([*IDS, "Ann", "a.b", ".a", "a b", "a\nb", "ä", "", "x" * 202, NAMES.prefix.upper() + "x"])
        | st.text(max_size=3),
        max_size=4,
    )
)
def test_ids_looked_at_together_are_taken_as_one_by_one(ids: list[str]) -> None:
    keys = NAMES.own_keys(ids)
    if keys is not None:
        assert [NAMES.own(id) for id in ids] == ids
        assert keys == [key(id) for id in ids]


def test_plain_ids_need_no_closer_look() -> None:
    assert NAMES.own_keys(["Ann", "b-2", "c_3", "d.4"]) == ["ann", "b-2", "c_3", "d.4"]
    assert NAMES.own_keys(["ann", f"{NAMES.prefix}bea"]) is None


def test_the_usual_reply_makes_no_outcome_until_somebody_looks() -> None:
    users = [new_user(id) for id in ("u1", "u2", "u3")]
    rows = [row(user.id, "created", whole=True, name=None) for user in users]
    outcomes = batch_rows.match_created(users, {"result": {"results": rows}}, NAMES, attempts=1)
    assert isinstance(outcomes, Outcomes)
    assert [one.key for one in outcomes[1:]] == ["u2", "u3"]
    assert outcomes[-1].value is not None
    assert Report.of(outcomes).counts == {"created": 3}
