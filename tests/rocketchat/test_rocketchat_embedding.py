"""URLs for iframes, and the messages that the page sends to them (docs/platforms/rocketchat.md#embedding)."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async import ChatToken, ConfigError, InvalidInputError
from ethora_async.codec import script_json
from ethora_async.platforms.rocketchat.embedding import (
    Embedding,
    go_message,
    login_message,
    logout_message,
    presence_message,
    sso_reply,
)
from ethora_async.platforms.rocketchat.names import RecordId
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async import RocketChatClient
    from ethora_async.sandbox import RocketChatSandbox

SITE = Embedding("https://chat.example.com/sub/")


def token(value: str = "the-token") -> ChatToken:
    return ChatToken(secret=Secret(value), user_id="ann", expires_at=2.0, refresh_at=1.0, platform="rocketchat")


@pytest.mark.parametrize(
    ("made", "url"),
    [
        (SITE.room_url("order-7"), "/group/order-7?layout=embedded"),
        (SITE.room_url("news", "channel"), "/channel/news?layout=embedded"),
        (SITE.room_url("#news", "channel", embedded=False), "/channel/news"),
        (SITE.room_url(RecordId("abcDEF123"), "direct"), "/direct/abcDEF123?layout=embedded"),
        (SITE.room_url("a/b ?ü&", "channel"), "/channel/a%2Fb%20%3F%C3%BC%26?layout=embedded"),
        (SITE.room_url("x", thread="m1"), "/group/x/thread/m1?layout=embedded"),
        (SITE.room_url("x", message="m 1"), "/group/x?layout=embedded&msg=m%201"),
        (SITE.room_url("x", resume=token("t&k")), "/group/x?layout=embedded&resumeToken=t%26k"),
        (SITE.home_url(), "/home?layout=embedded"),
        (SITE.home_url(embedded=False), "/home"),
    ],
)
def test_addresses_are_those_of_the_contract(made: str, url: str) -> None:
    assert made == f"https://chat.example.com/sub{url}"


@pytest.mark.parametrize("wrong", [("ann", "direct"), ("x", "room"), ("..", "group"), (" ", "group")])
def test_what_cannot_be_addressed_is_refused(wrong: tuple[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        SITE.room_url(*wrong)


def test_the_messages_are_those_of_the_contract() -> None:
    assert login_message(token()) == {"externalCommand": "login-with-token", "token": "the-token"}
    assert logout_message() == {"externalCommand": "logout"}
    assert go_message("/channel/x") == {"externalCommand": "go", "path": "/channel/x"}
    assert presence_message("away") == {"externalCommand": "set-user-status", "status": "away"}
    assert sso_reply(token()) == {"loginToken": "the-token"}
    for path in ("channel/x", "//evil.example", ""):
        with pytest.raises(InvalidInputError):
            go_message(path)
    with pytest.raises(InvalidInputError):
        presence_message("asleep")  # type: ignore[arg-type]


def test_the_script_speaks_to_the_one_origin_and_waits_for_the_start() -> None:
    script = SITE.login_script(token())
    assert 'var origin = "https://chat.example.com";' in script
    assert "event.origin !== origin || event.source !== frame.contentWindow" in script
    assert '"startup"' in script
    assert '"*"' not in script
    assert SITE.origin == "https://chat.example.com"
    assert Embedding("http://localhost:3000").origin == "http://localhost:3000"


@given(st.text())
def test_nothing_breaks_out_of_the_script(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    written = script_json(text)
    assert json.loads(written) == text
    assert not re.search("[<>&\u2028\u2029]", written)
    script = SITE.login_script(token(text), id=text)
    assert script.count("<") == 2  # the script's own tags
    assert script.endswith("</script>")


class _Frame(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_frame_holds_what_was_said_and_nothing_else() -> None:
    parser = _Frame()
    src = SITE.room_url('a"><script>', "channel", message='"><script>')
    parser.feed(SITE.iframe(src, id='"><b>', title="Ann's & Bob's"))
    ((tag, attributes),) = parser.tags
    assert tag == "iframe"
    assert (attributes["src"], attributes["id"], attributes["title"]) == (src, '"><b>', "Ann's & Bob's")


@pytest.mark.parametrize(
    "src", ["javascript:alert(1)", "https://chat.example.com.evil/", "https://chat.example.com/subway"]
)
def test_a_frame_shows_this_site_alone(src: str) -> None:
    with pytest.raises(InvalidInputError, match="address of this site"):
        SITE.iframe(src)


def test_a_site_is_an_http_address() -> None:
    with pytest.raises(ConfigError):
        Embedding("javascript:alert(1)")


async def test_a_client_knows_its_site(rocketchat: RocketChatClient, sandbox: RocketChatSandbox) -> None:
    embedding = await rocketchat.embedding()
    assert embedding.home_url() == f"{sandbox.url}/home?layout=embedded"
