"""Settings of an ImbaChat client: their names and their checks.

See docs/platforms/imbachat.md#settings-and-directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ethora_async.config import normal_api_url
from ethora_async.errors import ConfigError
from ethora_async.platforms.imbachat.numbers import is_decimal
from ethora_async.tokens.hs256 import HS256Key
from ethora_async.tokens.rotating import warn

if TYPE_CHECKING:
    from ethora_async.tokens.settings import Values

WIDGET_ID = "IMBACHAT_WIDGET_ID"
SECRET_KEY = "IMBACHAT_SECRET_KEY"  # noqa: S105  the name of the setting
API_LOGIN = "IMBACHAT_API_LOGIN"
API_PASSWORD = "IMBACHAT_API_PASSWORD"  # noqa: S105  the name of the setting
API_URL = "IMBACHAT_API_URL"
DEFAULT_API_URL = "https://api.imbachat.com"

ARGUMENTS = {
    WIDGET_ID: "widget_id",
    SECRET_KEY: "secret",
    API_LOGIN: "api_login",
    API_PASSWORD: "api_password",
    API_URL: "api_url",
}
ROTATING = (SECRET_KEY, API_LOGIN, API_PASSWORD)

_SHORT = 32
"""In bytes: an HMAC-SHA256 key should be as long as its output (RFC 7518 §3.2)."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class ShortKeyWarning(UserWarning):
    """The widget's Secret key is so short that it can be guessed from a token."""


@attrs.frozen(eq=False)
class SigningKey:
    """The widget's Secret key, ready to sign. `key` identifies it."""

    signing: HS256Key = attrs.field(repr=False)
    key: str


def signing_key(values: Values) -> SigningKey:
    """Return the signing key: the characters of the Secret key themselves, not decoded."""
    return SigningKey(HS256Key(values[SECRET_KEY]), values.key)


def warn_of_short(values: Values) -> None:
    """Warn about a Secret key below 32 bytes."""
    if len(values[SECRET_KEY].encode()) < _SHORT:
        warn(
            f"the widget's Secret key ({SECRET_KEY}) is shorter than {_SHORT} bytes and can be guessed: change it",
            ShortKeyWarning,
        )


def widget_id(values: Values) -> int | None:
    """Return the widget's id: a decimal number; None if it is not set.

    Raises:
        ConfigError: it is not a decimal number.
    """
    text = (values.get(WIDGET_ID) or "").strip()
    if not text:
        return None
    if not is_decimal(text):
        msg = f"widget_id ({WIDGET_ID}) must be a decimal number, as in the widget's settings"
        raise ConfigError(msg)
    return int(text)


def script_url(values: Values) -> str | None:
    """Return the URL of the widget's script (docs/platforms/imbachat.md#widget); None without a widget id.

    Raises:
        ConfigError: the widget's id or the API's URL cannot be used.
    """
    number = widget_id(values)
    if number is None:
        return None
    try:
        origin = normal_api_url(values.get(API_URL) or DEFAULT_API_URL)
    except ConfigError as error:
        reason = error.message.partition(") ")[2].partition(";")[0]
        msg = f"api_url ({API_URL}) {reason}; an example is {DEFAULT_API_URL}"
        raise ConfigError(msg) from None
    parts = urlsplit(origin)
    if parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
        msg = f"api_url ({API_URL}) must start with https://: whoever can change the script can read the chat"
        raise ConfigError(msg)
    return f"{origin}/imbachat/v1/{number}/widget"


def check_login(values: Values) -> None:
    """Check that both parts of the API login are set, and can be compared with the chat server's.

    Raises:
        ConfigError: one is missing, or the login contains a colon, which Basic authentication cannot carry.
    """
    for name in (API_LOGIN, API_PASSWORD):
        if not (values.get(name) or "").strip():
            msg = (
                f"{name} is not set or empty: without it everybody could ask for your users; set it in the "
                f"environment, or pass {ARGUMENTS[name]}= instead"
            )
            raise ConfigError(msg)
    if ":" in (values.get(API_LOGIN) or ""):
        msg = f"api_login ({API_LOGIN}) must not hold a colon: Basic authentication cannot carry it"
        raise ConfigError(msg)
