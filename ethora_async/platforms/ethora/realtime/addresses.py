"""The addresses of the chat server: its websocket, and its domain."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret, WrongType

_HOST = re.compile(r"(?:[^\s@/?#:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?").fullmatch
_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


def service_url(address: Secret) -> str:
    """Return the address of the chat's websocket as an http(s) URL.

    Raises:
        ConfigError: it is not a ws, wss, http or https URL, or contains credentials.
    """
    url = _http_form(address)
    if url is None:
        # The address is not quoted: it may contain a password.
        msg = (
            "xmpp_service (ETHORA_XMPP_SERVICE) must be a URL such as wss://xmpp.chat.ethora.com/ws, without a user"
            " name or password"
        )
        raise ConfigError(msg)
    return url


def _http_form(address: Secret) -> str | None:
    try:
        parts = urlsplit(address.reveal())
        scheme, host, _ = _SCHEMES.get(parts.scheme), parts.hostname, parts.port
    except ValueError:
        return None
    return None if scheme is None or not host or "@" in parts.netloc else parts._replace(scheme=scheme).geturl()


def chat_host(host: Secret) -> str | None:
    """Return the chat server's domain; None for an empty text.

    Raises:
        ConfigError: it is not text, or contains more than a host name and a port.
    """
    if isinstance(host, WrongType):
        msg = f"xmpp_host must be text, not {host.kind}"
        raise ConfigError(msg)
    if not host:
        return None
    if not _HOST(host.reveal()):
        # The host is not quoted: it may contain a password.
        msg = "xmpp_host (ETHORA_XMPP_HOST) must be a bare host name such as xmpp.chat.ethora.com"
        raise ConfigError(msg)
    return host.reveal()
