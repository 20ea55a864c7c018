"""Access codes of the older guide: the bits of a code, and a setting that may end.

See docs/platforms/ethora.md#older-guide.
"""

from __future__ import annotations

import attrs

READ, WRITE, ADMIN, OWNER = 1, 2, 4, 8
MEMBER = READ | WRITE
EVERYTHING = MEMBER | ADMIN | OWNER


@attrs.frozen(eq=False)
class Grant:
    """A setting: the bits, when it ends (None: never), and what it falls back to."""

    bits: int
    expires_at: float | None = None
    before: Grant | None = None
