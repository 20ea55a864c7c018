"""A personal access token as the platform lists it (docs/platforms/rocketchat.md#users)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class PersonalToken:
    """A personal access token, without its secret.

    Attributes:
        name: Its name.
        last_part: The end of its hash, to distinguish tokens.
        bypasses_two_factor: Whether calls with it need no second factor.
    """

    name: str
    created_at: datetime | None = None
    last_part: str | None = None
    bypasses_two_factor: bool = False
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    request_id: str | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)
