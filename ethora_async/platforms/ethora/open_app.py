"""One app to which a client can send requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from ethora_async.codec import loads
from ethora_async.engine.engine import Engine
from ethora_async.errors import ConfigError
from ethora_async.platforms.ethora.auth import ServerCredentials
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.operations import OTHER_APP, OWN_APP, AppOperations
from ethora_async.protocols import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from ethora_async.config import Seconds
    from ethora_async.engine.urls import QueryValue
    from ethora_async.request import Operation, Reply, Upload


@attrs.frozen(eq=False, repr=False)
class App:
    """One app, ready for requests."""

    names: Names
    engine: Engine
    credentials: ServerCredentials
    api_url: str
    operations: AppOperations = OWN_APP
    signer: Credentials | None = None
    """Credentials in place of the app's own server token: a user's session."""

    def other(self, app_id: str | None, signer: Credentials | None) -> App:
        """Return another app, or this one with other credentials, on the same connection."""
        names = self.names if app_id is None else Names(app_id)
        return attrs.evolve(self, names=names, operations=OTHER_APP, signer=signer)

    def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
        data: Any = None,
        upload: Upload | None = None,
        timeout: Seconds | None = None,
        decode: Callable[[bytes], Any] | None = loads,
    ) -> Coroutine[Any, Any, Reply]:
        """Carry out one operation on this app; see `Engine.call`. Fills in ``{app}`` in the path."""
        if "{" in operation.path:
            path = {"app": self.names.app_id, **(path or {})}
        return self.engine.call(
            operation,
            path=path,
            query=query,
            data=data,
            upload=upload,
            credentials=self.signer,
            timeout=timeout,
            decode=decode,
        )

    @property
    def app_id(self) -> str:
        """The app's id."""
        return self.names.app_id

    def xmpp_host(self) -> str:
        """Return the XMPP host for the API's host on Ethora's own clusters: ``xmpp.`` in place of ``api.``.

        Raises:
            ConfigError: the API's host does not begin with ``api.``.
        """
        host = urlsplit(self.api_url).hostname or ""
        if not host.startswith("api."):
            msg = f"the XMPP host cannot be derived from the API host {host}: set ETHORA_XMPP_HOST, or pass xmpp_host="
            raise ConfigError(msg)
        return f"xmpp.{host.removeprefix('api.')}"
