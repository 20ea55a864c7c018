"""The widget's snippet: no value can break out of it (docs/platforms/imbachat.md#widget)."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imbachat_parts import KEY, client

from ethora_async import ChatToken, ConfigError, ImbaChatClient, InvalidInputError
from ethora_async.codec import script_json
from ethora_async.platforms.imbachat.widget import NO_STORE
from ethora_async.redaction import Secret

HOSTILE = [
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<!--<script>",
    "-->",
    "]]>",
    "\u2028alert(1)\u2029",
    '"});alert(1);//',
    "'\\\"\\",
    "&lt;/script&gt;",
    "\x00\x1f\x7f",
    "🎉 Zoë",
]


class Page(HTMLParser):
    """The elements of a page and the text between them, as a browser parses them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parameters(html: str) -> Any:
    """Return the argument of `load`, parsed from the page."""
    page = Page(html)
    assert [tag for tag, _ in page.tags] == ["script", "script"]
    (script,) = [text for text in page.texts if text.strip()]
    found = re.fullmatch(r".*window\.ImbaChat\.load\((.*)\)\}\)\(\)", script, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1)) if found.group(1) else None


async def test_the_whole_snippet_for_a_user() -> None:
    made = client()
    token = await made.tokens.for_user(7)
    assert await made.widget_snippet(token) == (
        '<script src="https://api.imbachat.com/imbachat/v1/4711/widget" async></script>\n'
        "<script>(function start(){if(!window.ImbaChat){return setTimeout(start,50)}"
        f'window.ImbaChat.load({{"user_id":7,"token":"{token.value}"}})}})()</script>'
    )


async def test_the_whole_snippet_for_a_guest() -> None:
    assert await client(widget_id="12").widget_snippet() == (
        '<script src="https://api.imbachat.com/imbachat/v1/12/widget" async></script>\n'
        "<script>(function start(){if(!window.ImbaChat){return setTimeout(start,50)}"
        "window.ImbaChat.load()})()</script>"
    )


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_texts_come_back_as_they_were_and_break_nothing(text: str) -> None:
    made = client()
    token = await made.tokens.for_user(7)
    options = {"language": "en", "name": text, text: [text, {"deep": text}]}
    html = await made.widget_snippet(token, options=options)
    assert parameters(html) == {"user_id": 7, "token": token.value, **options}
    body = html.split("window.ImbaChat.load(")[1].removesuffix(")})()</script>")
    assert not set("<>&\u2028\u2029") & set(body)


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53), st.lists, max_leaves=5))
def test_any_json_stays_inside_its_script_and_means_the_same(value: Any) -> None:
    try:
        text = script_json(value)
    except InvalidInputError:  # half a character
        assert any("\ud800" <= one <= "\udfff" for one in repr(value)) or "\\ud" in repr(value)
        return
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)
    assert Page(f"<script>{text}</script>").tags == [("script", {})]


@pytest.mark.parametrize("nonce", ["abc", "rAnd0m+/==", "a-b_c="])
async def test_a_nonce_stands_on_both_scripts(nonce: str) -> None:
    page = Page(await client().widget_snippet(nonce=nonce))
    assert [attributes["nonce"] for _, attributes in page.tags] == [nonce, nonce]


@pytest.mark.parametrize("nonce", ["", '"><script>', "a b", "a'b", "é", "a===", "\n"])
async def test_what_is_no_nonce_is_refused(nonce: str) -> None:
    with pytest.raises(InvalidInputError, match="nonce"):
        await client().widget_snippet(nonce=nonce)


@pytest.mark.parametrize(
    "options", [{"token": "x"}, {"user_id": 5}, {"x": object()}, {"x": {1, 2}}, {"x": "\ud800"}, {"x": 2**70}]
)
async def test_options_that_are_no_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await client().widget_snippet(options=options)
    assert caught.value.field == "options"
    assert caught.value.__context__ is None


async def test_another_platforms_token_is_refused() -> None:
    token = ChatToken(secret=Secret("x"), user_id="7", expires_at=2e9, refresh_at=2e9, platform="ethora")
    with pytest.raises(InvalidInputError, match="ethora"):
        await client().widget_snippet(token)


async def test_without_a_widgets_id_there_is_no_snippet() -> None:
    made = ImbaChatClient(secret=KEY)
    assert (await made.tokens.for_user(7)).extra == {}
    with pytest.raises(ConfigError, match="IMBACHAT_WIDGET_ID"):
        await made.widget_snippet()


async def test_the_script_comes_from_where_it_is_told_to() -> None:
    html = await client(api_url="https://chat.example.com/").widget_snippet()
    assert Page(html).tags[0][1]["src"] == "https://chat.example.com/imbachat/v1/4711/widget"


async def test_templates_do_not_escape_it_again() -> None:
    html = await client().widget_snippet()
    assert html.__html__() == str(html)
    from markupsafe import escape

    assert str(escape(html)) == html
    assert NO_STORE == {"Cache-Control": "no-store"}
