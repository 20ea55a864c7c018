"""The async Python SDK that keeps users, chats and access rights in step with an embedded chat platform.

Every name below is imported on first use: importing this package loads neither aiohttp nor the library of any secret
store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async._version import __version__
from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.access import Access as Access
    from ethora_async.attachments import Attachment as Attachment
    from ethora_async.config import Limits as Limits
    from ethora_async.config import RetryPolicy as RetryPolicy
    from ethora_async.errors import ApiError as ApiError
    from ethora_async.errors import ChatError as ChatError
    from ethora_async.errors import ConfigError as ConfigError
    from ethora_async.errors import ConflictError as ConflictError
    from ethora_async.errors import ForbiddenError as ForbiddenError
    from ethora_async.errors import InvalidInputError as InvalidInputError
    from ethora_async.errors import InvalidTokenError as InvalidTokenError
    from ethora_async.errors import JobFailedError as JobFailedError
    from ethora_async.errors import JobTimeoutError as JobTimeoutError
    from ethora_async.errors import NotFoundError as NotFoundError
    from ethora_async.errors import NotSentError as NotSentError
    from ethora_async.errors import PrivilegedAccountError as PrivilegedAccountError
    from ethora_async.errors import RateLimitedError as RateLimitedError
    from ethora_async.errors import ReplyLostError as ReplyLostError
    from ethora_async.errors import ReplyTooLargeError as ReplyTooLargeError
    from ethora_async.errors import ServerFaultError as ServerFaultError
    from ethora_async.errors import SettingsUnavailableError as SettingsUnavailableError
    from ethora_async.errors import StoppedByGuardError as StoppedByGuardError
    from ethora_async.errors import TransportError as TransportError
    from ethora_async.errors import UnauthorizedError as UnauthorizedError
    from ethora_async.errors import ValidationFailedError as ValidationFailedError
    from ethora_async.errors import WrongLoopError as WrongLoopError
    from ethora_async.platforms.avaya.client import AvayaClient as AvayaClient
    from ethora_async.platforms.ethora.client import EthoraClient as EthoraClient
    from ethora_async.platforms.ethora.sessions.mfa import MfaRequiredError as MfaRequiredError
    from ethora_async.platforms.ethora.sessions.session import Session as Session
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
        "ApiError",
        "ChatError",
        "ConfigError",
        "ConflictError",
        "ForbiddenError",
        "InvalidInputError",
        "InvalidTokenError",
        "JobFailedError",
        "JobTimeoutError",
        "NotFoundError",
        "NotSentError",
        "PrivilegedAccountError",
        "RateLimitedError",
        "ReplyLostError",
        "ReplyTooLargeError",
        "ServerFaultError",
        "SettingsUnavailableError",
        "StoppedByGuardError",
        "TransportError",
        "UnauthorizedError",
        "ValidationFailedError",
        "WrongLoopError",
    ),
    "platforms.avaya.client": ("AvayaClient",),
    "platforms.ethora.client": ("EthoraClient",),
    "platforms.ethora.sessions.mfa": ("MfaRequiredError",),
    "platforms.ethora.sessions.session": ("Session",),
    "platforms.imbachat.client": ("ImbaChatClient",),
    "platforms.imbachat.user_info": ("UserInfo",),
    "platforms.rocketchat.client": ("RocketChatClient",),
    "records": ("Chat", "ChatToken", "MongoId", "NewChat", "NewUser", "User"),
}
__all__ = [
    "Access",
    "ApiError",
    "Attachment",
    "AvayaClient",
    "Chat",
    "ChatError",
    "ChatToken",
    "ConfigError",
    "ConflictError",
    "EthoraClient",
    "ForbiddenError",
    "ImbaChatClient",
    "InvalidInputError",
    "InvalidTokenError",
    "JobFailedError",
    "JobTimeoutError",
    "Limits",
    "MfaRequiredError",
    "MongoId",
    "NewChat",
    "NewUser",
    "NotFoundError",
    "NotSentError",
    "PrivilegedAccountError",
    "RateLimitedError",
    "ReplyLostError",
    "ReplyTooLargeError",
    "RetryPolicy",
    "RocketChatClient",
    "ServerFaultError",
    "Session",
    "SettingsUnavailableError",
    "StoppedByGuardError",
    "TransportError",
    "UnauthorizedError",
    "User",
    "UserInfo",
    "ValidationFailedError",
    "WrongLoopError",
    "__version__",
]

if not TYPE_CHECKING:  # # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
