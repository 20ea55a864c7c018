"""What all parts of one Ethora client share."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ethora_async.config import normal_api_url
from ethora_async.engine.engine import Engine
from ethora_async.errors import ConfigError
from ethora_async.platforms.ethora.auth import ServerCredentials
from ethora_async.platforms.ethora.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async.engine.events import Emitter
    from ethora_async.platforms.ethora.auth import AppSecret
    from ethora_async.protocols import Clock

API_URL = "ETHORA_CHAT_API_URL"
APP_ID = "ETHORA_CHAT_APP_ID"


@attrs.frozen(eq=False)
class App:
    """One app, ready to be talked to."""

    names: Names
    engine: Engine
    credentials: ServerCredentials
    api_url: str

    @property
    def app_id(self) -> str:
        """The app's id."""
        return self.names.app_id

    def xmpp_host(self) -> str:
        """The XMPP host that belongs to the API's host on Ethora's own clusters: ``xmpp.`` in place of ``api.``.

        Raises:
            ConfigError: the API's host does not begin with ``api.``.
        """
        host = urlsplit(self.api_url).hostname or ""
        if not host.startswith("api."):
            msg = f"the XMPP host cannot be told from the API host {host}: set ETHORA_XMPP_HOST, or pass xmpp_host="
            raise ConfigError(msg)
        return f"xmpp.{host.removeprefix('api.')}"


class Context:
    """One client's app, once it is known.

    The app id and the API's URL may stand in the secret store beside the secret; then they are known only after the
    first answer of the store, and `open` waits for it.
    """

    def __init__(
        self,
        *,
        app_id: str | None,
        api_url: str | None,
        secret: AppSecret,
        connect: Callable[[str, str], App],
        clock: Clock,
        emitter: Emitter,
    ) -> None:
        self.secret = secret
        self.clock = clock
        self.emitter = emitter
        self._connect = connect
        self._settings = {APP_ID: app_id, API_URL: api_url}
        self.app: App | None = None
        if app_id is not None and api_url is not None:
            self.app = self._made(self._settings)

    async def open(self) -> App:
        """The app; asks the secret store for what was not passed in.

        Raises:
            ConfigError: the store cannot be read, or lacks a setting too.
        """
        if self.app is None:
            bundle = await self.secret.bundle()
            found = {name: value or bundle.get(name) for name, value in self._settings.items()}
            for name, value in found.items():
                if not (value or "").strip():
                    msg = f"{name} is not set: it was looked for in the arguments, the environment and {bundle.source}"
                    raise ConfigError(msg)
            if self.app is None:  # another task may have been quicker
                self.app = self._made(found)
        return self.app

    def known(self) -> App:
        """The app, for what cannot wait.

        Raises:
            ConfigError: it is to come from the secret store, which has not been asked yet.
        """
        if self.app is None:
            msg = "the app id comes from the secret store: await any call first, or pass app_id= and api_url="
            raise ConfigError(msg)
        return self.app

    def _made(self, settings: Mapping[str, str | None]) -> App:
        return self._connect((settings[APP_ID] or "").strip(), normal_api_url(settings[API_URL] or ""))
