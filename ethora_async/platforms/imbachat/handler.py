"""The users-info callback: answers the chat server's requests to this site, independently of any web framework.

See docs/platforms/imbachat.md#rules-of-our-handler.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ethora_async import codec
from ethora_async._version import __version__
from ethora_async.errors import ConfigError
from ethora_async.platforms.imbachat.basic_auth import Headers, let_in, presented
from ethora_async.platforms.imbachat.requests import AskSearch, AskUsers, AskVersion, asked, split_ids
from ethora_async.platforms.imbachat.settings import check_login
from ethora_async.platforms.imbachat.user_info import UserInfo
from ethora_async.web_response import JSON_HEADERS, WebResponse

if TYPE_CHECKING:
    from ethora_async.tokens.rotating import RotatingKeys
    from ethora_async.tokens.settings import Values

Lookup = Callable[[Sequence[Any]], Awaitable[Iterable[UserInfo]]]
"""Finds users by ids: `int`, or `str` if the handler has an `id_pattern`. Unknown ones are left out."""

Search = Callable[[str], Awaitable[Iterable[UserInfo]]]
"""Finds users by a part of their name, as it was sent: escape it for the database (``%`` and ``_``)."""

UNAUTHORIZED = b'{"code":401,"version":1,"error":"Authenticate required!","debug":""}'
"""The body of a refusal, byte for byte (docs/platforms/imbachat.md#authentication-of-callbacks)."""
_VERSION = 1
_LONGEST_TERM = 100


class UserInfoHandler:
    """Answers the chat server. Create it with `ImbaChatClient.user_info`; pass it every request under its prefix."""

    def __init__(
        self,
        logins: RotatingKeys[Values],
        lookup: Lookup,
        *,
        search: Search | None = None,
        prefix: str = "",
        separator: str = ",",
        id_pattern: str | None = None,
        max_ids: int = 200,
        max_found: int = 20,
    ) -> None:
        if not separator or not separator.strip() or max_ids < 1 or max_found < 1:
            msg = "separator must not be empty or blank, and max_ids and max_found must be at least 1"
            raise ConfigError(msg)
        if not logins.settings.has_store and (ring := logins.peek()) is not None:
            check_login(ring.current)
        self._logins = logins
        self._lookup = lookup
        self._search = search
        self._prefix = prefix.rstrip("/")
        self._separator = separator
        self._pattern = re.compile(id_pattern) if id_pattern is not None else None
        self._max_ids = max_ids
        self._max_found = max_found

    async def handle(self, method: str, path: str, query: str | Mapping[str, str], headers: Headers) -> WebResponse:
        """Answer one request.

        Args:
            method: such as ``"GET"``.
            path: percent-encoded as on the wire, without the query.
            query: the raw query string, or a mapping of its decoded parameters (multidict's and Django's may hold a
                name several times).
            headers: a mapping, or pairs.

        Returns:
            200 with JSON; 400 for invalid ids; 401 with the documented body, whatever the reason; 404 for
            everything else.

        Raises:
            ConfigError: the API login comes from a secret store that cannot be read, or lacks it.
                Exception: any error of your lookup or search.
        """
        question = asked(method.upper(), self._below(path), query, self._separator)
        if isinstance(question, AskVersion):
            return _answer({"version": _VERSION, "type": f"ethora-async {__version__}"})
        ring = self._logins.peek() or await self._logins.load()
        if self._logins.settings.has_store:
            check_login(ring.current)
        if not let_in(headers, ring.inbound()) and self._logins.rotates and presented(headers) is not None:
            # ImbaChat may have been changed first: the store is read again, at most ten times a second.
            ring = await self._logins.newer(ring.version)
        if not let_in(headers, ring.inbound()):
            return WebResponse(401, {**JSON_HEADERS, "WWW-Authenticate": 'Basic realm="Backend"'}, UNAUTHORIZED)
        if isinstance(question, AskUsers):
            return await self._users(question)
        if isinstance(question, AskSearch) and self._search is not None:
            return await self._found(question, self._search)
        return _refusal(404, "Not found.")

    def _below(self, path: str) -> str:
        """Return the path after the prefix, which the framework may have removed already."""
        rest = path.removeprefix(self._prefix)
        return rest if rest in ("", path) or rest.startswith("/") else path

    async def _users(self, question: AskUsers) -> WebResponse:
        ids, problem = split_ids(question.ids, separator=self._separator, most=self._max_ids, pattern=self._pattern)
        if problem is not None:
            return _refusal(400, f"Bad request: {problem}.")
        found = {str(user.user_id): user for user in await self._lookup(ids)} if ids else {}
        # Users who were not requested are left out of the answer.
        return _answer([found[str(id)].wire() for id in ids if str(id) in found])

    async def _found(self, question: AskSearch, search: Search) -> WebResponse:
        term = question.term.strip()
        users = list(await search(term))[: self._max_found] if 0 < len(term) <= _LONGEST_TERM else []
        if question.form == "list":
            return _answer([{"name": user.name, "user_id": user.user_id} for user in users])
        data = [_hit(user) for user in users]
        return _answer({"code": 200, "version": _VERSION, "data": data})


def _hit(user: UserInfo) -> dict[str, Any]:
    hit = {"name": user.name, "user_id": user.user_id}
    return hit if user.email is None else {**hit, "email": user.email}


def _answer(data: Any) -> WebResponse:
    return WebResponse(200, dict(JSON_HEADERS), codec.dumps(data))


def _refusal(status: int, reason: str) -> WebResponse:
    return WebResponse(
        status, dict(JSON_HEADERS), codec.dumps({"code": status, "version": _VERSION, "error": reason, "debug": ""})
    )
