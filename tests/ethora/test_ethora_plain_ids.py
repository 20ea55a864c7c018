"""Checking many ids at once gives the same errors as checking them one by one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ethora_async import EthoraClient
from ethora_async.platforms.ethora.platform_records import OwnUsers
from ethora_async.records import User

APP = "646cc8dc96d4a4dc8f7b2f2d"
CLIENT = EthoraClient(app_id=APP, secret="only-for-this-test-0123456789ab", api_url="http://127.0.0.1:1")
IDS = st.text(max_size=5) | st.sampled_from(
    ["ann", "Ann", "a.b", f"{APP}_ann", f"{APP.upper()}_ann", "a@b", "ﬁ", "a\nb"]
)


@example(["ann", "Ann"])
@given(st.lists(IDS, max_size=4))
def test_keys_told_together_are_those_told_singly_of_ids_that_stay_as_they_are(ids: list[str]) -> None:
    keys = CLIENT.users.plain_keys(ids)
    if keys is not None:
        assert list(keys) == [CLIENT.users.key(id) for id in ids]
        assert [CLIENT.users.plain_id(id) for id in ids] == ids
        assert [CLIENT.users.own_id(id) for id in ids] == ids


def test_usual_ids_are_told_together() -> None:
    assert CLIENT.users.plain_keys(["user-1", "Ann", "b_2.c"]) == ["user-1", "ann", "b_2.c"]


@given(st.sampled_from(["ann", "owner-1", "widget-", "bot", "BOT"]) | st.text(max_size=4))
def test_an_id_alone_tells_the_platforms_own_accounts_as_a_record_does(id: str) -> None:
    own = OwnUsers(frozenset({"bot"}))
    assert own.has_id(id) == own(User(id=id))
