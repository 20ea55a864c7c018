"""Matching the rows of a job to users: each user has exactly one outcome, for any rows in any order."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from scripted_ethora import APP, person

from ethora_async import ConflictError, ReplyLostError, ValidationFailedError
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.users.batch_rows import match_created

NAMES = Names(APP)


@attrs.frozen
class Case:
    """A user to create, and the row with which the platform answers; `fate` is its meaning."""

    id: str
    email: str
    fate: str
    row: dict[str, Any]


def _row(draw: st.DrawFn, status: str, name: str, email: str) -> dict[str, Any]:
    # Every form (docs/platforms/ethora.md#user-batch-jobs): the name beside the status, inside the user, or in both
    # places; prefixes doubled.
    wire_name = f"{APP}_" * draw(st.integers(1, 2)) + name
    user = {"xmppUsername": wire_name, "uuid": name, "email": email}
    forms = [
        {"status": status, "xmppUsername": wire_name, "user": user},
        {"status": status, "user": user},
        {"status": status, "xmppUsername": wire_name, "email": email.upper()},
    ]
    return draw(st.sampled_from(forms))


@st.composite
def cases(draw: st.DrawFn) -> list[Case]:
    made: list[Case] = []
    for number in range(draw(st.integers(1, 8))):
        id, email = f"u{number}", f"u{number}@example.com"
        fate = draw(st.sampled_from(["created", "exists", "uuid_exists", "taken", "refused"]))
        word = {"taken": "exists", "refused": "error"}.get(fate, fate)
        name = f"somebody-{number}" if fate == "taken" else id
        made.append(Case(id, email, fate, _row(draw, word, name, email)))
    return made


MEANING = {
    "created": ("created", type(None)),
    "exists": ("existed", type(None)),
    "uuid_exists": ("existed", type(None)),
    "taken": ("failed", ConflictError),
    "refused": ("failed", ValidationFailedError),
}


@given(st.data())
def test_permuted_doubled_and_missing_rows_give_each_user_its_own_outcome_or_unknown(data: st.DataObject) -> None:
    drawn = data.draw(cases())
    users = [person(case.id, email=case.email) for case in drawn]
    kept = data.draw(st.lists(st.sampled_from(drawn), unique_by=lambda case: case.id, max_size=len(drawn)))
    rows = [case.row for case in kept for _ in range(data.draw(st.integers(1, 2)))]
    rows = data.draw(st.permutations(rows))

    outcomes = match_created(users, {"result": {"results": rows}}, NAMES, attempts=1)

    assert [outcome.item for outcome in outcomes] == users
    assert [outcome.key for outcome in outcomes] == [case.id for case in drawn]
    mentioned = {case.id for case in kept}
    for case, outcome in zip(drawn, outcomes, strict=True):
        expected = MEANING[case.fate] if case.id in mentioned else ("unknown", ReplyLostError)
        assert (outcome.status, type(outcome.error)) == expected


@given(st.permutations(range(3)), st.booleans())
def test_an_address_that_occurs_twice_has_one_owner_whatever_the_order(order: list[int], whole: bool) -> None:
    users = [person("u1", email="e@example.com"), person("u2", email="e@example.com"), person("u3")]
    owner = {"xmppUsername": f"{APP}_u1", "email": "e@example.com"}
    rows = [
        {"status": "created", "xmppUsername": f"{APP}_u1", **({"user": owner} if whole else {})},
        {"status": "exists", "xmppUsername": f"{APP}_u1", "user": owner},
        {"status": "created", "xmppUsername": f"{APP}_u3"},
    ]
    outcomes = match_created(users, {"results": [rows[place] for place in order]}, NAMES, attempts=1)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert isinstance(outcomes[1].error, ConflictError)


@given(st.lists(st.sampled_from(["u1", "u2", "somebody"]), min_size=2, max_size=2))
def test_that_somebody_else_was_created_never_makes_a_user_created(names: list[str]) -> None:
    users = [person("u1"), person("u2", email="u1@example.com")]
    rows = [{"status": "created", "xmppUsername": f"{APP}_{name}", "email": "u1@example.com"} for name in names]
    for user, outcome in zip(users, match_created(users, {"results": rows}, NAMES, attempts=1), strict=True):
        assert outcome.status == ("created" if user.id in names else "unknown")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["result", "results", "status", "user", "xmppUsername", "uuid", "email", "error", "code"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(_json)
def test_no_reply_however_odd_loses_a_user_or_raises(data: Any) -> None:
    users = [person("u1"), person("u2")]
    outcomes = match_created(users, data, NAMES, attempts=1)
    assert [outcome.item for outcome in outcomes] == users
    assert all((outcome.error is None) == outcome.ok for outcome in outcomes)


def test_rows_whose_prefix_is_doubled_are_matched_too() -> None:
    users = [person("u1"), person("u2")]
    rows = [{"status": "created", "xmppUsername": f"{APP}_{APP}_u2"}, {"status": "exists", "xmppUsername": f"{APP}_u1"}]
    outcomes = match_created(users, {"results": rows}, NAMES, attempts=3)
    assert [(outcome.key, outcome.status, outcome.attempts) for outcome in outcomes] == [
        ("u1", "existed", 3),
        ("u2", "created", 3),
    ]


def test_a_conflict_that_names_no_address_goes_by_its_place() -> None:
    users = [person("u1"), person("u2")]
    rows = [{"status": "created", "xmppUsername": f"{APP}_u1"}, {"status": "exists", "xmppUsername": f"{APP}_somebody"}]
    first, second = match_created(users, {"results": rows}, NAMES, attempts=1)
    assert (first.status, second.status, type(second.error)) == ("created", "failed", ConflictError)
