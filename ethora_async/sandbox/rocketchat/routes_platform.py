"""About the server: its version and its settings (docs/platforms/rocketchat.md#token-lifetime, #server-info)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ethora_async.sandbox.rocketchat import announce
from ethora_async.sandbox.rocketchat.call import success
from ethora_async.sandbox.rocketchat.errors import failure
from ethora_async.sandbox.rocketchat.permissions import may
from ethora_async.sandbox.rocketchat.routing import Routes
from ethora_async.sandbox.rocketchat.schema import NUMBER, TEXT, closed, maybe
from ethora_async.sandbox.rocketchat.settings import PUBLIC

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.call import Call
    from ethora_async.sandbox.wire import Reply

ROUTES: Routes[Call] = Routes()
PAGED = {"count": maybe(NUMBER), "offset": maybe(NUMBER), "sort": maybe(TEXT), "query": TEXT}


@ROUTES.add("GET", "/api/info", section="server-info", anonymous=True)
def info(call: Call) -> Reply:
    """Return the version: major and minor only, unless the caller may view the statistics."""
    version = call.platform.version
    body: dict[str, Any] = {"version": version.short, "minimumClientVersions": {"desktop": "3.9.6", "mobile": "4.39.0"}}
    if may(call.caller, "view-statistics"):
        body |= {"version": str(version), "info": {"version": str(version), "marketplaceApiVersion": "1.0.0"}}
    return success(**body)


@ROUTES.add(
    "GET", "settings.public", section="token-lifetime", anonymous=True, query=closed({}, {**PAGED, "_id": TEXT})
)
def public_settings(call: Call) -> Reply:
    """List the settings that anyone may read; `_id` selects some of them from 7.0 on, `query` before."""
    values = call.platform.settings.public()
    wanted = _wanted(call)
    found = [{"_id": name, "value": value} for name, value in values.items() if wanted is None or name in wanted]
    return call.listing("settings", found, dict)


def _wanted(call: Call) -> set[str] | None:
    if call.platform.version.since(7):
        named = call.query.get("_id")
        return None if named is None else set(named.split(","))
    try:
        asked: Any = orjson.loads(call.query.get("query", "{}")).get("_id")
    except (ValueError, AttributeError):
        return None
    if isinstance(asked, dict):
        asked = asked.get("$in", [])
    return None if asked is None else {asked} if isinstance(asked, str) else set(asked)


@ROUTES.add("GET", "settings/{_id}", section="token-lifetime", any_of=("edit-privileged-setting",))
def setting(call: Call) -> Reply:
    """Return one setting."""
    if call.params["_id"] not in call.platform.settings:
        raise failure("The setting was not found")
    return success(_id=call.params["_id"], value=call.platform.settings[call.params["_id"]])


@ROUTES.add("POST", "settings/{_id}", section="second-factor", any_of=("edit-privileged-setting",), two_factor=True)
def change_setting(call: Call) -> Reply:
    """Change one setting; a new token lifetime also applies to existing tokens."""
    name = call.params["_id"]
    if name not in call.platform.settings:
        raise failure("The setting was not found")
    if "value" not in call.body:
        raise failure("The 'value' param is required")
    if not call.platform.settings.takes(name, call.body["value"]):
        raise failure("Invalid setting value")
    call.platform.settings[name] = call.body["value"]
    if name in PUBLIC:
        announce.setting(call.platform, name, call.body["value"])
    return success()
