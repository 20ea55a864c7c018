"""The users who have logged in to the widget."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class ChatUser:
    """A user who has logged in.

    Attributes:
        user_id: The id that the token named.
        name: The name as the site told it; empty where the site knows no such user.
        info: The site's whole answer about the user.
    """

    user_id: int
    name: str
    info: dict[str, Any] = attrs.field(repr=False)
