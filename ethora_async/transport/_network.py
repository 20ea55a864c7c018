"""Proxy and TLS settings, checked once for every transport."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import TYPE_CHECKING

import attrs
from yarl import URL

from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret, masked_argument

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class ProxySettings:
    """An HTTP proxy: its URL without credentials, and the header that carries them."""

    url: URL
    authorization: Secret | None = None


def ssl_context(
    verify: bool | str | Path | ssl.SSLContext, cert: str | Path | tuple[str | Path, str | Path] | None
) -> ssl.SSLContext | bool:
    """Return the SSL context for these settings; True means the default one.

    Raises:
        ConfigError: a certificate file cannot be read.
    """
    if isinstance(verify, ssl.SSLContext):
        context = verify
    elif verify is False:
        # Not `create_default_context`, which would also load all system authorities.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif verify is True and cert is None:
        return True
    else:
        try:
            context = ssl.create_default_context(cafile=None if verify is True else verify)
        except (OSError, ssl.SSLError) as error:
            msg = f"verify={verify!s} is not a readable PEM file of certificate authorities ({type(error).__name__})"
            raise ConfigError(msg) from None
    if cert is not None:
        files = cert if isinstance(cert, tuple) else (cert, None)
        try:
            # With an empty password, OpenSSL does not prompt on the terminal when the key is encrypted.
            context.load_cert_chain(files[0], files[1], password="")
        except (OSError, ssl.SSLError) as error:
            msg = f"cert={files[0]!s} is not a usable PEM client certificate with its key ({type(error).__name__})"
            raise ConfigError(msg) from None
    return context


def proxy_settings(proxy: str | Secret | None) -> ProxySettings | None:
    """Split a proxy URL into its settings.

    Raises:
        ConfigError: it is not the URL of an HTTP proxy; the message quotes none of it.
    """
    proxy = masked_argument(proxy)
    if proxy is None:
        return None
    settings = _read(proxy)
    if isinstance(settings, str):
        raise ConfigError(settings)
    return settings


def _read(proxy: Secret) -> ProxySettings | str:
    """Return the settings, or what is wrong with them: nothing is raised where the password is in clear."""
    try:
        url = URL(proxy.reveal())
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        return "proxy must be a URL such as http://proxy.example.com:3128"
    if ":" in (url.user or ""):
        return "the proxy's user name must not hold a colon: Basic authentication cannot carry it"
    if not url.user:
        return ProxySettings(url)
    # UTF-8, as RFC 7617 recommends.
    credentials = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return ProxySettings(url.with_user(None), Secret(f"Basic {credentials}"))
