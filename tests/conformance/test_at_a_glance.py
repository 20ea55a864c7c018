"""The table of calls in the docs is complete, true to the operations, and every call in it exists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from at_a_glance import FURTHER, PAGE, SECTION, http_calls, section
from node_sdk import METHODS

from ethora_async import EthoraClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLED = {*(row.ours for row in METHODS.values()), *FURTHER.values()}

STEPS: dict[str, Callable[[Any], Any]] = {
    "in_app": lambda call: call("child"),
    "as_user": lambda call: call(api_key="an-api-key-of-somebody"),
    "tokens": lambda call: call("child"),
    "bot": lambda call: call("child"),
}
"""How to get past the calls within a call."""


def test_the_docs_show_it() -> None:
    found = SECTION.search(PAGE.read_text("utf-8"))
    assert found is not None
    assert found.group() == section()  # if not: python tests/conformance/at_a_glance.py


def test_every_http_call_of_ours_is_in_it_and_no_other() -> None:
    of_node = {row.http for row in METHODS.values() if row.http}
    assert of_node.isdisjoint(FURTHER)
    assert of_node | set(FURTHER) == http_calls()


def test_the_http_call_is_what_the_plain_case_sends() -> None:
    for name, row in METHODS.items():
        case = next(iter(row.cases.values()))
        if row.http:
            method, _, template = row.http.partition(" ")
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            assert case.node.method == method, name
            assert re.fullmatch(pattern, case.node.path), name
        else:
            assert isinstance(case.node, (str, dict)), name


@pytest.mark.parametrize("ours", sorted(CALLED))
def test_every_call_exists(ours: str) -> None:
    client = EthoraClient(app_id="app", secret="long-enough-for-a-test", api_url="https://api.chat.example.com")
    for call in _calls(ours):
        here: Any = client
        *steps, last = re.findall(r"(\w+)(\([^)]*\))?", call)
        for name, arguments in steps:
            here = getattr(here, name)
            here = STEPS[name](here) if arguments else here
        assert callable(getattr(here, last[0])), call


def _calls(ours: str) -> Iterator[str]:
    yield from re.split(r"(?<=\)), ", ours.partition(" with ")[0])
