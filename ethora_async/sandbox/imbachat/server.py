"""The local ImbaChat: the chat server that calls *you*, for development and tests."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from ethora_async.sandbox.faults import Faults
from ethora_async.sandbox.imbachat.asking import SiteError, basic, fetch, read_users, users_url
from ethora_async.sandbox.imbachat.gateway import Gateway
from ethora_async.sandbox.imbachat.online import ChatUser
from ethora_async.sandbox.imbachat.tokens import user_of
from ethora_async.sandbox.imbachat.view import ImbaChatView
from ethora_async.sandbox.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ethora_async.sandbox.imbachat.asking import SiteAnswer, UserIdsForm
    from ethora_async.sandbox.logs import RequestRecord


class ImbaChatSandbox(LocalServer):
    """An ImbaChat widget on this machine: `async with ImbaChatSandbox(users_info_url=…) as sandbox: …`.

    It serves the widget's script, checks the tokens that users log in with, and asks your site about them, as the real
    chat server does. Who has logged in is kept in `online`, and outlasts `aclose` and `start`. The script logs in by a
    route of the sandbox's own: how the real widget talks to its server is not documented. Nothing of the chat itself is
    there.

    Args:
        widget_id, secret_key, api_login, api_password: made when not given.
        users_info_url: "Users info URL" of the widget's settings; None asks nobody. It may be set later.
        separator: what stands between ids.
        host, port: where to listen; port 0 takes a free one.
        clock: seconds since 1970.
        on_request: called after each request that comes in.
        ui: serve the page at `/_sandbox/`.
    """

    def __init__(
        self,
        *,
        widget_id: int | None = None,
        secret_key: str | None = None,
        api_login: str | None = None,
        api_password: str | None = None,
        users_info_url: str | None = None,
        separator: str = ",",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        on_request: Callable[[RequestRecord], None] | None = None,
        ui: bool = True,
    ) -> None:
        self.faults: Faults = Faults()
        self.widget_id: int = widget_id or 1 + secrets.randbelow(99_999)
        self.secret_key: str = secret_key or secrets.token_urlsafe(48)
        self.api_login: str = api_login or f"imba-{secrets.token_hex(4)}"
        self.api_password: str = api_password or secrets.token_urlsafe(18)
        self.users_info_url = users_info_url
        self.online: dict[int, ChatUser] = {}
        self.guests: int = 0
        self._separator = separator
        self._clock = clock
        service = Gateway(self.widget_id, self._serve_log_in)
        super().__init__(
            service,
            self.faults,
            clock=clock,
            host=host,
            port=port,
            on_request=on_request,
            view=ImbaChatView(self) if ui else None,
        )

    def __repr__(self) -> str:
        return f"<ImbaChatSandbox widget_id={self.widget_id} online={len(self.online)}>"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a client at this sandbox; secrets are among them."""
        return {
            "IMBACHAT_API_URL": self.url,
            "IMBACHAT_WIDGET_ID": str(self.widget_id),
            "IMBACHAT_SECRET_KEY": self.secret_key,
            "IMBACHAT_API_LOGIN": self.api_login,
            "IMBACHAT_API_PASSWORD": self.api_password,
        }

    async def ask_users_info(
        self, ids: Iterable[int | str], *, form: UserIdsForm = "as configured"
    ) -> list[dict[str, Any]]:
        """Ask the site who these users are, and return its answer.

        `form` is how the ids are put into the URL. Raises SiteError when the answer is no array of users, and
        RuntimeError without a `users_info_url`.
        """
        url = users_url(self._site(), ids, form, self._separator)
        return read_users(await self._ask("GET", url))

    async def search(self, term: str, *, form: str = "search") -> list[dict[str, Any]]:
        """Ask the site who has this in their name: by `search` (GET, wrapped) or `searchusers` (POST, an array).

        The path's last step is put in the place of the Users info URL's ids. Raises SiteError for any other answer.
        """
        url = f"{self._site().partition('?')[0].rstrip('/')}/{form}/{quote(term, safe='')}"
        answer = await self._ask("GET" if form == "search" else "POST", url)
        if form != "search":
            return read_users(answer)
        body: Any = orjson.loads(answer.body) if answer.status == 200 else {}
        if body.get("code") != 200 or not isinstance(body.get("data"), list):
            msg = f"The site answered the search with HTTP {answer.status}."
            raise SiteError(msg)
        found: list[dict[str, Any]] = body["data"]
        return found

    async def log_in(self, token: str) -> ChatUser:
        """Start a user's session, as the widget does with a token, and ask the site who that is.

        Raises TokenRefusedError, a PermissionError, for a token that is not accepted, and SiteError as
        `ask_users_info` does.
        """
        user_id = user_of(token, self.secret_key, self._clock())
        info = await self.ask_users_info([user_id]) if self.users_info_url is not None else []
        known = next((one for one in info if str(one["user_id"]) == str(user_id)), {})
        user = self.online[user_id] = ChatUser(user_id, str(known.get("name", "")), known)
        return user

    async def _serve_log_in(self, token: str | None) -> dict[str, Any]:
        if token is None:
            self.guests += 1
            return {"user_id": None, "name": "guest"}
        user = await self.log_in(token)
        return {"user_id": user.user_id, "name": user.name}

    async def _ask(self, method: str, url: str) -> SiteAnswer:
        return await fetch(method, url, {"Authorization": basic(self.api_login, self.api_password)})

    def _site(self) -> str:
        if self.users_info_url is None:
            msg = "The sandbox knows no site to ask: set users_info_url."
            raise RuntimeError(msg)
        return self.users_info_url
