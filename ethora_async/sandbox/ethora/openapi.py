"""The OpenAPI document, generated from the route table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.ethora.replies import RECORDS
from ethora_async.sandbox.ethora.routing import Auth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.forms import Forms
    from ethora_async.sandbox.ethora.routing import Route

SCHEMES = {
    "B2BServerJwtAuth": "A server token, signed by a backend with the app secret. `Authorization: Bearer` works too.",
    "ClientJwtAuth": "A client token, signed by a backend for one user.",
    "UserJwtAuth": "The access token of a session, or an API key.",
    "RefreshJwtAuth": "The refresh token of a session.",
    "AppJwtAuth": "The app token: `appToken` of get-config, or one of `/v2/apps/{appId}/tokens`.",
}
OPENED_BY: dict[Auth, tuple[str, ...]] = {
    Auth.NONE: (),
    Auth.SERVER: ("B2BServerJwtAuth",),
    Auth.TENANT_ACTOR: ("B2BServerJwtAuth", "UserJwtAuth"),
    Auth.USER: ("UserJwtAuth",),
    Auth.CLIENT: ("ClientJwtAuth",),
    Auth.REFRESH: ("RefreshJwtAuth", "AppJwtAuth"),
    Auth.APP: ("AppJwtAuth",),
    Auth.APP_OR_USER: ("AppJwtAuth", "UserJwtAuth"),
    Auth.APP_OR_ID: ("AppJwtAuth",),
}
REFUSALS = {
    400: "Malformed body, or a token of another family",
    401: "No token, or an invalid one",
    403: "Not allowed, or the app is archived",
    404: "No such record",
    413: "Too large",
    422: "A value breaks a rule",
}


def describe(routes: Iterable[Route], forms: Forms, version: str) -> dict[str, Any]:
    """Return the document for a deployment with these forms."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, forms)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ethora sandbox", "version": version},
        "paths": paths,
        "components": {
            "schemas": RECORDS,
            "responses": {str(status): _refusal(text) for status, text in REFUSALS.items()},
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": "x-custom-token", "description": text}
                for name, text in SCHEMES.items()
            },
        },
    }


def _operation(route: Route, forms: Forms) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.section],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            **{str(status): _success(route, schema) for status, schema in route.replies.items()},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in REFUSALS},
        },
        "security": _security(route),
    }
    content = _body(route, forms)
    if content:
        operation["requestBody"] = {"content": content}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    opened: list[dict[str, list[str]]] = [{name: []} for name in OPENED_BY[route.auth]]
    return [*opened, {}] if route.auth is Auth.APP_OR_ID else opened


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in route.placeholders]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    return [
        {"name": name, "in": "query", "required": field.required, "schema": field.rule.schema()}
        for name, field in route.query.fields.items()
    ]


def _body(route: Route, forms: Forms) -> dict[str, Any]:
    form = route.body_form(forms)
    schema: dict[str, Any] = {"type": "object", "properties": {}} if form is None else form.schema()
    if route.uploads is None:
        return {} if form is None else {"application/json": {"schema": schema}}
    least, most = route.uploads
    binary = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": binary, "minItems": least, "maxItems": most}
    parts = {**schema, "properties": {**schema["properties"], "files": files}}
    if least:
        parts["required"] = [*schema.get("required", ()), "files"]
    content = {"multipart/form-data": {"schema": parts}}
    return content if least else {"application/json": {"schema": schema}, **content}


def _success(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": route.summary,
        "content": {kind: {"schema": schema} if kind == "application/json" else {} for kind in route.kinds},
    }


def _refusal(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
