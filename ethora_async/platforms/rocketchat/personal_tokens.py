"""``rocketchat.personal_tokens``: tokens that never expire (docs/platforms/rocketchat.md#users, #second-factor)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import ApiError, ReplyLostError
from ethora_async.platforms.rocketchat import operations_people as operations
from ethora_async.platforms.rocketchat import wire
from ethora_async.records import required_text
from ethora_async.redaction import Secret

if TYPE_CHECKING:
    from ethora_async.platforms.rocketchat.context import ServerContext
    from ethora_async.platforms.rocketchat.token_records import PersonalToken
    from ethora_async.request import Operation

_GONE = "error-token-does-not-exists"


class PersonalTokens:
    """The caller's own personal access tokens. The server requires a second factor."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def create(self, name: str, *, bypass_two_factor: bool = False) -> Secret:
        """Create a token and return it, masked: the server returns it only once.

        Raises:
            ConflictError: There is one with this name. After a lost reply, that may be the new one: `renew` it.
            ForbiddenError: The caller lacks the permission ``create-personal-access-tokens``.
        """
        data = {"tokenName": required_text(name, "name"), "bypassTwoFactor": bypass_two_factor}
        return await self._made(operations.GENERATE_TOKEN, data)

    async def renew(self, name: str) -> Secret:
        """Replace the token with this name by a new one; the old one ends.

        Raises:
            NotFoundError: There is none of this name.
        """
        return await self._made(operations.REGENERATE_TOKEN, {"tokenName": required_text(name, "name")})

    async def delete(self, name: str) -> Outcome[str]:
        """Delete a token: ``deleted``, or ``absent`` when there was none with this name."""
        data = {"tokenName": required_text(name, "name")}
        api = await self._context.open()
        try:
            reply = await api.call(operations.REMOVE_TOKEN, data=data)
        except ApiError as error:
            if error.code != _GONE:
                raise
            return Outcome(name, name, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(name, name, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    async def list(self) -> tuple[PersonalToken, ...]:
        """Return all tokens."""
        api = await self._context.open()
        operation = operations.LIST_TOKENS
        reply = await api.call(operation)
        return wire.read_list(reply.data, "tokens", wire.read_personal_token, origin=reply.origin)

    async def end_other_sessions(self) -> None:
        """End all sessions of the caller except this client's; personal access tokens stay."""
        api = await self._context.open()
        await api.call(operations.REMOVE_OTHER_TOKENS)

    async def _made(self, operation: Operation, data: dict[str, Any]) -> Secret:
        api = await self._context.open()
        value = (await api.call(operation, data=data)).data.get("token")
        if not isinstance(value, str) or not value:
            msg = "the platform's reply has an unexpected shape: no token"
            raise ReplyLostError(msg, operation=operation.name)
        return Secret(value)
