"""The local Avaya: a real server with real state, for development and tests."""

from __future__ import annotations

import secrets
import string
import time
import uuid
from typing import TYPE_CHECKING

from ethora_async.sandbox.avaya.faults import AvayaFaults
from ethora_async.sandbox.avaya.gateway import Gateway
from ethora_async.sandbox.avaya.state import Account
from ethora_async.sandbox.avaya.view import AvayaView
from ethora_async.sandbox.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.avaya.state import Minted
    from ethora_async.sandbox.logs import RequestRecord


class AvayaSandbox(LocalServer):
    """An Avaya Experience Platform account on this machine: `async with AvayaSandbox() as sandbox: … sandbox.url …`.

    It answers the OAuth 2.0 token endpoint and Generate JWT (docs/platforms/avaya.md#access-token, #generate-jwt), and
    remembers every token it gave. State lives in memory and outlasts `aclose` and `start`, so that an outage can be
    played. Nothing of the chat itself is there, and the chat tokens' signatures are random: nobody but Avaya can check
    the real ones either.

    Args:
        account_id, app_key, client_id, client_secret, integration_id: made when not given.
        host, port: where to listen; port 0 takes a free one.
        access_token_ttl: seconds that an access token lives (900).
        clock: seconds since 1970.
        on_request: called after each request.
        ui: serve the page at `/_sandbox/`.
    """

    def __init__(
        self,
        *,
        account_id: str | None = None,
        app_key: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        integration_id: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        access_token_ttl: float = 900.0,
        clock: Callable[[], float] = time.time,
        on_request: Callable[[RequestRecord], None] | None = None,
        ui: bool = True,
    ) -> None:
        self.faults: AvayaFaults = AvayaFaults()
        self.integration_id: str = (integration_id or str(uuid.uuid4())).lower()
        self._account = Account(
            account_id=account_id or "".join(secrets.choice(string.ascii_uppercase) for _ in range(6)),
            client_id=client_id or f"sandbox-{secrets.token_hex(4)}",
            secrets_taken=(client_secret or secrets.token_urlsafe(24),),
            app_keys=(app_key or secrets.token_hex(16),),
            integration_ids={self.integration_id},
            lifetime=access_token_ttl,
            clock=clock,
            faults=self.faults,
        )
        service = Gateway(self._account)
        super().__init__(
            service,
            self.faults,
            clock=clock,
            host=host,
            port=port,
            on_request=on_request,
            view=AvayaView(self._account) if ui else None,
        )

    def __repr__(self) -> str:
        return f"<AvayaSandbox account_id={self.account_id!r} minted={len(self._account.minted)}>"

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self._account.account_id

    @property
    def client_id(self) -> str:
        """The OAuth 2.0 client's id."""
        return self._account.client_id

    @property
    def client_secret(self) -> str:
        """The OAuth 2.0 client's current secret."""
        return self._account.secrets_taken[0]

    @property
    def app_key(self) -> str:
        """The current application key."""
        return self._account.app_keys[0]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client at this sandbox; secrets are among them."""
        return {
            "AVAYA_HOST": self.url,
            "AVAYA_ACCOUNT_ID": self.account_id,
            "AVAYA_APP_KEY": self.app_key,
            "AVAYA_CLIENT_ID": self.client_id,
            "AVAYA_CLIENT_SECRET": self.client_secret,
            "AVAYA_INTEGRATION_ID": self.integration_id,
        }

    @property
    def minted(self) -> list[Minted]:
        """The latest 10 000 chat tokens that were given out, oldest first."""
        return list(self._account.minted.values())

    def log_in(self, token: str) -> Minted:
        """Start a chat session as a browser would, with the token as it came.

        Raises PermissionError for a token that was never given out, was changed on the way, or has ended.
        """
        minted = self._account.minted.get(token)
        if minted is None:
            msg = "This is no token of this sandbox: was it changed on its way?"
            raise PermissionError(msg)
        if self._account.clock() >= minted.expires_at:
            msg = "The token has ended."
            raise PermissionError(msg)
        return minted

    def add_integration(self) -> str:
        """Make a further chat integration and return its id."""
        made = str(uuid.uuid4())
        self._account.integration_ids.add(made)
        return made

    def rotate_client_secret(self, new: str, *, keep_previous: bool) -> None:
        """Change the client's secret; with `keep_previous` the one before is still taken."""
        self._account.secrets_taken = (new, self.client_secret) if keep_previous else (new,)

    def rotate_app_key(self, new: str, *, keep_previous: bool) -> None:
        """Change the application key; with `keep_previous` the one before is still taken."""
        self._account.app_keys = (new, self.app_key) if keep_previous else (new,)

    def revoke_access_tokens(self) -> None:
        """End every access token now."""
        self._account.access.clear()
