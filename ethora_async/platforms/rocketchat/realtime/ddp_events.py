"""Events and values of the DDP state machine (docs/platforms/rocketchat.md#realtime)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import attrs

ROOM_MESSAGES = "stream-room-messages"
NOTIFY_ROOM = "stream-notify-room"
NOTIFY_USER = "stream-notify-user"
NOTIFY_LOGGED = "stream-notify-logged"
NOTIFY_ALL = "stream-notify-all"
TOO_MANY = "too-many-requests"


@attrs.frozen
class Topic:
    """The subject of a subscription: a stream, and the name of an event in it."""

    stream: str
    name: str

    def about(self, room_id: str) -> bool:
        """Return whether it is about this room."""
        of_rooms = self.stream in (ROOM_MESSAGES, NOTIFY_ROOM)
        return of_rooms and (self.name == room_id or self.name.startswith(f"{room_id}/"))


@attrs.frozen
class LoggedIn:
    """The token was accepted; `expires_at` in seconds since the epoch, None when the server does not say."""

    user_id: str
    expires_at: float | None


@attrs.frozen
class LoginRefused:
    """The token was rejected. `why` is ``revoked`` (or never valid), ``expired``, ``later`` or ``refused``."""

    why: Literal["revoked", "expired", "later", "refused"]
    code: str
    retry_after: float | None = None


@attrs.frozen
class Ready:
    """A subscription is active."""

    topic: Topic


@attrs.frozen
class Refused:
    """A subscription was rejected, or ended by the server; it is not retried."""

    topic: Topic
    code: str


@attrs.frozen
class Happened:
    """An event of a subscription; its arguments are in the format of REST."""

    topic: Topic
    args: tuple[Any, ...] = attrs.field(repr=False)


@attrs.frozen
class Left:
    """The user is no longer in this room; its subscriptions ended without notice. They resume when the user is back."""

    room_id: str


@attrs.frozen
class Revoked:
    """The token has ended: somebody logged the user out."""


@attrs.frozen
class Broken:
    """The connection is of no more use."""

    reason: str


DdpEvent = LoggedIn | LoginRefused | Ready | Refused | Happened | Left | Revoked | Broken


def as_rest(value: Any) -> Any:
    """Convert EJSON to the format of REST: ``{"$date": ms}`` becomes an ISO 8601 text, all else stays."""
    if isinstance(value, list):
        return [as_rest(inner) for inner in value]
    if isinstance(value, dict):
        if value.keys() == {"$date"}:
            moment = date(value)
            if moment is None:
                return value["$date"]
            return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {key: as_rest(inner) for key, inner in value.items()}
    return value


def date(value: Any) -> float | None:
    """Return EJSON's ``{"$date": ms}`` in seconds since the epoch; None for anything else."""
    stated = value.get("$date") if isinstance(value, dict) else None
    if isinstance(stated, bool) or not isinstance(stated, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(stated / 1000, UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def error_code(error: dict[str, Any]) -> str:
    """Return the code of an error: a word or a number."""
    code = error.get("error")
    return str(code) if isinstance(code, (str, int)) else "unknown"


_DEFINITE = frozenset({"401", "403", "404"})


def is_definite(error: dict[str, Any]) -> bool:
    """Return whether the error of a subscription concerns the room or the user, and is not a temporary failure of the
    server.

    Definite are Meteor's numbers for "not allowed" and "not found", and the platform's own codes, such as
    ``not-allowed`` and ``error-invalid-room``. Numbers such as 500, and errors without a code, are not.
    """
    code = error_code(error)
    if code.isdigit():
        return code in _DEFINITE
    return code not in ("unknown", "internal-error", "error-internal", "internal-server-error")


def refusal(error: Any) -> LoginRefused:
    """Translate the error of a log-in (docs/platforms/rocketchat.md#token-lifetime)."""
    error = error if isinstance(error, dict) else {}
    code = error_code(error)
    said = str(error.get("reason") or error.get("message") or "").lower()
    if code == TOO_MANY:
        return LoginRefused("later", code, reset_after(error))
    if "expired" in said:
        return LoginRefused("expired", code)
    return LoginRefused("revoked" if code == "403" else "refused", code)


def reset_after(error: dict[str, Any]) -> float | None:
    """Return the seconds after which a rate limit ends, if the error says so."""
    details = error.get("details")
    wait = details.get("timeToReset") if isinstance(details, dict) else None
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or wait < 0:
        return None
    return wait / 1000
