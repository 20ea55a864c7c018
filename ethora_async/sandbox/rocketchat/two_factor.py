"""The second factor: choose a user's method, decide whether a call needs it, and verify codes.

See docs/platforms/rocketchat.md#second-factor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Literal

from ethora_async.sandbox.rocketchat.encoding import iso, moment
from ethora_async.sandbox.rocketchat.errors import MeteorError
from ethora_async.sandbox.rocketchat.ids import digest
from ethora_async.sandbox.rocketchat.platform import EmailCode, Mail
from ethora_async.sandbox.rocketchat.settings import (
    TWO_FACTOR,
    TWO_FACTOR_EMAIL,
    TWO_FACTOR_PASSWORD,
    TWO_FACTOR_REMEMBER,
)

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.platform import Platform
    from ethora_async.sandbox.rocketchat.records import LoginToken, User

Method = Literal["totp", "email", "password"]
PERIOD = 30
CODE_SECONDS = 3600.0
MAX_FAILURES = 5
TEXTS = {
    "totp-required": "TOTP Required",
    "totp-invalid": "TOTP Invalid",
    "totp-max-attempts": "TOTP Maximum Failed Attempts Reached",
}


def new_totp_secret() -> str:
    """Return a new secret in base32, for authenticator apps."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def totp(secret: str, now: float) -> str:
    """Return the six digits that an authenticator shows at a time (RFC 6238)."""
    mac = hmac.new(base64.b32decode(secret), int(now // PERIOD).to_bytes(8, "big"), hashlib.sha1).digest()
    start = mac[-1] & 15
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def fingerprint(agent: str, address: str) -> str:
    """Return the fingerprint of a remembered second factor: md5 of user agent and client address."""
    return hashlib.md5(f"{agent}{address}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def available(platform: Platform, user: User) -> list[Method]:
    """Return the methods that a user has set up, the preferred one first. The password is only a fallback."""
    found: list[Method] = []
    if user.totp_secret is not None:
        found.append("totp")
    if platform.settings[TWO_FACTOR_EMAIL] and user.email_two_factor and user.email is not None and user.verified:
        found.append("email")
    return found


def required_method(platform: Platform, user: User, *, fallback: bool) -> Method | None:
    """Return the method that a user must pass; None if there is none."""
    if not platform.settings[TWO_FACTOR]:
        return None
    methods = available(platform, user)
    if methods:
        return methods[0]
    may_fall_back = fallback and platform.settings[TWO_FACTOR_PASSWORD] and user.password is not None
    return "password" if may_fall_back else None


def excused(platform: Platform, user: User, token: LoginToken, print_: str, now: float) -> bool:
    """Return whether a call needs no code: the token passed one recently, or the account is new and has none."""
    if token.bypass_two_factor or (token.trusted_until > now and token.trusted_by == print_):
        return True
    fresh = now - user.created_at < platform.settings[TWO_FACTOR_REMEMBER]
    return fresh and not available(platform, user)


def check(platform: Platform, user: User, code: str | None, chosen: str | None, now: float, *, fallback: bool) -> None:
    """Check a code, or raise `totp-required`, `totp-invalid` or `totp-max-attempts`.

    A call without a code sends the mail. A code by mail allows five attempts.
    """
    preferred = required_method(platform, user, fallback=fallback)
    if preferred is None:
        return
    set_up: dict[str, Method] = {name: name for name in available(platform, user)}
    method = set_up.get(chosen or "", preferred)
    if not code:
        generated = method == "email" and send_code(platform, user, now)
        raise _refusal(platform, user, "totp-required", method, generated=generated)
    pending = platform.email_codes.get(user.id) if method == "email" else None
    if pending is not None and pending.failures >= MAX_FAILURES:
        raise _refusal(platform, user, "totp-max-attempts", method, generated=False)
    if not _fits(platform, user, method, code, now):
        if pending is not None:
            pending.failures += 1
        raise _refusal(platform, user, "totp-invalid", method, generated=False)
    if pending is not None:
        del platform.email_codes[user.id]


def trust(platform: Platform, token: LoginToken, print_: str, now: float) -> None:
    """Remember that a token passed a second factor from this fingerprint."""
    token.trusted_until = now + platform.settings[TWO_FACTOR_REMEMBER]
    token.trusted_by = print_


def send_code(platform: Platform, user: User, now: float, *, again: bool = False) -> bool:
    """Mail a new code unless a valid one is pending; return whether a mail was sent."""
    pending = platform.email_codes.get(user.id)
    if user.email is None or (pending is not None and pending.expires > now and not again):
        return False
    code = f"{secrets.randbelow(1_000_000):06d}"
    platform.email_codes[user.id] = EmailCode(code, now + CODE_SECONDS)
    platform.outbox.append(Mail(user.email, "code", code))
    return True


def _fits(platform: Platform, user: User, method: Method, code: str, now: float) -> bool:
    if method == "totp":
        return user.totp_secret is not None and any(
            _same(totp(user.totp_secret, now + drift * PERIOD), code) for drift in (-1, 0, 1)
        )
    if method == "email":
        pending = platform.email_codes.get(user.id)
        return pending is not None and pending.expires > now and _same(pending.value, code)
    return user.password is not None and _same(user.password, digest(code))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _refusal(platform: Platform, user: User, code: str, method: Method, *, generated: bool) -> MeteorError:
    """Return the refusal; with the password fallback no method counts as available."""
    details: dict[str, Any] = {
        "method": method,
        "codeGenerated": generated,
        "availableMethods": available(platform, user),
    }
    pending = platform.email_codes.get(user.id)
    if method == "email" and pending is not None:
        expires = iso(moment(pending.expires))
        details |= {"codeExpires": expires} if platform.version.since(8) else {"codeCount": 1, "codeExpires": [expires]}
        details["emailOrUsername"] = user.username
    return MeteorError(code, TEXTS[code], details)
