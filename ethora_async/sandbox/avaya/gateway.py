"""Answer raw requests to the local Avaya."""

from __future__ import annotations

import hmac
import itertools
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import attrs
import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.avaya.checks import violations
from ethora_async.sandbox.avaya.problems import OAuthError, RefusedError, oauth_answer, problem_answer
from ethora_async.sandbox.avaya.state import Account
from ethora_async.sandbox.routing import Route, RouteList, RouteTable
from ethora_async.sandbox.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.web import BaseRequest

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store"}


@attrs.frozen(kw_only=True, repr=False)
class Call:
    """A request after routing. `account_id` is the path's account, which may not exist."""

    account: Account
    account_id: str
    headers: Mapping[str, str]
    content_type: str
    raw: bytes


class Gateway:
    """Answers requests for one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count(1)

    def operation(self, method: str, path: str) -> str | None:
        """Return the name of the route for a request, or None."""
        match = TABLE.find(method, path)
        return None if match is None else match.route.operation

    async def answer(self, request: BaseRequest, path: str, query: str) -> Reply:  # noqa: ARG002
        """Answer one request."""
        request_id = f"{self._prefix}-{next(self._count):08x}"
        try:
            answer = await self._serve(request, path)
        except OAuthError as error:
            answer = oauth_answer(error)
        except RefusedError as refusal:
            answer = problem_answer(refusal, path)
        answer.headers["av-log-id"] = request_id
        return answer

    async def _serve(self, request: BaseRequest, path: str) -> Reply:
        try:
            raw = await request.read()
        except HTTPRequestEntityTooLarge:
            raise RefusedError(413, "The request is too large.") from None
        match = TABLE.find(request.method, path)
        if match is None:
            raise RefusedError(404, "No such resource.")
        if not _among(request.headers.get("appkey", ""), self._account.app_keys):
            raise RefusedError(401, "Authentication failed: invalid [Appkey].")
        call = Call(
            account=self._account,
            account_id=match.params["accountId"],
            headers=request.headers,
            content_type=request.content_type,
            raw=raw,
        )
        return await match.answer(call)


def issue_access_token(call: Call) -> Reply:
    """Answer OAuth 2.0's client credentials grant."""
    account = call.account
    if call.account_id != account.account_id:
        raise RefusedError(404, "No such account.")
    if call.content_type != FORM:
        raise RefusedError(415, f"The content type must be {FORM}.")
    form = dict(parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True))
    if form.get("grant_type") != "client_credentials":
        raise RefusedError(400, "The grant_type is not supported.")
    # Both are compared, whatever the result of the first.
    known = hmac.compare_digest(form.get("client_id", "").encode(), account.client_id.encode())
    if not (_among(form.get("client_secret", ""), account.secrets_taken) and known):
        if account.faults.oauth_errors:
            raise OAuthError(401, "invalid_client", "Invalid client or Invalid client credentials")
        raise RefusedError(401, "Invalid client credentials.")
    return Reply(200, orjson.dumps(account.issue()), JSON, dict(NO_STORE))


def generate_jwt(call: Call) -> Reply:
    """Mint a chat token."""
    account = call.account
    scheme, _, token = call.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not account.knows(token):
        raise RefusedError(401, "Authentication failed: invalid or expired [Access-Token].")
    if call.account_id != account.account_id:
        raise RefusedError(400, f"Account id {call.account_id[:40]} is not valid.", status_as_text=True)
    if call.content_type != JSON:
        raise RefusedError(415, f"The content type must be {JSON}.")
    body = _object(call.raw)
    if broken := violations(body):
        raise RefusedError(400, "The request breaks constraints.", broken)
    if body["integrationId"].lower() not in account.integration_ids:
        raise RefusedError(400, "No such integration.")
    minted = account.mint(body)
    return Reply(201, orjson.dumps({"jwtToken": minted.value}), JSON, dict(NO_STORE))


ROUTES: RouteList[Route, Call] = RouteList()
ROUTES.extend([Route("POST", "/api/auth/v1/{accountId}/protocol/openid-connect/token")], issue_access_token)
ROUTES.extend([Route("POST", "/api/digital/chat/v1/accounts/{accountId}/tokens")], generate_jwt)
TABLE = RouteTable(ROUTES, errors="replace")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body: object = orjson.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "The payload is malformed.")
    return body


def _among(given: str, taken: Iterable[str]) -> bool:
    return any(hmac.compare_digest(given.encode("utf-8", "replace"), one.encode()) for one in taken)
