"""The async Python SDK that keeps users, chats and access rights in step with an embedded chat platform.

Everything below loads when it is first used: importing this package pulls in neither aiohttp nor any secret store's
library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ethora_async._version import __version__

if TYPE_CHECKING:
    from ethora_async.access import Access as Access
    from ethora_async.attachments import Attachment as Attachment
    from ethora_async.config import Limits as Limits
    from ethora_async.config import RetryPolicy as RetryPolicy
    from ethora_async.errors import ApiError as ApiError
    from ethora_async.errors import ChatError as ChatError
    from ethora_async.errors import ConfigError as ConfigError
    from ethora_async.errors import Conflict as Conflict
    from ethora_async.errors import Forbidden as Forbidden
    from ethora_async.errors import InvalidInput as InvalidInput
    from ethora_async.errors import InvalidToken as InvalidToken
    from ethora_async.errors import JobFailed as JobFailed
    from ethora_async.errors import JobTimeout as JobTimeout
    from ethora_async.errors import NotFound as NotFound
    from ethora_async.errors import NotSent as NotSent
    from ethora_async.errors import RateLimited as RateLimited
    from ethora_async.errors import ReplyLost as ReplyLost
    from ethora_async.errors import ServerFault as ServerFault
    from ethora_async.errors import StoppedByGuard as StoppedByGuard
    from ethora_async.errors import TransportError as TransportError
    from ethora_async.errors import Unauthorized as Unauthorized
    from ethora_async.errors import ValidationFailed as ValidationFailed
    from ethora_async.errors import WrongLoop as WrongLoop
    from ethora_async.platforms.avaya.client import AvayaClient as AvayaClient
    from ethora_async.platforms.ethora.client import EthoraClient as EthoraClient
    from ethora_async.platforms.ethora.mfa import MfaRequired as MfaRequired
    from ethora_async.platforms.ethora.session import Session as Session
    from ethora_async.platforms.imbachat.client import ImbaChatClient as ImbaChatClient
    from ethora_async.platforms.imbachat.user_info import UserInfo as UserInfo
    from ethora_async.platforms.rocketchat.client import RocketChatClient as RocketChatClient
    from ethora_async.records import Chat as Chat
    from ethora_async.records import ChatToken as ChatToken
    from ethora_async.records import MongoId as MongoId
    from ethora_async.records import NewChat as NewChat
    from ethora_async.records import NewUser as NewUser
    from ethora_async.records import User as User

_HOMES = {
    "access": ("Access",),
    "attachments": ("Attachment",),
    "config": ("Limits", "RetryPolicy"),
    "errors": (
        "ApiError", "ChatError", "ConfigError", "Conflict", "Forbidden", "InvalidInput", "InvalidToken", "JobFailed",
        "JobTimeout", "NotFound", "NotSent", "RateLimited", "ReplyLost", "ServerFault", "StoppedByGuard",
        "TransportError", "Unauthorized", "ValidationFailed", "WrongLoop",
    ),
    "platforms.avaya.client": ("AvayaClient",),
    "platforms.ethora.client": ("EthoraClient",),
    "platforms.ethora.mfa": ("MfaRequired",),
    "platforms.ethora.session": ("Session",),
    "platforms.imbachat.client": ("ImbaChatClient",),
    "platforms.imbachat.user_info": ("UserInfo",),
    "platforms.rocketchat.client": ("RocketChatClient",),
    "records": ("Chat", "ChatToken", "MongoId", "NewChat", "NewUser", "User"),
}  # fmt: skip
_HOME_OF = {name: f"ethora_async.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "Access", "ApiError", "Attachment", "AvayaClient", "Chat", "ChatError", "ChatToken", "ConfigError", "Conflict",
    "EthoraClient", "Forbidden", "ImbaChatClient", "InvalidInput", "InvalidToken", "JobFailed", "JobTimeout", "Limits",
    "MfaRequired", "MongoId", "NewChat", "NewUser", "NotFound", "NotSent", "RateLimited", "ReplyLost",
    "RetryPolicy", "RocketChatClient", "ServerFault", "Session", "StoppedByGuard", "TransportError", "Unauthorized",
    "User", "UserInfo", "ValidationFailed", "WrongLoop", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
