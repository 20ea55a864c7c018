"""Settings that cannot work are refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ethora_async.config import RetryPolicy, normal_api_url, seconds, setting
from ethora_async.errors import ConfigError


@pytest.mark.parametrize(("value", "number"), [(5, 5.0), (0.25, 0.25), (timedelta(minutes=1), 60.0)])
def test_durations(value: Any, number: float) -> None:
    assert seconds(value, "ttl") == number


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), timedelta(0), "5", None, True])
def test_what_is_no_duration_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigError, match="ttl must be"):
        seconds(value, "ttl")


@pytest.mark.parametrize(
    "url",
    ["https://api.x", "https://api.x/", "https://api.x/v1", "https://api.x/v2/", " https://api.x//v1// "],
)
def test_an_api_url_is_brought_to_one_form(url: str) -> None:
    assert normal_api_url(url) == "https://api.x"


def test_a_port_and_a_path_are_kept() -> None:
    assert normal_api_url("http://127.0.0.1:8080/chat/v1/") == "http://127.0.0.1:8080/chat"


@pytest.mark.parametrize(
    "url",
    ["", "api.x", "ftp://api.x", "https://", "https://me:canary@api.x", "https://api.x?k=canary", "https://api.x#canary",
     "https://api.x?", "http://[", "http://x:port", "https://a b"],
)  # fmt: skip
def test_an_api_url_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^api_url \(ETHORA_CHAT_API_URL\)") as caught:
        normal_api_url(url)
    assert "canary" not in str(caught.value)


def test_a_setting_is_trimmed_and_a_missing_one_named() -> None:
    assert setting("NAME", "name", {"NAME": " x "}) == "x"
    for environ in ({}, {"NAME": "  "}):
        with pytest.raises(ConfigError, match=r"NAME is not set or empty: .* name= instead"):
            setting("NAME", "name", environ)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"base": -1}, {"cap": -0.1}])
def test_a_retry_policy_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="RetryPolicy"):
        RetryPolicy(**options)
