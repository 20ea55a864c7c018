"""``ethora.apps.tokens(app_id)``: the tokens with which front ends access an app.

See docs/platforms/ethora.md#app-tokens, #token-kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.bulk.outcome import Outcome
from ethora_async.errors import NotFoundError
from ethora_async.platforms.ethora import operations, wire
from ethora_async.platforms.ethora.apps.records import AppToken, minted, read_token
from ethora_async.platforms.ethora.unpaged_lists import whole_list
from ethora_async.records import optional_text, required_text

if TYPE_CHECKING:
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.context import AppContext


class AppTokens:
    """The tokens of one app. A token's value is returned once, masked, by the call that creates it."""

    def __init__(self, context: AppContext, app_id: str) -> None:
        self._context = context
        self.app_id = app_id

    def list(self) -> Pages[AppToken]:
        """Return all tokens, without their values; the platform returns them in one reply."""

        async def read(query: dict[str, str | int]) -> tuple[tuple[AppToken, ...], int | None]:
            app = await self._context.open()
            reply = await app.call(operations.LIST_APP_TOKENS, path={"app": self.app_id}, query=query)
            return wire.read_list(
                wire.result(reply.data),
                ("tokens", "result"),
                lambda row, path: read_token(row, origin=reply.origin, path=path),
                origin=reply.origin,
            )

        return whole_list(read, lambda token: token.id)

    async def create(self, *, label: str | None = None) -> AppToken:
        """Create a token. Never retried: a second request would create a second one.

        Returns:
            The token; ``token.value.reveal()`` shows it, and no later call does.

        Raises:
            ReplyLostError: a token may have been created whose value is lost: look for it in `list`, and revoke it.
            ForbiddenError, NotFoundError: the app is not yours, or does not exist.
        """
        app = await self._context.open()
        reply = await app.call(operations.CREATE_APP_TOKEN, path={"app": self.app_id}, data=_labelled(label))
        return minted(read_token(reply.data, origin=reply.origin), origin=reply.origin)

    async def rotate(self, token_id: str, *, label: str | None = None) -> AppToken:
        """Replace a token by a new one; the old one ends at once. Never retried.

        Returns:
            The new token, with a new id; ``token.value.reveal()`` shows it, and no later call does.

        Raises:
            ReplyLostError: see `create`.
            NotFoundError: there is no such token.
        """
        path = {"app": self.app_id, "token": required_text(token_id, "token_id")}
        app = await self._context.open()
        reply = await app.call(operations.ROTATE_APP_TOKEN, path=path, data=_labelled(label))
        return minted(read_token(reply.data, origin=reply.origin), origin=reply.origin)

    async def revoke(self, token_id: str) -> Outcome[str]:
        """Revoke a token.

        Returns:
            An outcome ``deleted``, or ``absent`` when the platform knows no such token.
        """
        id = required_text(token_id, "token_id")
        app = await self._context.open()
        try:
            reply = await app.call(operations.REVOKE_APP_TOKEN, path={"app": self.app_id, "token": id})
        except NotFoundError as error:
            if error.code == "APP_NOT_FOUND":
                raise
            return Outcome(id, id, "absent", attempts=error.attempts, request_id=error.request_id)
        return Outcome(id, id, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    def __repr__(self) -> str:
        return f"AppTokens({self.app_id!r})"


def _labelled(label: str | None) -> dict[str, str]:
    return {} if label is None else {"label": optional_text(label, "label")}


__all__ = ["AppTokens"]
