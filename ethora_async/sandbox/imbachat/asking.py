"""The chat server's own requests: it looks up users through a site (docs/platforms/imbachat.md#callbacks)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import attrs
import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

UserIdsForm = Literal["as configured", "path", "user_ids", "ids"]
TIMEOUT = 10.0
SHOWN = 200


class SiteError(Exception):
    """The site's answer is unusable; the message describes it."""


@attrs.frozen
class SiteAnswer:
    """The site's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)


def users_url(base: str, ids: Iterable[int | str], form: UserIdsForm, separator: str) -> str:
    """Return the URL that asks for these users.

    `as configured` appends the ids to the URL, which the vendor's texts suggest; `path` as a further step of
    the path; the others as a parameter of that name.
    """
    joined = quote(separator.join(map(str, ids)), safe=",")
    if form == "as configured":
        return base + joined
    if form == "path":
        return f"{base.rstrip('/')}/{joined}"
    return f"{base}{'&' if urlsplit(base).query else '?'}{form}={joined}"


def basic(login: str, password: str) -> str:
    """Return the Authorization header (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


async def fetch(method: str, url: str, headers: Mapping[str, str]) -> SiteAnswer:
    """Send one request. SiteError when no answer comes within 10 s."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, url, headers=dict(headers), allow_redirects=False) as response,
        ):
            return SiteAnswer(response.status, response.headers, await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        problem = type(error).__name__
    # Outside the handler: aiohttp's errors hold the request's headers.
    msg = f"The site could not be asked ({problem})."
    raise SiteError(msg)


def read_users(answer: SiteAnswer) -> list[dict[str, Any]]:
    """Return the users in a site's answer. SiteError unless it is an array of objects with `user_id` and `name`."""
    if answer.status != 200:
        msg = f"The site answered HTTP {answer.status}: {answer.body[:SHOWN].decode('utf-8', 'replace')}"
        raise SiteError(msg)
    try:
        users: object = orjson.loads(answer.body)
    except ValueError:
        users = None
    if not isinstance(users, list):
        msg = "The site did not answer with a JSON array."
        raise SiteError(msg)
    for place, user in enumerate(users):
        if not _is_user(user):
            msg = f"User {place} of the site's answer has no user_id and name of the right kinds."
            raise SiteError(msg)
    return users


def _is_user(user: object) -> bool:
    if not isinstance(user, dict):
        return False
    id, name = user.get("user_id"), user.get("name")
    return isinstance(id, (int, str)) and not isinstance(id, bool) and isinstance(name, str) and bool(name)
