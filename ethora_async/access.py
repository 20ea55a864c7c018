"""Access rights in a chat, as the older guide's four-digit codes (docs/platforms/ethora.md#older-guide)."""

from __future__ import annotations

import enum
import re
from typing import Self

from ethora_async.errors import InvalidInputError

_CODE = re.compile(r"[01]{4}")


class Access(enum.IntFlag, boundary=enum.STRICT):
    """Rights in a chat; combine them with ``|``.

    Prints as its four-digit code: ``str(Access.READ | Access.WRITE)`` is ``"0011"``. From right to left the digits say
    read, write, administrate (moderate) and own. Rights are independent: the right to write does not include the right
    to read.
    """

    NONE = 0
    """No access: removed, or banned."""
    READ = 1
    WRITE = 2
    ADMIN = 4
    OWNER = 8

    @property
    def code(self) -> str:
        """The four-digit code, e.g. ``"0011"``."""
        return f"{self.value:04b}"

    @classmethod
    def parse(cls, value: Access | str, field: str = "access") -> Self:
        """Return the rights for a four-digit code; an `Access` is returned unchanged.

        Raises:
            InvalidInputError: it is neither. A number is rejected too: 11 could be a code or a bit mask.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and _CODE.fullmatch(value.strip()):
            return cls(int(value.strip(), 2))
        msg = (
            f"{field} must be rights such as Access.READ | Access.WRITE, or a code from '0000' to '1111', not {value!r}"
        )
        raise InvalidInputError(msg, field=field)

    def __str__(self) -> str:
        return self.code

    def __format__(self, spec: str) -> str:
        return format(self.code, spec)
