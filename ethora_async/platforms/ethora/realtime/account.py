"""The chat account of a stream."""

from __future__ import annotations

import attrs

from ethora_async.platforms.ethora.names import Names
from ethora_async.redaction import Secret


@attrs.frozen
class Account:
    """A user of the chat server.

    Attributes:
        service: the websocket's address, as an http(s) URL.
        host: the XMPP domain.
        username: the name to log in with.
        first_name, last_name: the user's displayed name.
        names: the names of the app's users and chats.
    """

    service: str
    host: str
    username: str
    password: Secret
    first_name: str
    last_name: str
    names: Names
