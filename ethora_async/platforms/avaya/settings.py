"""Settings of an Avaya client: their names and their checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret, wrapped
from ethora_async.tokens.oauth2 import ClientLogin

if TYPE_CHECKING:
    from ethora_async.tokens.settings import Values

ACCOUNT_ID = "AVAYA_ACCOUNT_ID"
REGION = "AVAYA_REGION"
HOST = "AVAYA_HOST"
APP_KEY = "AVAYA_APP_KEY"
CLIENT_ID = "AVAYA_CLIENT_ID"
CLIENT_SECRET = "AVAYA_CLIENT_SECRET"  # noqa: S105  the name of the setting
INTEGRATION_ID = "AVAYA_INTEGRATION_ID"

ARGUMENTS = {
    ACCOUNT_ID: "account_id",
    REGION: "region",
    HOST: "host",
    APP_KEY: "app_key",
    CLIENT_ID: "client_id",
    CLIENT_SECRET: "secret",
    INTEGRATION_ID: "integration_id",
}
REQUIRED = (ACCOUNT_ID, APP_KEY, CLIENT_ID, CLIENT_SECRET, INTEGRATION_ID)
ROTATING = (APP_KEY, CLIENT_ID, CLIENT_SECRET)

_ACCOUNT = re.compile(r"[a-zA-Z]{6}").fullmatch
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_CODE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?").fullmatch
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+").fullmatch
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?").fullmatch
_HEADER_VALUE = re.compile(r"[!-~]+").fullmatch


def account_id(values: Values) -> str:
    """Return the account's id: six letters (docs/platforms/avaya.md#access-token).

    Raises:
        ConfigError: it is not.
    """
    text = values[ACCOUNT_ID].strip()
    if not _ACCOUNT(text):
        msg = f"account_id ({ACCOUNT_ID}) must be six letters, as Avaya gives them"
        raise ConfigError(msg)
    return text


def integration_id(values: Values) -> str:
    """Return the chat integration's id: a UUID (docs/platforms/avaya.md#generate-jwt).

    Raises:
        ConfigError: it is not.
    """
    text = values[INTEGRATION_ID].strip()
    if not _UUID(text):
        msg = f"integration_id ({INTEGRATION_ID}) must be a UUID of 36 characters"
        raise ConfigError(msg)
    return text


def origin(values: Values) -> str:
    """Return the API's origin, from the host or else from the region (docs/platforms/avaya.md#hosts-and-regions).

    Raises:
        ConfigError: neither is set, or the one that is cannot be used.
    """
    host, region = wrapped(values.get(HOST)), wrapped(values.get(REGION))
    if host is not None:
        return host_origin(host)
    if region is not None:
        return region_origin(region)
    msg = (
        f"neither {REGION} nor {HOST} is set: set one in the environment, or pass region= (such as 'eu') or host= "
        "(such as 'eu.api.avayacloud.com')"
    )
    raise ConfigError(msg)


def region_origin(region: str | Secret) -> str:
    """Return the origin of a region; any code is accepted, since not all are published.

    Raises:
        ConfigError: it is not a code.
    """
    # Neither the message nor a frame of the error shows it: it may contain a password.
    region = masked = wrapped(region)
    found = _origin_of_region(masked)
    if found is None:
        msg = f"region ({REGION}) must be a region's code such as 'eu' or 'na'; for a host pass host="
        raise ConfigError(msg)
    return found


def host_origin(host: str | Secret) -> str:
    """Return the origin of a host name, always https. A region's code is expanded to a host.

    Only this machine may be named with ``http://`` and a port, for a sandbox.

    Raises:
        ConfigError: it is not a host name, or contains anything else.
    """
    host = masked = wrapped(host)
    found = _origin_of_host(masked)
    if found is None:
        msg = (
            f"host ({HOST}) must be a bare host name such as eu.api.avayacloud.com: no http://, path, port, user name"
            " or spaces"
        )
        raise ConfigError(msg)
    return found


def _origin_of_region(region: Secret) -> str | None:
    code = region.reveal().strip().lower()
    return f"https://{code}.api.avayacloud.com" if _CODE(code) else None


def _origin_of_host(host: Secret) -> str | None:
    text = host.reveal().strip().lower().removesuffix("/")
    scheme, _, name = text.rpartition("://")
    if scheme in ("", "https", "http") and _LOOPBACK(name) and _port_fits(name):
        return f"{scheme or 'https'}://{name}"
    if scheme in ("", "https") and _HOSTNAME(name) and len(name) <= 253:
        return f"https://{name}"
    return None if scheme else _origin_of_region(host)


def _port_fits(name: str) -> bool:
    try:
        return urlsplit(f"//{name}").port != 0
    except ValueError:
        return False


def login(values: Values) -> ClientLogin:
    """Return the token endpoint's login, with the application key that goes with every request.

    Raises:
        ConfigError: the application key cannot be sent in a header.
    """
    return ClientLogin(values[CLIENT_ID], Secret(values[CLIENT_SECRET]), {"appkey": app_key(values)}, values.key)


def app_key(values: Values) -> str:
    """Return the application key.

    Raises:
        ConfigError: it cannot be sent in a header.
    """
    text = values[APP_KEY].strip()
    if not _HEADER_VALUE(text):
        msg = f"app_key ({APP_KEY}) must be visible ASCII characters: it is sent as a header"
        raise ConfigError(msg)
    return text
