"""Differences between the versions of the server.

See docs/platforms/rocketchat.md#error-replies, #minting-tokens, #server-info.
"""

from __future__ import annotations

import re
from typing import Literal

import attrs

VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
OLDEST = (6, 0, 0)
NEWEST = (10, 0, 0)

Gate = Literal["switch", "secret", "secret and permission"]


@attrs.frozen(order=True)
class Version:
    """The version of a server, and the behaviour that depends on it."""

    number: tuple[int, int, int]

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `8.0.0` or `8.0`; ValueError for other texts, and for versions outside 6.0 to 9.x."""
        match = VERSION.fullmatch(text)
        if match is None:
            msg = f'version={text!r} cannot be read: write "8.0.0".'
            raise ValueError(msg)
        number = (int(match[1]), int(match[2]), int(match[3] or 0))
        if not OLDEST <= number < NEWEST:
            msg = f"version={text!r}: the sandbox simulates 6.0 to 9.x."
            raise ValueError(msg)
        return cls(number)

    def __str__(self) -> str:
        return ".".join(map(str, self.number))

    @property
    def short(self) -> str:
        """`8.0`: all that `/api/info` returns to anonymous callers."""
        return f"{self.number[0]}.{self.number[1]}"

    def since(self, major: int, minor: int = 0) -> bool:
        """Return whether this version is `major.minor` or later."""
        return self.number >= (major, minor, 0)

    @property
    def typed(self) -> bool:
        """True if routes use the typed router, whose validation errors differ."""
        return self.since(8)

    @property
    def reduced_errors(self) -> bool:
        """True if the breaking changes of 9.0 are active: bare bodies for failed logins and 401."""
        return self.since(9)

    @property
    def gate(self) -> Gate:
        """The requirement of `users.createToken` (docs/platforms/rocketchat.md#minting-tokens)."""
        if not self.since(8):
            return "switch"
        return "secret and permission" if self.since(8, 7) else "secret"
