"""The transport's URLs, put together from the known origin, are those that parsing the whole text gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ethora_async.engine.urls import fill, with_query
from ethora_async.transport.aiohttp import AiohttpTransport

ORIGINS = ["http://127.0.0.1:4711", "https://api.example.com", "https://api.example.com:443", "http://[::1]:80"]


def parts(url: URL) -> tuple[object, ...]:
    return url.raw_path_qs, url.scheme, url.raw_host, url.port, url.host_port_subcomponent, url.raw_fragment, str(url)


@given(
    st.sampled_from(ORIGINS),
    st.text(min_size=1).filter(lambda text: text not in (".", "..") and text.isprintable()),
    st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=5) | st.integers(), max_size=3),
)
def test_every_url_that_a_call_makes(origin: str, id: str, query: dict[str, str | int]) -> None:
    text = with_query(origin + fill("/v1/users/{id}", {"id": id}), query)
    made = AiohttpTransport()._url(text)
    assert made == URL(text, encoded=True)
    assert parts(made) == parts(URL(text, encoded=True))


@pytest.mark.parametrize("rest", ["", "/", "?next=/x", "/a?b=c?d=/e", "/a?", "/a?b#c", "/a#b/c?d", "/a%2Fb?c=%26+d"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_urls_that_callers_write_themselves(origin: str, rest: str) -> None:
    made = AiohttpTransport()._url(origin + rest)
    assert parts(made) == parts(URL(origin + rest, encoded=True))
