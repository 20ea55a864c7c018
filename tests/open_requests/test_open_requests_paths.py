"""A path that comes from outside never leads the token to another host or route."""

from __future__ import annotations

from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethora_async.engine.request_arguments import relative_path
from ethora_async.errors import InvalidInputError

BASE = "https://chat.example.com/sub"

ESCAPES = [
    "",
    "/",
    "//",
    "//evil.example/x",
    "///evil.example/x",
    "/%2Fevil.example/x",
    "%2F%2Fevil.example/x",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5Cevil.example",
    "/%255Cevil.example",
    "https://evil.example/x",
    "HTTPS:/evil.example",
    "http%3A//evil.example",
    "javascript:alert(1)",
    "/api/../admin",
    "/..",
    "..",
    "./x",
    "/api/./x",
    "/api/%2e%2e/admin",
    "/api/%2E./admin",
    "/api/.%2e%2fadmin",
    "/api/%252e%252e/admin",
    "/api/%25252e%25252e/admin",
    "/api/..%2Fadmin",
    "/api/..%5cadmin",
    "/api/..;/admin",
    "/api/..;a=b/admin",
    "/api/%2e%2e;x/admin",
    "/api/x?y=1",
    "/api/x#y",
    "/api/a b",
    "/api/a%20b",
    "/api/a\r\nHost: evil",
    "/api/a%0d%0aHost:%20evil",
    "/api/a\tb",
    "/api/%00",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        relative_path(path)
    assert refused.value.field == "path"
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("path", [None, 7, b"/api", ["api"]])
def test_what_is_no_text_is_refused(path: object) -> None:
    with pytest.raises(InvalidInputError):
        relative_path(path)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/api/v1/things", "/api/v1/things"),
        ("api/v1/things", "/api/v1/things"),
        ("/api/v1/users.list", "/api/v1/users.list"),
        ("/api/v1/things/", "/api/v1/things/"),
        ("/v1/users:batch", "/v1/users:batch"),
        ("/v1/a%2Fb", "/v1/a%2Fb"),
        ("/v1/ü", "/v1/%C3%BC"),
        ("/v1/{app}", "/v1/%7Bapp%7D"),
        ("/v1/...", "/v1/..."),
        ("/v1/a..b", "/v1/a..b"),
        ("/v1/a@b.example", "/v1/a@b.example"),
    ],
)
def test_other_paths_are_sent_as_they_are(path: str, sent: str) -> None:
    assert relative_path(path) == sent


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(list("./\\%2eE5cCfF:;?#@ ")), max_size=24))
def test_whatever_passes_stays_on_the_origin_and_below_the_base(path: str) -> None:
    try:
        sent = relative_path(path)
    except InvalidInputError:
        return
    parts = urlsplit(BASE + sent)
    assert (parts.scheme, parts.netloc) == ("https", "chat.example.com")
    assert not parts.query
    assert not parts.fragment
    # As browsers and proxies read it: decoded, backslashes turned, dots resolved.
    reading = BASE + sent
    for _ in range(4):
        reading = unquote(reading).replace("\\", "/")
        resolved = urlsplit(urljoin(BASE + "/", quote(urlsplit(reading).path, safe="/%")))
        assert resolved.netloc == "chat.example.com"
        assert resolved.path.startswith("/sub/")
