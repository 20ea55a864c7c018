"""The platform itself: health, and the settings that a front end reads before log-in.

See docs/platforms/ethora.md#hosts-and-paths, #apps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.errors import app_not_found
from ethora_async.sandbox.ethora.forms import DOMAIN
from ethora_async.sandbox.ethora.replies import FLAG, TEXT, closed, ref, result, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes_apps import app_config
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call

ROUTES: Routes[Call] = Routes()


@ROUTES.add(
    "GET", "/ping", "/v1/ping", auth=Auth.NONE, section="hosts-and-paths", replies={200: success({"message": TEXT})}
)
def ping(call: Call) -> Reply:  # noqa: ARG001 - every handler takes the call
    """Report that the server is up."""
    return json_reply({"ok": True, "success": True, "message": "pong"})


@ROUTES.add(
    "GET",
    "/v2/license",
    auth=Auth.NONE,
    section="hosts-and-paths",
    replies={200: success({"license": closed({"edition": TEXT, "tier": TEXT, "state": TEXT, "registered": FLAG})})},
)
def read_license(call: Call) -> Reply:  # noqa: ARG001 - every handler takes the call
    """Return the license of the installation; a sandbox is not registered with the vendor."""
    license_ = {"edition": "sandbox", "tier": "free", "state": "active", "registered": False}
    return json_reply({"ok": True, "success": True, "license": license_})


@ROUTES.add(
    "GET", "/v1/apps/get-config", auth=Auth.NONE, section="apps", query=DOMAIN, replies=result(ref("AppConfig"))
)
def get_config(call: Call) -> Reply:
    """Return the configuration that a front end needs, including the app token and whether the app is archived."""
    app = call.platform.store.app_of_domain(call.asked()["domainName"].lower())
    if app is None:
        raise app_not_found(404)
    return json_reply({"ok": True, "success": True, "result": app_config(app, call.platform)})
