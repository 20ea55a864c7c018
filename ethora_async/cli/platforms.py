"""The platforms that the command line knows: their clients, their sandboxes, and which commands support them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from ethora_async.platforms.avaya.client import AvayaClient
    from ethora_async.platforms.ethora.client import EthoraClient
    from ethora_async.platforms.imbachat.client import ImbaChatClient
    from ethora_async.platforms.rocketchat.client import RocketChatClient

    ManagingClient = EthoraClient | RocketChatClient
    """A client of any platform in `MANAGING`."""

    AnyClient = ManagingClient | AvayaClient | ImbaChatClient
    """A client of any platform in `ALL`."""

ClientT = TypeVar("ClientT")


class Platform(StrEnum):
    """A chat platform, as ``--platform`` names it."""

    ethora = "ethora"
    rocketchat = "rocketchat"
    avaya = "avaya"
    imbachat = "imbachat"


class PlatformEntry(NamedTuple):
    """One platform of the registry. A named tuple, because attrs takes longer to import than all that the help needs.

    Attributes:
        title: The platform's display name.
        client: The client class as ``module:Class``. It is imported on first use.
        secret: The setting that holds the secret the client authenticates with.
    """

    title: str
    client: str
    secret: str

    def client_class(self) -> Any:
        """Import and return the client class."""
        module, _, name = self.client.partition(":")
        return getattr(importlib.import_module(module), name)


REGISTRY: Mapping[Platform, PlatformEntry] = {
    Platform.ethora: PlatformEntry(
        "Ethora", "ethora_async.platforms.ethora.client:EthoraClient", "ETHORA_CHAT_APP_SECRET"
    ),
    Platform.rocketchat: PlatformEntry(
        "Rocket.Chat", "ethora_async.platforms.rocketchat.client:RocketChatClient", "ROCKETCHAT_PASSWORD"
    ),
    Platform.avaya: PlatformEntry("Avaya", "ethora_async.platforms.avaya.client:AvayaClient", "AVAYA_CLIENT_SECRET"),
    Platform.imbachat: PlatformEntry(
        "ImbaChat", "ethora_async.platforms.imbachat.client:ImbaChatClient", "IMBACHAT_SECRET_KEY"
    ),
}


class Platforms(tuple[Platform, ...], Generic[ClientT]):
    """The platforms that a command supports; `ClientT` is the type of their clients."""

    __slots__ = ()


ALL: Platforms[AnyClient] = Platforms(Platform)
"""For commands that work with every platform."""

MANAGING: Platforms[ManagingClient] = Platforms((Platform.ethora, Platform.rocketchat))
"""For commands that manage users and chats: platforms with `ManagesUsers` and `ManagesChats`."""

ETHORA: Platforms[EthoraClient] = Platforms((Platform.ethora,))
"""For commands that only Ethora supports."""


def check_supported(platform: Platform, command: str, supported: tuple[Platform, ...]) -> None:
    """Check that a command supports a platform.

    Raises:
        InvalidInputError: The command does not support the platform; the message lists what it supports.
    """
    if platform not in supported:
        names = ", ".join(one.value for one in supported)
        msg = f"ethora {command} does not support --platform {platform.value}; it supports {names}"
        raise InvalidInputError(msg, field="platform")


def check_only_on(option: str, platform: Platform, *supported: Platform) -> None:
    """Check that the chosen platform has an option.

    Raises:
        InvalidInputError: It has not; the message names the platforms that do.
    """
    if platform not in supported:
        names = " or ".join(f"--platform {one.value}" for one in supported)
        msg = f"{option} requires {names}; the platform is {platform.value}"
        raise InvalidInputError(msg, field=option.lstrip("-").replace("-", "_"))
