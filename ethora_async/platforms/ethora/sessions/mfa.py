"""The second step of a log-in (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.errors import ChatError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ethora_async.platforms.ethora.sessions.session import Session
    from ethora_async.redaction import Secret


class MfaRequiredError(ChatError):
    """The password was correct, and the platform requires a second factor.

    ```python
    try:
        session = await ethora.sessions.login(email, password)
    except MfaRequiredError as step:
        session = await step.complete(input("Code: "))
    ```

    If the code arrives in another request, keep `mfa_token` and pass it to `ethora.sessions.complete_mfa`. A copy of
    this error, pickled or not, contains no token and cannot be completed.
    """

    def __init__(self, message: str, *, mfa_token: Secret, finish: Callable[[str], Awaitable[Session]], **told: Any):
        super().__init__(message, **told)
        self._mfa_token: Secret | None = mfa_token
        self._finish: Callable[[str], Awaitable[Session]] | None = finish

    @property
    def mfa_token(self) -> Secret | None:
        """Identifies the log-in that waits for its code; None in a copy."""
        return self._mfa_token

    async def complete(self, code: str) -> Session:
        """Complete the log-in with the code of the second factor. The request is not retried: codes are accepted once.

        Raises:
            UnauthorizedError, ValidationFailedError: the code is wrong, or came too late.
            InvalidInputError: the code is empty, or this is a copy.
        """
        if self._finish is None:
            msg = "a copy of MfaRequiredError cannot be completed: pass the mfa_token to sessions.complete_mfa"
            raise InvalidInputError(msg)
        return await self._finish(code)

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (kind, message, state) = super().__reduce__()
        return rebuild, (kind, message, {**state, "_mfa_token": None, "_finish": None})
