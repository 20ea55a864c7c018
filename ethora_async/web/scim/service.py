"""The SCIM service: its description, and its answers to requests."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ETag,
    Filter,
    InvalidFilterException,
    InvalidSyntaxException,
    InvalidValueException,
    NotFoundException,
    Patch,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
)
from scim2_server.handler import ScimHandler
from scim2_server.routing import Operation
from scim2_server.service import ScimService, scim_exception_of
from scim2_server.utils import load_default_resource_types, load_default_schemas

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.web.scim.members import MemberChange, split
from ethora_async.web.scim.payloads import holds_nul, read

if TYPE_CHECKING:
    from scim2_server.conditions import Conditions
    from scim2_server.requests import ScimRequest
    from scim2_server.responses import ScimResponse

    from ethora_async.web.scim.storage import DirectoryStorage

PAGE = 200
"""Maximum number of resources in one answer."""

_READS = frozenset({Operation.query, Operation.search})


@cache
def provider() -> ScimProvider:
    """Return the description of the service."""
    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=PAGE),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A long-lived token, in the Authorization header.",
                primary=True,
            )
        ],
    )
    return ScimProvider.from_discovery(
        load_default_schemas().values(),
        load_default_resource_types().values(),
        config=config,
        policy=ScimPolicy(
            unknown=ScimPolicy.Unknown.ignore,
            remove_value_as_filter=ScimPolicy.RemoveValue.apply,
            unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        ),
    )


class Service(ScimService):
    """Answers a PATCH of a user with the user, as Okta expects, and of a group with 204, as Entra expects."""

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """Return the response to a PATCH."""
        if resource.meta is not None and resource.meta.resource_type == "User":
            return self.replacement_response(base_url, resource, response_parameters)
        return super().patch_response(base_url, resource, response_parameters)

    def read_creation(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> Resource[Any]:
        """Validate the body of a POST. A user is active by default, and every answer states it."""
        resource: Any = super().read_creation(resource_type, body, content_type)
        if getattr(resource, "active", ...) is None:
            resource.active = True
        made: Resource[Any] = resource
        return made

    def apply_replacement(
        self, current: Resource[Any], replacement: Resource[Any], conditions: Conditions
    ) -> Resource[Any] | None:
        """Apply a PUT. Without `active` the old value is kept: a missing field must not reactivate a user."""
        if getattr(replacement, "active", ...) is None:
            replacement.active = getattr(current, "active", None)  # type: ignore[attr-defined]
        return super().apply_replacement(current, replacement, conditions)

    def apply_patch(
        self, current: Resource[Any], patch_op: PatchOp[Any], conditions: Conditions
    ) -> Resource[Any] | None:
        """Apply a PATCH. A value that does not fit is named as in a POST."""
        try:
            return super().apply_patch(current, patch_op, conditions)
        except SCIMException as error:
            if isinstance(error.__cause__, ValidationError):
                raise scim_exception_of(error.__cause__) from error.__cause__
            raise


@cache
def service() -> Service:
    """Return the service; it holds no state."""
    return Service(provider())


class Handler(ScimHandler):
    """Serves one request. Members of groups bypass the models, since there may be very many.

    Args:
        storage: the records.
    """

    storage: DirectoryStorage

    def __init__(self, storage: DirectoryStorage) -> None:
        super().__init__(service(), storage)

    def handle(self, request: ScimRequest) -> ScimResponse:
        """Serve a request.

        Raises:
            SCIMException: it is rejected.
        """
        with self.service.provider:
            target = self.service.match(request)
        if target.operation in _READS and _whole_members(request.query):
            return self._read(request)
        if target.operation is Operation.patch and (target.endpoint or "").lower() == "groups":
            return self._patch_group(request, str(target.resource_id))
        return super().handle(request)

    def _read(self, request: ScimRequest) -> ScimResponse:
        """Answer a read; the members of its groups are added to the answer directly."""
        self.storage.leaves_members_out = True
        with self.storage.operation():
            response = super().handle(request)
            body = response.body or {}
            for one in [body, *(body.get("Resources") or ())]:
                if (one.get("meta") or {}).get("resourceType") == "Group":
                    members = self.storage.members_of(one["id"])
                    if members:
                        one["members"] = [
                            {**member, "$ref": self.service.reference_location(request.base_url, member["$ref"])}
                            for member in members
                        ]
        return response

    def _patch_group(self, request: ScimRequest, group_id: str) -> ScimResponse:
        try:
            found = split(codec.loads(request.body))
        except ValueError:
            found = None
        parameters = {name.lower() for name in request.query}
        if found is None or parameters & {"attributes", "excludedattributes"}:
            return self.patch(request)
        changes, rest = found
        with self.service.provider, self.storage.operation():
            return self._patched(request, group_id, changes, rest)

    def _patched(
        self, request: ScimRequest, group_id: str, changes: list[MemberChange], rest: list[Any]
    ) -> ScimResponse:
        self.storage.leaves_members_out = True
        resource_type = self.service.get_resource_type("Group")
        self.service.ensure_json(request.header("Content-Type"))
        current = self.storage.get(resource_type, group_id)
        conditions = self.service.read_conditions(request)
        self.service.check_preconditions(current, "PATCH", conditions)
        patched: Resource[Any] | None = None
        if rest:
            body = codec.dumps({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": rest})
            operations = self.service.read_patch(resource_type, body, request.header("Content-Type"))
            patched = self.service.apply_patch(current, operations, conditions)
        self.storage.update_group(patched, group_id, changes)
        stored = self.storage.get(resource_type, group_id)
        parameters = self.service.read_response_parameters(resource_type, request.query)
        return self.service.patch_response(request.base_url, stored, parameters)


def serve(storage: DirectoryStorage, request: ScimRequest) -> ScimResponse:
    """Serve a request; an error is returned as a response."""
    if holds_nul(request.path):
        return service().error_response(NotFoundException(detail="There is no record with this id"))
    if any(holds_nul(value) for value in request.query.values()):
        return service().error_response(InvalidFilterException(detail="A text contains a NUL character"))
    if request.body:
        try:
            request.body = codec.dumps(read(request.body))
        except InvalidInputError as error:
            return service().error_response(InvalidValueException(detail=str(error)))
        except ValueError:
            return service().error_response(InvalidSyntaxException(detail="The body is not JSON"))
    try:
        return Handler(storage).handle(request)
    except SCIMException as error:
        return service().error_response(error)
    except RecursionError:
        return service().error_response(InvalidSyntaxException(detail="The request is nested too deeply"))


def _whole_members(query: Any) -> bool:
    """Return whether an answer contains members with all their fields."""
    names = {name.lower(): value for name, value in query.items()}
    return not names.get("attributes") and "members" not in names.get("excludedattributes", "").lower()


__all__ = ["PAGE", "Handler", "Service", "provider", "serve", "service"]
