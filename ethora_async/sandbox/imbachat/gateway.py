"""Answer raw requests to the local ImbaChat: the widget's script and its log-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
import orjson
from aiohttp.web import HTTPRequestEntityTooLarge

from ethora_async.sandbox.imbachat.asking import SiteError
from ethora_async.sandbox.imbachat.tokens import TokenRefusedError
from ethora_async.sandbox.routing import Route, RouteList, RouteTable
from ethora_async.sandbox.wire import Reply, json_reply, text_reply

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

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


@attrs.frozen(repr=False)
class Call:
    """A request after routing: its body, and what starts a session."""

    raw: bytes
    log_in: Callable[[str | None], Awaitable[dict[str, Any]]]


class Gateway:
    """Answers requests for one widget. `log_in` starts a session with a token, or a guest's without one."""

    def __init__(self, widget_id: int, log_in: Callable[[str | None], Awaitable[dict[str, Any]]]) -> None:
        self._log_in = log_in
        self._widget_id = str(widget_id)

    def operation(self, method: str, path: str) -> str | None:
        """Return the name of the route for a request, or None."""
        match = TABLE.find(method, path)
        return match.route.operation if match is not None and match.params["dev_id"] == self._widget_id else None

    async def answer(self, request: BaseRequest, path: str, query: str) -> Reply:  # noqa: ARG002
        """Answer one request."""
        try:
            raw = await request.read()
        except HTTPRequestEntityTooLarge:
            return json_reply({"code": 413, "error": "The request is too large."}, 413)
        match = TABLE.find(request.method, path)
        if match is None or match.params["dev_id"] != self._widget_id:
            return json_reply({"code": 404, "error": "Not found."}, 404)
        return await match.answer(Call(raw, self._log_in))


def send_script(call: Call) -> Reply:  # noqa: ARG001 - every handler takes the call
    """Send the widget's script."""
    return text_reply(SCRIPT, 200, JAVASCRIPT, dict(FOR_ALL))


async def log_in(call: Call) -> Reply:
    """Start a session for a widget."""
    try:
        parameters: object = orjson.loads(call.raw)
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        return json_reply({"code": 422, "error": "The parameters are not an object."}, 422, dict(FOR_ALL))
    token = parameters.get("token")
    try:
        user = await call.log_in(token if isinstance(token, str) else None)
    except TokenRefusedError as refused:
        return json_reply({"code": 401, "error": str(refused)}, 401, dict(FOR_ALL))
    except SiteError as failed:
        return json_reply({"code": 502, "error": str(failed)}, 502, dict(FOR_ALL))
    return json_reply(user, 200, dict(FOR_ALL))


ROUTES: RouteList[Route, Call] = RouteList()
ROUTES.extend([Route("GET", "/imbachat/v1/{dev_id}/widget")], send_script)
ROUTES.extend([Route("POST", "/imbachat/v1/{dev_id}/login")], log_in)
TABLE = RouteTable(ROUTES, errors="replace")
