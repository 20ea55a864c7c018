"""The server's own documentation (docs/platforms/ethora.md#hosts-and-paths)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ethora_async._version import __version__
from ethora_async.sandbox.ethora.openapi import describe
from ethora_async.sandbox.ethora.replies import MAP, TEXT
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.wire import HTML, Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call

ROUTES: Routes[Call] = Routes()


@ROUTES.add("GET", "/api-docs/swagger.json", auth=Auth.NONE, section="hosts-and-paths", replies={200: MAP})
def document(call: Call) -> Reply:
    """Describe every route in OpenAPI."""
    return json_reply(describe(call.routes, call.platform.forms, __version__))


@ROUTES.add("GET", "/api-docs", auth=Auth.NONE, section="hosts-and-paths", replies={200: TEXT}, kinds=("text/html",))
def overview(call: Call) -> Reply:
    """List every route on a page."""
    rows = "\n".join(
        f"<tr><td>{route.method}</td><td>{html.escape(route.path)}</td><td>{route.auth.value}</td>"
        f"<td>{html.escape(route.summary)}</td></tr>"
        for route in call.routes
    )
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Ethora sandbox</title>\n</head>\n'
        f'<body>\n<h1>Ethora sandbox</h1>\n<p><a href="/api-docs/swagger.json">OpenAPI</a></p>\n'
        f"<table>\n{rows}\n</table>\n</body>\n</html>\n"
    )
    return Reply(200, page.encode(), HTML)
