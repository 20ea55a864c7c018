"""Differences between builds and states of the realtime server.

See docs/platforms/rocketchat.md#handshake-and-heartbeat, #methods, #reconnecting.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs

MONOLITH_QUIET = 15.0
MICROSERVICES_QUIET = 30.0


NEVER: dict[str, dict[str, Any]] = {
    "absent": {},
    "null": {"tokenExpires": None},
    "no date": {"tokenExpires": {"$date": None}},
}


@attrs.define
class Quirks:
    """Switches of the realtime server; they may be changed while it runs.

    microservices: act as the build of several services: it takes no passwords, and closes where the monolith
        complains.
    server_id: begin with the frame that has no meaning.
    updated_first: say `updated` before `result`.
    on_revoke: what a dead token does to its connection.
    personal_expiry: how a login tells that a personal access token never expires: no key, null, or a date that is none.
    quiet: seconds without a frame before the server pings.
    patience: seconds more before it gives up.
    """

    microservices: bool = False
    server_id: bool = True
    updated_first: bool = False
    on_revoke: Literal["close", "deauthenticate"] = "close"
    personal_expiry: Literal["absent", "null", "no date"] = "absent"
    quiet: float = MONOLITH_QUIET
    patience: float = MONOLITH_QUIET

    @classmethod
    def of(cls, *, microservices: bool) -> Quirks:
        """Return the habits of a build."""
        quiet = MICROSERVICES_QUIET if microservices else MONOLITH_QUIET
        return cls(microservices=microservices, quiet=quiet, patience=quiet)
