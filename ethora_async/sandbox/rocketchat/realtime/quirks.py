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

    microservices: act as the microservice build, which accepts no passwords, and closes the connection where the
        monolith sends an error.
    server_id: begin with the frame that has no meaning.
    updated_first: send `updated` before `result`.
    on_revoke: the effect of a dead token on its connection.
    personal_expiry: the expiry of a personal access token in the reply of a login: no key, null, or an invalid date.
    quiet: seconds without a frame before the server pings.
    patience: further seconds before it closes the connection.
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
        """Return the quirks of a build."""
        quiet = MICROSERVICES_QUIET if microservices else MONOLITH_QUIET
        return cls(microservices=microservices, quiet=quiet, patience=quiet)
