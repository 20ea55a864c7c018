"""The chat server of one client, and its open streams."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakSet

from ethora_async.platforms.ethora.realtime.addresses import service_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.platforms.ethora.realtime.account import Account
    from ethora_async.platforms.ethora.realtime.connection import AccountOf, OpenSocket, Realtime
    from ethora_async.protocols import Clock
    from ethora_async.records import Id, User
    from ethora_async.redaction import Secret


class ChatService:
    """Opens streams, and closes them with the client.

    Args:
        open_socket: Opens a websocket.
        clock: The client's clock.
        timeout: Seconds that the server may take to confirm something.
        service: The websocket's address; if it is empty, ``wss://<host>/ws``.
        host: The XMPP domain; by default the host of `service`, else the one derived from the API's host.
    """

    def __init__(
        self, open_socket: OpenSocket, clock: Clock, *, timeout: float, service: Secret, host: str | None
    ) -> None:
        self._open_socket = open_socket
        self._clock = clock
        self._timeout = timeout
        self._service = service
        self._host = host
        self._streams: WeakSet[Realtime] = WeakSet()

    def account(self, app: App, username: str, password: Secret, user: User) -> Account:
        """Return the account to log in with, and its server.

        Raises:
            ConfigError: The chat server's address is unknown, or is not a URL.
        """
        from ethora_async.platforms.ethora.realtime.account import Account

        service = service_url(self._service) if self._service else None
        host = self._host or (urlsplit(service).hostname if service else None) or app.xmpp_host()
        return Account(
            service=service or f"https://{host}/ws",
            host=host,
            username=username,
            password=password,
            first_name=user.first_name or "",
            last_name=user.last_name or "",
            names=app.names,
        )

    def stream(self, account_of: AccountOf, *, rooms: Id | Iterable[Id], queue_size: int) -> Realtime:
        """Create a stream, to be entered."""
        from ethora_async.platforms.ethora.realtime.connection import Realtime

        stream = Realtime(
            account_of, self._open_socket, self._clock, rooms=rooms, queue_size=queue_size, timeout=self._timeout
        )
        self._streams.add(stream)
        return stream

    async def aclose(self) -> None:
        """Close every stream."""
        for stream in list(self._streams):
            await stream.aclose()
