"""The sandboxes that `ethora sandbox` starts, configured from the environment or with generated values."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import attrs

from ethora_async.cli.functions import load_function
from ethora_async.cli.platforms import Platform, check_only_on
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora.app_secret import APP_SECRET
from ethora_async.platforms.ethora.client import BOT_JID
from ethora_async.platforms.ethora.context import APP_ID

if TYPE_CHECKING:
    from ethora_async.sandbox import Faults

ADMIN_PASSWORD = "ETHORA_ADMIN_PASSWORD"  # noqa: S105  the name of the setting


class TwoFactor(StrEnum):
    """Second factors of Rocket.Chat's administrator. E-mail codes are missing: the sandbox sends no mail."""

    totp = "totp"
    password = "password"  # noqa: S105  a method


class SandboxServer(Protocol):
    """The interface of every sandbox server."""

    @property
    def faults(self) -> Faults:
        """Its fault settings."""
        ...

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that connect a client to it."""
        ...

    @property
    def console_url(self) -> str | None:
        """The address of its page; None without one."""
        ...

    async def start(self) -> None:
        """Start listening."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


@attrs.frozen
class SandboxOptions:
    """The options of the command line; None or False for those not given."""

    platform: Platform
    host: str
    port: int
    lenient: bool = False
    seed: Path | None = None
    server_version: str | None = None
    two_factor: TwoFactor | None = None
    users_info_url: str | None = None
    tls: bool = False
    cert: Path | None = None
    key: Path | None = None
    bot: str | None = None
    ui: bool = True
    webhook_hosts: tuple[str, ...] = ()

    def check(self) -> None:
        """Check that the platform has the given options.

        Raises:
            InvalidInputError: One was given; the message names it.
        """
        for option, (field, platform) in _OWN.items():
            if getattr(self, field):
                check_only_on(option, self.platform, platform)
        if self.key is not None and self.cert is None:
            msg = "--key needs --cert: give both, or --tls alone to generate a certificate"
            raise InvalidInputError(msg, field="key")
        for host in self.webhook_hosts:
            _check_host(host)
        if self.users_info_url is not None:
            _check_url(self.users_info_url)

    def make(self) -> SandboxServer:
        """Create the sandbox, not listening yet.

        Raises:
            ConfigError, InvalidInputError, ValueError: A value cannot be used.
        """
        self.check()
        return _MAKERS[self.platform](self)


_OWN = {
    "--lenient": ("lenient", Platform.ethora),
    "--seed": ("seed", Platform.ethora),
    "--tls": ("tls", Platform.ethora),
    "--cert": ("cert", Platform.ethora),
    "--key": ("key", Platform.ethora),
    "--bot": ("bot", Platform.ethora),
    "--server-version": ("server_version", Platform.rocketchat),
    "--two-factor": ("two_factor", Platform.rocketchat),
    "--webhook-host": ("webhook_hosts", Platform.rocketchat),
    "--users-info-url": ("users_info_url", Platform.imbachat),
}
"""Options of a single platform."""


def setting(name: str) -> str | None:
    """Return an environment variable; None when it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def _ethora(options: SandboxOptions) -> SandboxServer:
    from ethora_async.sandbox import Certificate, EthoraSandbox

    tls = options.tls or options.cert is not None
    return EthoraSandbox(
        certificate=Certificate(options.cert, options.key) if tls else None,
        app_id=setting(APP_ID),
        secret=setting(APP_SECRET),
        admin_email=setting("ETHORA_ADMIN_EMAIL"),
        admin_password=setting(ADMIN_PASSWORD),
        host=options.host,
        port=options.port,
        ui=options.ui,
        lenient=options.lenient,
        bot=None if options.bot is None else load_function(options.bot, "--bot"),
        bot_jid=setting(BOT_JID),
    )


def _rocketchat(options: SandboxOptions) -> SandboxServer:
    from ethora_async.sandbox import RocketChatSandbox

    given: dict[str, Any] = {"admin": setting("ROCKETCHAT_USER"), "version": options.server_version}
    return RocketChatSandbox(
        admin_password=setting("ROCKETCHAT_PASSWORD"),
        create_tokens_secret=setting("ROCKETCHAT_CREATE_TOKENS_SECRET"),
        two_factor=None if options.two_factor is None else options.two_factor.value,
        webhook_hosts=options.webhook_hosts,
        host=options.host,
        port=options.port,
        ui=options.ui,
        **{name: value for name, value in given.items() if value is not None},
    )


def _avaya(options: SandboxOptions) -> SandboxServer:
    from ethora_async.sandbox import AvayaSandbox

    return AvayaSandbox(
        account_id=setting("AVAYA_ACCOUNT_ID"),
        app_key=setting("AVAYA_APP_KEY"),
        client_id=setting("AVAYA_CLIENT_ID"),
        client_secret=setting("AVAYA_CLIENT_SECRET"),
        integration_id=setting("AVAYA_INTEGRATION_ID"),
        host=options.host,
        port=options.port,
        ui=options.ui,
    )


def _imbachat(options: SandboxOptions) -> SandboxServer:
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
        users_info_url=options.users_info_url,
        host=options.host,
        port=options.port,
        ui=options.ui,
    )


_MAKERS: dict[Platform, Callable[[SandboxOptions], SandboxServer]] = {
    Platform.ethora: _ethora,
    Platform.rocketchat: _rocketchat,
    Platform.avaya: _avaya,
    Platform.imbachat: _imbachat,
}


def _check_host(host: str) -> None:
    try:
        usable = urlsplit(f"http://[{host}]" if ":" in host else f"http://{host}").hostname == host.lower() != ""
    except ValueError:
        usable = False
    if not usable:
        msg = "--webhook-host must be a host name or an IP address alone, without scheme, port and path"
        raise InvalidInputError(msg, field="webhook_hosts")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        msg = "--users-info-url must start with http:// or https:// and a host, as http://127.0.0.1:8000/users?ids="
        raise InvalidInputError(msg, field="users_info_url")
