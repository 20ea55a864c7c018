"""Create, list, rotate and revoke app tokens (docs/platforms/ethora.md#app-tokens). A value is returned once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.errors import not_found
from ethora_async.sandbox.ethora.forms import PAGE
from ethora_async.sandbox.ethora.forms_apps import TOKEN_LABEL
from ethora_async.sandbox.ethora.records import AppToken
from ethora_async.sandbox.ethora.replies import RECORDS, listed, ref, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import listing
from ethora_async.sandbox.ethora.shapes_apps import app_token_record
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call

ROUTES: Routes[Call] = Routes()
PATH = "/v2/apps/{appId}/tokens"
NEW = success(RECORDS["NewAppToken"]["properties"])


@ROUTES.add(
    "GET",
    PATH,
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    query=PAGE,
    replies=listed("tokens", ref("AppToken")),
)
def list_tokens(call: Call) -> Reply:
    """List the app tokens, revoked ones included, without their values."""
    asked, tokens = call.asked(), list(call.app.tokens.values())
    page = tokens[asked["offset"] : asked["offset"] + asked["limit"]]
    rows = [app_token_record(token) for token in page]
    return listing("tokens", rows, total=len(tokens), limit=asked["limit"], offset=asked["offset"])


@ROUTES.add("POST", PATH, auth=Auth.TENANT_ACTOR, section="apps", admin=True, body=TOKEN_LABEL, replies={201: NEW})
def create_token(call: Call) -> Reply:
    """Create an app token."""
    return _hand_out(call, call.form().get("label", ""), 201)


@ROUTES.add(
    "POST",
    PATH + "/{tokenId}/rotate",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    body=TOKEN_LABEL,
    replies={200: NEW},
)
def rotate_token(call: Call) -> Reply:
    """Replace an app token by a new one; the old one is revoked."""
    form, old = call.form(), _find(call)
    if not old.active:
        raise not_found("Token")
    old.rotated_at = old.revoked_at = call.now
    return _hand_out(call, form.get("label", old.label), 200)


@ROUTES.add(
    "DELETE",
    PATH + "/{tokenId}",
    auth=Auth.TENANT_ACTOR,
    section="apps",
    admin=True,
    replies={200: success(RECORDS["AppToken"]["properties"])},
)
def revoke_token(call: Call) -> Reply:
    """Revoke an app token; repeating the call changes nothing."""
    token = _find(call)
    if token.active:
        token.revoked_at = call.now
    return json_reply({"ok": True, "success": True, **app_token_record(token)})


def _find(call: Call) -> AppToken:
    token = call.app.tokens.get(call.params["tokenId"])
    if token is None:
        raise not_found("Token")
    return token


def _hand_out(call: Call, label: str, status: int) -> Reply:
    ids = call.platform.store.ids
    token = AppToken(ids.text(ids.next()), call.app, label, call.now)
    call.app.tokens[token.id] = token
    value = call.platform.credentials.hand_out(token)
    return json_reply({"ok": True, "success": True, **app_token_record(token), "token": value}, status)
