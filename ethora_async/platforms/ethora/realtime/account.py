"""The chat account of a stream, and its server."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from ethora_async.errors import ConfigError
from ethora_async.platforms.ethora.names import Names
from ethora_async.redaction import Secret

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


@attrs.frozen
class Account:
    """A user of the chat server.

    Attributes:
        service: the websocket's address, as an http(s) URL.
        host: the XMPP domain.
        username: the name to log in with.
        first_name, last_name: the user's displayed name.
        names: the names of the app's users and chats.
    """

    service: str
    host: str
    username: str
    password: Secret
    first_name: str
    last_name: str
    names: Names


def service_url(text: str) -> str:
    """Return the address of the chat's websocket as an http(s) URL.

    Raises:
        ConfigError: it is not a ws, wss, http or https URL.
    """
    parts = urlsplit(text)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        msg = f"xmpp_service must be a URL such as wss://xmpp.chat.ethora.com/ws, not {text!r}: see ETHORA_XMPP_SERVICE"
        raise ConfigError(msg)
    return parts._replace(scheme=scheme).geturl()
