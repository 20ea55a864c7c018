"""Settings of a client, as small classes that reject unusable values."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret, wrapped
from ethora_async.request import REPLY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

Seconds = float | int | timedelta
"""A duration: a `timedelta`, or a number of seconds."""


def seconds(value: Seconds, name: str) -> float:
    """Convert a duration to seconds, greater than 0.

    Raises:
        ConfigError: it is not a duration, not finite, or not greater than 0; `name` is the setting's name in the
            message.
    """
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif type(value) in (int, float):
        try:
            number = float(value)
        except OverflowError:  # a whole number of more than 300 digits
            number = float("inf")
    else:
        msg = f"{name} must be a timedelta or a number of seconds, not {type(value).__name__}"
        raise ConfigError(msg)
    if not 0 < number < float("inf"):
        msg = f"{name} must be greater than 0 seconds, not {number:g}"
        raise ConfigError(msg)
    return number


@attrs.frozen
class Limits:
    """Limits on what a client sends and reads.

    Attributes:
        concurrency: maximum number of requests in flight, and the size of the connection pool (default 100). Bulk runs
            leave an eighth of it free for other calls.
        rate: maximum number of requests started per second; None (the default) for no limit.
        adaptive: whether the client starts with few concurrent requests, sends more while latency stays stable, and
            fewer after a 429 or a 503 or when replies slow down (default True). Bulk runs then also follow the request
            rate that the platform has been found to accept.
        reply_bytes: maximum size of a reply in bytes, after decompression (default 64 MiB); a larger one raises
            `ReplyTooLargeError`. Of an error reply, 64 KiB are kept.
    """

    concurrency: int = attrs.field(default=100)
    rate: float | None = None
    adaptive: bool = True
    reply_bytes: int = REPLY_LIMIT

    def __attrs_post_init__(self) -> None:
        if self.concurrency < 1:
            msg = f"Limits.concurrency must be at least 1, not {self.concurrency}"
            raise ConfigError(msg)
        if self.rate is not None and self.rate <= 0:
            msg = f"Limits.rate must be greater than 0 requests per second, not {self.rate:g}"
            raise ConfigError(msg)
        if self.reply_bytes < 1:
            msg = f"Limits.reply_bytes must be at least 1, not {self.reply_bytes}"
            raise ConfigError(msg)


@attrs.frozen
class RetryPolicy:
    """The number of attempts and the pauses between them.

    The wait before attempt n+1 is the one that the platform asked for, else a random part of ``base · 2ⁿ⁻¹``, at most
    `cap`.

    Attributes:
        attempts: maximum number of attempts of one request (default 5; 1 disables retries).
        base: in seconds (default 0.25).
        cap: in seconds (default 8).
    """

    attempts: int = 5
    base: float = 0.25
    cap: float = 8.0

    def __attrs_post_init__(self) -> None:
        if self.attempts < 1:
            msg = f"RetryPolicy.attempts must be at least 1, not {self.attempts}"
            raise ConfigError(msg)
        if self.base < 0 or self.cap < 0:
            msg = "RetryPolicy.base and RetryPolicy.cap must not be negative"
            raise ConfigError(msg)


def setting(name: str, argument: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the value of the environment variable `name`, trimmed.

    Raises:
        ConfigError: it is not set or empty; the message names the variable and the `argument` that replaces it.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    if not value:
        msg = f"{name} is not set or empty: set it in the environment, or pass {argument}= instead"
        raise ConfigError(msg)
    return value


def normal_api_url(url: str | Secret) -> str:
    """Return the origin of a platform's API, without a trailing slash, ``/v1`` or ``/v2``.

    See docs/platforms/ethora.md#hosts-and-paths.

    Raises:
        ConfigError: it is not an http(s) URL, or contains credentials, a query or a fragment.
    """
    url = wrapped(url)
    parts = urlsplit(normal_url(url, "api_url (ETHORA_CHAT_API_URL)", "https://api.chat.ethora.com"))
    path = parts.path
    for version in ("/v1", "/v2"):
        path = path.removesuffix(version)
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


def normal_url(url: str | Secret, name: str, example: str) -> str:
    """Return an http(s) URL without its trailing slash. `name` and `example` are used in error messages.

    Raises:
        ConfigError: it is not an http(s) URL, or contains credentials, a query or a fragment.
    """
    # The URL may contain a password: neither the message nor a frame of the error shows it.
    url = masked = wrapped(url)
    normal, problem = _normalized(masked)
    if problem:
        msg = f"{name} {problem}; an example is {example}"
        raise ConfigError(msg)
    return normal


def _normalized(secret: Secret) -> tuple[str, str]:
    """Return the normal form of an http(s) URL, or an empty text and what is wrong with it."""
    url = secret.reveal()
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "", "is not a URL"
    path = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https"):
        # A text that does not begin with https:// may be split anywhere, and its beginning may be a password.
        scheme = parts.scheme if url.strip().lower().startswith(f"{parts.scheme}://") else ""
        return "", f"must start with https:// or http://, not {scheme or 'nothing'}"
    if "@" in parts.netloc:
        return "", "must not hold a user name or password"
    if not host:
        return "", "names no host"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "", "must not hold a query or a fragment"
    if any(character.isspace() for character in path + parts.netloc):
        return "", "must not hold spaces"
    return f"{parts.scheme}://{parts.netloc}{path}", ""
