"""The sandboxes that the command line can start, each set up from the environment or with what it makes up."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.platforms.ethora.context import APP_ID
from ethora_async.sandbox import Faults

ADMIN_PASSWORD = "ETHORA_ADMIN_PASSWORD"  # noqa: S105  the name of the setting


class Platform(StrEnum):
    """The platforms that have a sandbox."""

    ethora = "ethora"
    rocketchat = "rocketchat"
    avaya = "avaya"
    imbachat = "imbachat"


class TwoFactor(StrEnum):
    """Second factors for Rocket.Chat's administrator. A code by mail is left out: nobody here could read the mail."""

    totp = "totp"
    password = "password"  # noqa: S105  a method


class Server(Protocol):
    """What every sandbox is."""

    @property
    def faults(self) -> Faults:
        """Its knobs."""
        ...

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client at it."""
        ...

    async def start(self) -> None:
        """Listen."""
        ...

    async def aclose(self) -> None:
        """Stop."""
        ...


@attrs.frozen
class Wishes:
    """What was asked for on the command line; None or False for what was not."""

    platform: Platform
    host: str
    port: int
    lenient: bool = False
    seed: Path | None = None
    server_version: str | None = None
    two_factor: TwoFactor | None = None
    users_info_url: str | None = None

    def check(self) -> None:
        """Nothing was asked for that this platform does not have.

        Raises:
            InvalidInputError: something was; the text names the option.
        """
        for option, (field, platform) in _OWN.items():
            if getattr(self, field) and platform is not self.platform:
                msg = f"{option} goes with --platform {platform.value}, not with {self.platform.value}"
                raise InvalidInputError(msg, field=field)
        if self.users_info_url is not None:
            _check_url(self.users_info_url)

    def make(self) -> Server:
        """The sandbox, not listening yet.

        Raises:
            InvalidInputError, ValueError: a value cannot be used.
        """
        self.check()
        return _MAKERS[self.platform](self)


_OWN = {
    "--lenient": ("lenient", Platform.ethora),
    "--seed": ("seed", Platform.ethora),
    "--server-version": ("server_version", Platform.rocketchat),
    "--two-factor": ("two_factor", Platform.rocketchat),
    "--users-info-url": ("users_info_url", Platform.imbachat),
}
"""Options that one platform alone has."""


def setting(name: str) -> str | None:
    """A variable of the environment; None when it is not set or empty."""
    return os.environ.get(name, "").strip() or None


def _ethora(wishes: Wishes) -> Server:
    from ethora_async.sandbox import EthoraSandbox

    return EthoraSandbox(
        app_id=setting(APP_ID),
        secret=setting(APP_SECRET),
        admin_email=setting("ETHORA_ADMIN_EMAIL"),
        admin_password=setting(ADMIN_PASSWORD),
        host=wishes.host,
        port=wishes.port,
        lenient=wishes.lenient,
    )


def _rocketchat(wishes: Wishes) -> Server:
    from ethora_async.sandbox import RocketChatSandbox

    given: dict[str, Any] = {"admin": setting("ROCKETCHAT_USER"), "version": wishes.server_version}
    return RocketChatSandbox(
        admin_password=setting("ROCKETCHAT_PASSWORD"),
        create_tokens_secret=setting("ROCKETCHAT_CREATE_TOKENS_SECRET"),
        two_factor=None if wishes.two_factor is None else wishes.two_factor.value,
        host=wishes.host,
        port=wishes.port,
        **{name: value for name, value in given.items() if value is not None},
    )


def _avaya(wishes: Wishes) -> Server:
    from ethora_async.sandbox import AvayaSandbox

    return AvayaSandbox(
        account_id=setting("AVAYA_ACCOUNT_ID"),
        app_key=setting("AVAYA_APP_KEY"),
        client_id=setting("AVAYA_CLIENT_ID"),
        client_secret=setting("AVAYA_CLIENT_SECRET"),
        integration_id=setting("AVAYA_INTEGRATION_ID"),
        host=wishes.host,
        port=wishes.port,
    )


def _imbachat(wishes: Wishes) -> Server:
    from ethora_async.sandbox import ImbaChatSandbox

    name = "IMBACHAT_WIDGET_ID"
    widget = setting(name)
    if widget is not None and not (widget.isdecimal() and widget.isascii() and int(widget)):
        msg = f"{name} must be a decimal number"
        raise InvalidInputError(msg, field="widget_id")
    return ImbaChatSandbox(
        widget_id=int(widget) if widget is not None else None,
        secret_key=setting("IMBACHAT_SECRET_KEY"),
        api_login=setting("IMBACHAT_API_LOGIN"),
        api_password=setting("IMBACHAT_API_PASSWORD"),
        users_info_url=wishes.users_info_url,
        host=wishes.host,
        port=wishes.port,
    )


_MAKERS: dict[Platform, Callable[[Wishes], Server]] = {
    Platform.ethora: _ethora,
    Platform.rocketchat: _rocketchat,
    Platform.avaya: _avaya,
    Platform.imbachat: _imbachat,
}


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        msg = "--users-info-url must start with http:// or https:// and a host, as http://127.0.0.1:8000/users?ids="
        raise InvalidInputError(msg, field="users_info_url")
