"""The server for `VAULT_ADDR`, `address=` or a provider URL, and whether a token may be sent there."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_PORT: Final = 8200
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%a-z]+\]")
_FORM: Final = "Write https://vault.example.com:8200."


def checked_address(written: str, what: str) -> str:
    """Return an address without trailing slashes; raise `ValueError`, which calls it `what` and does not quote it."""
    parts, port = _split(written.strip())
    if parts is None:
        raise ValueError(f"{what} is not a URL. {_FORM}")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{what} does not begin with http:// or https://. {_FORM}")
    if "@" in parts.netloc:
        raise ValueError(f"{what} holds credentials. Take them out. {_FORM}")
    host = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc
    if not _HOST.fullmatch(host):
        raise ValueError(f"{what} has no valid host. {_FORM}")
    if parts.query or parts.fragment:
        raise ValueError(f"{what} has a ? or #. {_FORM}")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _split(written: str) -> tuple[SplitResult | None, int | None]:
    # a failure is returned as None: the error quotes the text in the port's place, which may be a password
    try:
        parts = urlsplit(written)
        return parts, parts.port
    except ValueError:
        return None, None


def address_of(authority: str, environ: Mapping[str, str]) -> str:
    """Return the address for the host in a provider URL, port 8200 unless it names another.

    The scheme is that of `VAULT_ADDR` if that has the same host and port; else http on loopback, https anywhere else: a
    token goes over a network unencrypted only when `VAULT_ADDR` says so. Raises `ValueError`.
    """
    try:
        named = urlsplit(checked_address(f"https://{authority}", ""))
    except ValueError:
        raise ValueError("host and port are not of the form host:8200.") from None
    place = (named.hostname, named.port or _PORT)
    netloc = named.netloc if named.port is not None else f"{named.netloc.removesuffix(':')}:{_PORT}"
    scheme = "http" if is_loopback(f"https://{netloc}") else "https"
    try:
        default = checked_address(environ.get("VAULT_ADDR", ""), "")
    except ValueError:
        return f"{scheme}://{netloc}"
    known = urlsplit(default)
    if place == (known.hostname, known.port or (443 if known.scheme == "https" else 80)):
        return default
    return f"{scheme}://{netloc}"


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
