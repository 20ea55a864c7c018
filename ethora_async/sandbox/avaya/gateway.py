"""From a raw request to an answer of the local Avaya."""

from __future__ import annotations

import hmac
import itertools
import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.avaya.checks import violations
from ethora_async.sandbox.avaya.problems import OAuthRefusal, Refusal, oauth_answer, problem_answer
from ethora_async.sandbox.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.web import BaseRequest

    from ethora_async.sandbox.avaya.state import Account

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ACCESS_TOKEN = "POST /api/auth/v1/{accountId}/protocol/openid-connect/token"  # noqa: S105  a route
GENERATE_JWT = "POST /api/digital/chat/v1/accounts/{accountId}/tokens"
ROUTES = (ACCESS_TOKEN, GENERATE_JWT)
PATTERNS = {
    route: re.compile(re.escape(route).replace(r"\{accountId\}", "([^/]+)").replace(r"\ ", " ")) for route in ROUTES
}


class Gateway:
    """Answers requests for one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count(1)

    def operation(self, method: str, path: str) -> str | None:
        """Name the route that would serve a request, or None."""
        return next((route for route, pattern in PATTERNS.items() if pattern.fullmatch(f"{method} {path}")), None)

    async def answer(self, request: BaseRequest, path: str, query: str) -> Answer:  # noqa: ARG002
        """Answer one request."""
        request_id = f"{self._prefix}-{next(self._count):08x}"
        try:
            answer = await self._serve(request, path)
        except OAuthRefusal as refusal:
            answer = oauth_answer(refusal)
        except Refusal as refusal:
            answer = problem_answer(refusal, path)
        answer.headers["av-log-id"] = request_id
        return answer

    async def _serve(self, request: BaseRequest, path: str) -> Answer:
        try:
            raw = await request.read()
        except HTTPRequestEntityTooLarge:
            raise Refusal(413, "The request is too large.") from None
        route = self.operation(request.method, path)
        match = PATTERNS[route].fullmatch(f"{request.method} {path}") if route else None
        if match is None:
            raise Refusal(404, "No such resource.")
        self._check_app_key(request)
        account = unquote(match.group(1))
        if route == ACCESS_TOKEN:
            return self._access_token(request, account, raw)
        return self._generate(request, account, raw)

    def _check_app_key(self, request: BaseRequest) -> None:
        if not _among(request.headers.get("appkey", ""), self._account.app_keys):
            raise Refusal(401, "Authentication failed: invalid [Appkey].")

    def _access_token(self, request: BaseRequest, account: str, raw: bytes) -> Answer:
        if account != self._account.account_id:
            raise Refusal(404, "No such account.")
        if request.content_type != FORM:
            raise Refusal(415, f"The content type must be {FORM}.")
        form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "The grant_type is not supported.")
        # Both are looked at, whatever the first one says.
        known = hmac.compare_digest(form.get("client_id", "").encode(), self._account.client_id.encode())
        if not (_among(form.get("client_secret", ""), self._account.secrets_taken) and known):
            if self._account.faults.oauth_errors:
                raise OAuthRefusal(401, "invalid_client", "Invalid client or Invalid client credentials")
            raise Refusal(401, "Invalid client credentials.")
        return Answer(200, orjson.dumps(self._account.issue()), JSON, {"Cache-Control": "no-store"})

    def _generate(self, request: BaseRequest, account: str, raw: bytes) -> Answer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._account.knows(token):
            raise Refusal(401, "Authentication failed: invalid or expired [Access-Token].")
        if account != self._account.account_id:
            raise Refusal(400, f"Account id {account[:40]} is not valid.", status_as_text=True)
        if request.content_type != JSON:
            raise Refusal(415, f"The content type must be {JSON}.")
        body = _object(raw)
        if broken := violations(body):
            raise Refusal(400, "The request breaks constraints.", broken)
        if body["integrationId"].lower() not in self._account.integration_ids:
            raise Refusal(400, "No such integration.")
        minted = self._account.mint(body)
        return Answer(201, orjson.dumps({"jwtToken": minted.value}), JSON, {"Cache-Control": "no-store"})


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body: object = orjson.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "The payload is malformed.")
    return body


def _among(given: str, taken: Iterable[str]) -> bool:
    return any(hmac.compare_digest(given.encode("utf-8", "replace"), one.encode()) for one in taken)
