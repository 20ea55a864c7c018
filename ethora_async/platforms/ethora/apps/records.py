"""Records of a tenant's apps.

See docs/platforms/ethora.md#apps.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.platforms.ethora import wire
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.names import Names
    from ethora_async.request import Origin


@attrs.frozen(kw_only=True)
class TenantApp:
    """An app of a tenant. Fields that the reply lacked are None.

    Attributes:
        id: the app's id.
        domain_name: letters and digits; unique on the platform.
        status: the platform's status, ``active`` or ``archived``.
        parent_id: the id of the parent app.
        xmpp_host: the host of its chats.
        app_token: the token for log-in and sign-up in the app. Masked.
        app_secret: the secret that signs tokens for the app. Masked.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    display_name: str | None = None
    domain_name: str | None = None
    status: str | None = None
    parent_id: str | None = None
    xmpp_host: str | None = None
    app_token: Secret | None = None
    app_secret: Secret | None = None
    archived_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def archived(self) -> bool:
        """Whether it is archived: its data is kept, and other calls are refused with ``APP_ARCHIVED``."""
        return self.status == "archived" or (self.status is None and self.archived_at is not None)


@attrs.frozen(kw_only=True)
class AppToken:
    """One token of an app.

    Attributes:
        id: identifies it for `rotate` and `revoke`.
        value: the token itself, masked; only the reply that creates it contains it.
        status: the platform's status.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    label: str | None = None
    status: str | None = None
    value: Secret | None = None
    created_at: datetime | None = None
    rotated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Bot:
    """The bot of an app. Fields that the reply lacked are None.

    Attributes:
        status: ``on`` or ``off``.
        trigger: which messages it answers: ``any_message`` or ``/bot``.
        greeting: its first message.
        chat_id: its chat.
        rag: whether it uses the app's sources for its answers.
        saved_agent_id: the id of its agent.
        extra: every other field of the reply, under the platform's name for it.
    """

    status: str | None = None
    trigger: str | None = None
    prompt: str | None = None
    greeting: str | None = None
    chat_id: str | None = None
    rag: bool | None = None
    first_name: str | None = None
    last_name: str | None = None
    display_name: str | None = None
    saved_agent_id: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)

    @property
    def enabled(self) -> bool:
        """Whether it is on."""
        return self.status == "on"


@attrs.frozen(kw_only=True)
class DefaultRoom:
    """A chat that every user of an app is a member of from the start.

    Attributes:
        id: its id: the name without the app's prefix.
        name: the local part of its JID.
        chat_id: the platform's record id of the chat, if the reply contained it.
        extra: every other field of the reply, under the platform's name for it.
    """

    id: str
    name: str
    title: str | None = None
    pinned: bool | None = None
    chat_id: str | None = None
    creator: str | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)


_TIMES = {"created_at": "createdAt", "updated_at": "updatedAt"}

wire.codec.add(
    TenantApp,
    {
        "display_name": "displayName",
        "domain_name": "domainName",
        "parent_id": "parentAppId",
        "xmpp_host": "xmppHost",
        "app_token": "appToken",
        "app_secret": "appSecret",
        "archived_at": "archivedAt",
        **_TIMES,
    },
)
wire.codec.add(AppToken, {"value": "token", "created_at": "createdAt", "rotated_at": "rotatedAt"})
wire.codec.add(
    Bot,
    {
        "greeting": "greetingMessage",
        "chat_id": "chatId",
        "rag": "isRAG",
        "first_name": "botFirstName",
        "last_name": "botLastName",
        "display_name": "botDisplayName",
        "saved_agent_id": "savedAgentId",
    },
)
wire.codec.add(DefaultRoom, {"chat_id": "chatId"})


def unwrapped(data: Any, *keys: str) -> Any:
    """Return the object under the first of `keys` that holds one, else the reply itself."""
    if isinstance(data, dict):
        return next((data[key] for key in keys if isinstance(data.get(key), dict)), data)
    return data


def read_app(data: Any, *, origin: Origin, path: str = "reply") -> TenantApp:
    """Read an app, under ``app`` or ``result`` or at the top: all three forms occur.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return wire.codec.read(
        _with_id(unwrapped(data, "app", "result"), "_id", "id", "appId"), TenantApp, origin=origin, path=path
    )


def read_token(data: Any, *, origin: Origin, path: str = "reply") -> AppToken:
    """Read an app's token, at the top or under ``result``.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    row = _with_id(unwrapped(data, "result"), "tokenId", "_id", "id")
    return wire.codec.read(row, AppToken, origin=origin, path=path)


def read_bot(data: Any, *, origin: Origin) -> Bot:
    """Read a bot, under ``result``, ``bot`` or ``aiBot``, or at the top: the reply's shape is not public.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    return wire.codec.read(unwrapped(unwrapped(data, "result"), "bot", "aiBot"), Bot, origin=origin)


def read_room(data: Any, names: Names, *, origin: Origin, path: str = "reply") -> DefaultRoom:
    """Read a default room; its name is under ``jid``, as a local part or a whole JID, or under ``name``.

    See docs/platforms/ethora.md#apps.

    Raises:
        ReplyLostError: it has an unexpected shape.
    """
    row = unwrapped(data, "result")
    if isinstance(row, dict):
        address = next((row[key] for key in ("jid", "name", "chatName") if isinstance(row.get(key), str)), "")
        local = names.strip(address.partition("@")[0])
        row = {**row, "id": local or None, "name": names.prefix + local if local else None}
    return wire.codec.read(row, DefaultRoom, origin=origin, path=path)


def minted(token: AppToken, *, origin: Origin) -> AppToken:
    """Return a token that was just made.

    Raises:
        ReplyLostError: the reply lacks its value, which no other reply contains.
    """
    if not token.value:
        msg = f"the platform made token {token.id!r}, but its reply does not show it: revoke it and make another"
        raise origin.lost(msg)
    return token


def _with_id(data: Any, *keys: str) -> Any:
    if not isinstance(data, dict):
        return data
    found = next((key for key in keys if data.get(key)), None)
    return {"id": data.get(found or "id"), **{key: value for key, value in data.items() if key not in ("id", found)}}
