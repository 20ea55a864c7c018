"""From a raw request to an answer of the local ImbaChat: the widget's script and its log-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.imbachat.asking import SiteFailed
from ethora_async.sandbox.imbachat.tokens import TokenRefused
from ethora_async.sandbox.wire import Answer, json_answer, text_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from aiohttp.web import BaseRequest

WIDGET = "GET /imbachat/v1/{dev_id}/widget"
LOG_IN = "POST /imbachat/v1/{dev_id}/login"
JAVASCRIPT = "text/javascript; charset=utf-8"
# The page comes from another origin, and its script is what it runs.
FOR_ALL = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}

SCRIPT = """(function () {
  var home = new URL(document.currentScript.src);
  window.ImbaChat = {
    load: function (params) {
      return fetch(home.href.replace(/widget$/, "login"), {method: "POST", body: JSON.stringify(params || {})})
        .then(function (answer) { return answer.json(); })
        .then(function (user) {
          document.documentElement.setAttribute("data-imbachat", user.name || user.error || "guest");
          return user;
        });
    }
  };
})();
"""


class Gateway:
    """Answers requests for one widget. `log_in` starts a session with a token, or a guest's without one."""

    def __init__(self, widget_id: int, log_in: Callable[[str | None], Awaitable[dict[str, Any]]]) -> None:
        self._log_in = log_in
        self._paths = {
            f"GET /imbachat/v1/{widget_id}/widget": WIDGET,
            f"POST /imbachat/v1/{widget_id}/login": LOG_IN,
        }

    def operation(self, method: str, path: str) -> str | None:
        """Name the route that would serve a request, or None."""
        return self._paths.get(f"{method} {path}")

    async def answer(self, request: BaseRequest, path: str, query: str) -> Answer:  # noqa: ARG002
        """Answer one request."""
        route = self.operation(request.method, path)
        try:
            raw = await request.read()
        except HTTPRequestEntityTooLarge:
            return json_answer({"code": 413, "error": "The request is too large."}, 413)
        if route == WIDGET:
            return text_answer(SCRIPT, 200, JAVASCRIPT, dict(FOR_ALL))
        if route == LOG_IN:
            return await self._answer_log_in(raw)
        return json_answer({"code": 404, "error": "There is nothing here."}, 404)

    async def _answer_log_in(self, raw: bytes) -> Answer:
        try:
            parameters: object = orjson.loads(raw)
        except ValueError:
            parameters = None
        if not isinstance(parameters, dict):
            return json_answer({"code": 422, "error": "The parameters are no object."}, 422, dict(FOR_ALL))
        token = parameters.get("token")
        try:
            user = await self._log_in(token if isinstance(token, str) else None)
        except TokenRefused as refused:
            return json_answer({"code": 401, "error": str(refused)}, 401, dict(FOR_ALL))
        except SiteFailed as failed:
            return json_answer({"code": 502, "error": str(failed)}, 502, dict(FOR_ALL))
        return json_answer(user, 200, dict(FOR_ALL))
