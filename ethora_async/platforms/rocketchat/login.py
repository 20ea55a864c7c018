"""Open and end sessions (docs/platforms/rocketchat.md#log-in)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.errors import ChatError, ReplyLostError, UnauthorizedError
from ethora_async.platforms.rocketchat import operations
from ethora_async.platforms.rocketchat.admin_session import Login, headers_for
from ethora_async.platforms.rocketchat.api import NOBODY
from ethora_async.platforms.rocketchat.two_factor import Factors, TwoFactorRequiredError, totp
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.config import Seconds
    from ethora_async.platforms.rocketchat.api import Api
    from ethora_async.platforms.rocketchat.settings import Admin
    from ethora_async.protocols import Credentials
    from ethora_async.request import Reply


async def log_in(api: Api, admin: Admin, factors: Factors) -> Login:
    """Open a session with a user name and password, and a one-time code if one is required.

    See docs/platforms/rocketchat.md#log-in.

    Raises:
        UnauthorizedError: the user name or the password is wrong.
        TwoFactorRequiredError: a second factor is required that this client does not have, or its own was rejected.
        ForbiddenError: the account or the address is blocked for some minutes after too many failures, or disabled.
    """
    body: dict[str, str | Secret] = {"user": admin.user, "password": admin.secret}
    try:
        reply = await _login_call(api, body)
    except (TwoFactorRequiredError, UnauthorizedError) as refused:
        body["code"] = Secret(await _code(refused, factors, api.clock.now()))
        try:
            reply = await _login_call(api, body)
        except UnauthorizedError as again:
            raise _explained(again) from None
    login = _opened(reply)
    if login is None:
        msg = "the platform's reply has an unexpected shape: no data.userId and data.authToken"
        raise ReplyLostError(msg, operation=operations.LOGIN.name)
    return login


def _opened(reply: Reply) -> Login | None:
    # Raises nothing: its frame holds the token in clear.
    data = reply.data.get("data")
    user_id, token = (data.get("userId"), data.get("authToken")) if isinstance(data, dict) else (None, None)
    return Login(user_id, headers_for(user_id, token)) if isinstance(user_id, str) and isinstance(token, str) else None


async def _login_call(api: Api, body: Mapping[str, str | Secret]) -> Reply:
    try:
        return await api.call(operations.LOGIN, data=dict(body), credentials=NOBODY)
    except TwoFactorRequiredError as asked:
        asked.at_login = True
        raise


async def _code(refused: TwoFactorRequiredError | UnauthorizedError, factors: Factors, now: float) -> str:
    if isinstance(refused, TwoFactorRequiredError):
        if refused.method == "password":
            raise refused  # not accepted at log-in
        return await factors.answer(refused, operations.LOGIN.name, now)
    if factors.totp_secret is None:
        raise _explained(refused)
    # From 9.0 on the error may no longer say that a code is missing.
    return totp(factors.totp_secret, now)


def _explained(error: UnauthorizedError) -> ChatError:
    message = f"the platform refused the admin's user name or password: {error.message}"
    return UnauthorizedError(
        message, operation=error.operation, status=error.status, code=error.code, attempts=error.attempts
    )


async def end_session(api: Api, credentials: Credentials, *, timeout: Seconds | None = None) -> bool:
    """End the session of these credentials; return False if it had already ended."""
    try:
        await api.call(operations.LOGOUT, credentials=credentials, timeout=timeout)
    except UnauthorizedError:
        return False
    return True
