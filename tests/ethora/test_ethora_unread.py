"""The record in an outcome is parsed on first access, and exposes no more than a record does."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.bulk.outcome import Outcome, Unread
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.users.batch_rows import match_created
from ethora_async.records import NewUser, User

if TYPE_CHECKING:
    import pytest

NAMES = Names("646cc8dc96d4a4dc8f7b2f2d")
PASSWORD = "a-password-of-the-xmpp-server"


def created(**record: Any) -> Outcome[NewUser]:
    user = NewUser(id="u1", email="u1@example.com", first_name="Ann", last_name="Lee")
    row = {"status": "created", "xmppUsername": f"{NAMES.prefix}u1", "user": {"uuid": "u1", **record}}
    return match_created([user], {"result": {"results": [row]}}, NAMES, attempts=1)[0]


def test_a_record_is_read_once_and_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def reading(data: Any, names: Names, *, origin: Any) -> User:
        assert names is NAMES
        read.append((data, origin.operation))
        return User(id="u1")

    monkeypatch.setattr("ethora_async.platforms.ethora.wire.read_user", reading)
    outcome = created()
    assert (outcome.status, read) == ("created", [])
    assert outcome.value is outcome.value
    assert len(read) == 1


def test_a_record_of_an_unexpected_shape_is_none() -> None:
    assert created(firstName=["Ann"]).value is None


def test_an_outcome_that_was_not_looked_at_shows_no_password() -> None:
    outcome = created(xmppPassword=PASSWORD)
    unread = attrs.asdict(outcome, recurse=False)["_value"]
    assert isinstance(unread, Unread)
    assert PASSWORD not in f"{outcome!r} {unread!r} {unread}"
    assert PASSWORD not in repr(outcome.value)


def test_an_outcome_is_pickled_and_copied_with_the_record_that_it_would_show() -> None:
    outcome: Outcome[str] = Outcome("u1", "u1", "created", value=Unread(lambda _: User(id="u1", first_name="Ann")))
    for other in (pickle.loads(pickle.dumps(outcome)), copy.deepcopy(outcome)):
        assert other.value == User(id="u1", first_name="Ann")
