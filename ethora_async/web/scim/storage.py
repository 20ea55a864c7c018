"""The storage of `scim2_server`: the records of one database connection; each write adds its intents."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Union, cast

from scim2_models import (
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    ScimProvider,
    SearchRequest,
    TooManyException,
    UniquenessException,
)
from scim2_server.storage import ScimStorage, SearchPage

from ethora_async import codec
from ethora_async.errors import InvalidInputError
from ethora_async.outbox import intents
from ethora_async.records import LONGEST_ID, NewUser
from ethora_async.web.scim.database import statements as sql
from ethora_async.web.scim.lookups import lookups, members_meant
from ethora_async.web.scim.mapping import ScimMapping, addresses, chat_key, folded, room
from ethora_async.web.scim.members import MemberChange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from ethora_async.outbox.passwords import PasswordSeal
    from ethora_async.web.scim.database.connections import DatabaseConnection

SCANNED = 2000
"""Maximum number of records in a search without an index; a larger search is rejected."""

_NOT_STORED = frozenset({"id", "meta", "members", "groups", "password"})
_MEMBERS = "members"
_GROUPS = "groups"


class DirectoryStorage(ScimStorage):
    """Users and groups in SQL.

    Args:
        connection: a connection, for this thread.
        provider: describes the service.
        mapping: the chat user or room of a record.
        seal: encrypts passwords for the outbox; without it passwords are dropped.
        clock: seconds since the epoch.
        scanned: maximum number of records in a search without an index.
    """

    def __init__(
        self,
        connection: DatabaseConnection,
        provider: ScimProvider,
        mapping: ScimMapping,
        *,
        seal: PasswordSeal | None = None,
        clock: Callable[[], float] = time.time,
        scanned: int = SCANNED,
        write: bool = True,
    ) -> None:
        self._db = connection
        self._provider = provider
        self._mapping = mapping
        self._seal = seal
        self._clock = clock
        self._scanned = scanned
        self._write = write
        self.leaves_members_out = False
        """Whether groups are returned without members, for a handler that adds them to the answer itself."""

    @contextmanager
    def operation(self) -> Generator[None]:
        """Begin a transaction, which also contains the intents."""
        with self._db.transaction(write=self._write):
            yield

    # Reading

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return a user or a group."""
        with self.operation():
            row = self._row(resource_type, resource_id)
            return self._resources(resource_type, [row], self._keeps(resource_type, response_parameters))[0]

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002  the service supports no cursors
    ) -> SearchPage:
        """Return a page of a filter's matches. A search without an index over too many records is rejected."""
        with self.operation():
            start = (search_request.start_index or 1) - 1
            count = search_request.count
            if search_request.filter is None and search_request.sort_by is None and len(resource_types) == 1:
                return self._page(resource_types[0], start, count, search_request)
            found: list[Resource[Any]] = []
            for resource_type in resource_types:
                found += self._matching(resource_type, search_request)
            if search_request.sort_by is not None:
                found = _sorted(found, search_request)
            stop = None if count is None else start + count
            return SearchPage(len(found), found[start:stop])

    def members_of(self, group_id: str) -> list[dict[str, Any]]:
        """Return a group's members in the form of an answer, with `$ref` relative to the SCIM root."""
        return [_member(usr, display) for usr, display in self._db.rows(sql.MEMBERS, group=group_id)]

    def _page(
        self, resource_type: ResourceType, start: int, count: int | None, search_request: SearchRequest[Any]
    ) -> SearchPage:
        group = _is_group(resource_type)
        total = self._db.rows(sql.GROUPS_COUNT if group else sql.USERS_COUNT)[0][0]
        limit = total if count is None else count
        page = sql.GROUPS_PAGE if group else sql.USERS_PAGE
        rows = self._db.rows(page, limit=limit, offset=start) if limit else []
        return SearchPage(total, self._resources(resource_type, rows, self._keeps(resource_type, search_request)))

    def _matching(self, resource_type: ResourceType, search_request: SearchRequest[Any]) -> list[Resource[Any]]:
        scim_filter = search_request.filter
        rows = self._candidates(resource_type, None if scim_filter is None else scim_filter.ast)
        keeps = self._keeps(resource_type, search_request)
        if scim_filter is None:
            return self._resources(resource_type, rows, keeps)
        bound = _bound(scim_filter, self._model(resource_type))
        if not _is_group(resource_type):
            about_groups = _GROUPS in str(scim_filter).lower()
            found = [one for one in self._resources(resource_type, rows, about_groups) if bound.match(one)]
            return found if keeps == about_groups else self._resources_again(resource_type, rows, found, keeps)
        meant = members_meant(scim_filter.ast)
        if meant is None:
            self._refuse_many(rows)
            return [one for one in self._resources(resource_type, rows, True) if bound.match(one)]
        kept = []
        for row in rows:
            members = self._db.rows(sql.SOME_MEMBERS, group=row[1], ids=sorted(meant)) if meant else ()
            if bound.match(self._resource(resource_type, row, members)):
                kept.append(row)
        return self._resources(resource_type, kept, keeps)

    def _resources_again(
        self, resource_type: ResourceType, rows: Sequence[Any], found: Sequence[Resource[Any]], keeps: bool
    ) -> list[Resource[Any]]:
        ids = {one.id for one in found}
        return self._resources(resource_type, [row for row in rows if row[1] in ids], keeps)

    def _candidates(self, resource_type: ResourceType, node: Any) -> list[Any]:
        """Return the rows that may match, fewer than the limit."""
        group = _is_group(resource_type)
        most = self._scanned + 1
        found = None if node is None else lookups(str(resource_type.name), node)
        if found is None:
            rows = self._db.rows(sql.GROUPS_PAGE if group else sql.USERS_PAGE, limit=most, offset=0)
        else:
            by = sql.GROUPS_BY if group else sql.USERS_BY
            some = [self._db.rows(by[one.name], value=one.value, limit=most) for one in found]
            rows = sorted({row[0]: row for part in some for row in part}.values())
        if len(rows) > self._scanned:
            raise TooManyException(
                detail=f"This search looks at more than {self._scanned} records: use eq on userName, externalId, id,"
                " emails, displayName or members"
            )
        return rows

    def _refuse_many(self, rows: Sequence[Any]) -> None:
        count = self._db.rows(sql.MEMBERS_COUNT, groups=[row[1] for row in rows])[0][0]
        if count > self._scanned:
            raise TooManyException(
                detail=f"This search looks at more than {self._scanned} members: use members.value eq"
            )

    def _keeps(self, resource_type: ResourceType, parameters: ResponseParameters[Any] | None) -> bool:
        """Return whether an answer contains a group's members, or a user's groups."""
        if not _is_group(resource_type):
            return _is_kept(_GROUPS, parameters)
        return not self.leaves_members_out and _is_kept(_MEMBERS, parameters)

    def _resources(self, resource_type: ResourceType, rows: Sequence[Any], related: bool) -> list[Resource[Any]]:
        """Return the resources of rows, those of groups with their members, those of users with their groups."""
        if not related:
            return [self._resource(resource_type, row) for row in rows]
        if _is_group(resource_type):
            return [self._resource(resource_type, row, self._db.rows(sql.MEMBERS, group=row[1])) for row in rows]
        groups: dict[str, list[Any]] = {}
        for usr, *group in self._db.rows(sql.GROUPS_OF, ids=[row[1] for row in rows]) if rows else ():
            groups.setdefault(usr, []).append(group)
        return [self._resource(resource_type, row, groups=groups.get(row[1], ())) for row in rows]

    def _resource(
        self, resource_type: ResourceType, row: Any, members: Iterable[Any] = (), *, groups: Iterable[Any] = ()
    ) -> Resource[Any]:
        doc = codec.loads(row[2].encode())
        if listed := [_member(usr, display) for usr, display in members]:
            doc[_MEMBERS] = listed
        if listed := [_group_of(id, title) for id, title in groups]:
            doc[_GROUPS] = listed
        made = self._model(resource_type).model_validate(doc)
        made.id = row[1]
        made.meta = Meta(
            resource_type=resource_type.name,
            created=datetime.fromtimestamp(row[4], UTC),
            last_modified=datetime.fromtimestamp(row[5], UTC),
            version=f'W/"{row[3]}"',
        )
        return made

    def _model(self, resource_type: ResourceType) -> type[Resource[Any]]:
        return cast("type[Resource[Any]]", self._provider.model_for(resource_type))

    def _row(self, resource_type: ResourceType, id: str | None) -> Any:
        rows = self._db.rows(sql.GROUP if _is_group(resource_type) else sql.USER, id=id)
        if not rows:
            raise NotFoundException(detail=f"There is no {resource_type.name} with this id")
        return rows[0]

    # Writing

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new record, and write the intent for its chat user or room."""
        with self.operation():
            id = uuid.uuid4().hex
            doc = _document(resource)
            if _is_group(resource_type):
                self._create_group(id, doc)
                self._change_members(id, [MemberChange("add", _listed(resource))])
            else:
                self._create_user(id, doc, resource)
            return self.get(resource_type, id)

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Replace a record, and write intents for its changes."""
        with self.operation():
            row = self._checked(resource_type, resource.id, expected_version)
            doc = _document(resource)
            if _is_group(resource_type):
                self._update_group(row, doc)
                self._change_members(row[1], [MemberChange("replace", _listed(resource))])
            else:
                self._update_user(row, doc)
            return self.get(resource_type, row[1])

    def update_group(self, resource: Resource[Any] | None, group_id: str, changes: Sequence[MemberChange]) -> None:
        """Change a group's own attributes, if `resource` is given, and its members, without reading all of them."""
        with self.operation():
            row = self._checked(_GROUP, group_id, None)
            changed = self._change_members(group_id, changes)
            if resource is not None:
                self._update_group(row, _document(resource))
            elif changed:
                self._update_group(row, codec.loads(row[2].encode()))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Delete a record, and write the intent that deletes its chat user or room."""
        with self.operation():
            row = self._checked(resource_type, resource_id, expected_version)
            if _is_group(resource_type):
                self._db.run(sql.TOUCH_MEMBERS, group=row[1])
                self._db.run(sql.REMOVE_GROUP, id=row[1])
                self._want(intents.want_no_chat, row[6])
                return
            now = self._clock()
            self._db.run(sql.TOUCH_GROUPS_OF, id=row[1], now=now)
            self._db.run(sql.REMOVE_USER, id=row[1])
            # A deleted user must not get a token because the record is gone.
            self._db.run(sql.NOTE_GONE, chat_key=chat_key(row[7]), now=now)
            self._want(intents.want_no_user, row[7])

    def _create_user(self, id: str, doc: dict[str, Any], resource: Any) -> None:
        self._check_user_name(doc, id)
        with _refusals():
            chat_user = self._mapping.chat_user(id, doc)
            user = self._with_password(self._mapping.user(chat_user, doc), getattr(resource, "password", None))
        key = chat_key(chat_user)
        if self._db.rows(sql.CHAT_USER_OWNER, chat_key=key):
            raise UniquenessException(detail="Another user has the same id in the chat")
        values = self._user_values(id, doc, user)
        self._db.run(sql.ADD_USER, **values, chat_user=chat_user, chat_key=key)
        self._db.run(sql.FORGET_GONE, chat_key=key)
        self._keep_addresses(id, doc)
        if values["active"]:
            self._want(intents.want_user, user, seal=self._seal)

    def _update_user(self, row: Any, doc: dict[str, Any]) -> None:
        id, chat_user, was_active = row[1], row[7], bool(row[6])
        self._check_user_name(doc, id)
        with _refusals():
            user = self._mapping.user(chat_user, doc)
        values = self._user_values(id, doc, user, was_active)
        self._db.run(sql.CHANGE_USER, **values)
        self._keep_addresses(id, doc)
        told = (user.email, user.first_name, user.last_name, user.profile_image)
        if values["active"]:
            if row[11] and user.profile_image is None:
                user = _without_picture(user)
            if not was_active or told != tuple(row[8:12]):
                self._want(intents.want_user, user)
            if not was_active:
                self._want(intents.want_members, self._memberships(id, chat_user))
        elif was_active:
            if self._mapping.inactive == "delete":
                self._want(intents.want_no_user, chat_user)
            else:
                self._want(intents.want_no_members, self._memberships(id, chat_user))

    def _want(self, write: Callable[..., object], *wanted: object, **options: object) -> None:
        """Write an intent. The connection blocks, so that it is written when the call returns."""
        with _refusals():
            write(self._db.native, *wanted, **options)

    def _memberships(self, id: str, chat_user: str) -> list[tuple[str, str]]:
        return [(chat, chat_user) for (chat,) in self._db.rows(sql.CHATS_OF_USER, id=id)]

    def _with_password(self, user: NewUser, password: Any) -> NewUser:
        if self._seal is None or not isinstance(password, str) or not password:
            return user
        return NewUser(
            id=user.id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            profile_image=user.profile_image,
            password=password,
        )

    def _check_user_name(self, doc: Mapping[str, Any], id: str) -> None:
        if not (doc.get("userName") or "").strip():
            raise InvalidValueException(detail="userName is missing or empty")
        owner = self._db.rows(sql.USER_NAME_OWNER, user_name=folded(doc["userName"]))
        if owner and owner[0][0] != id:
            raise UniquenessException(detail="Another user has this userName")

    def _user_values(self, id: str, doc: Mapping[str, Any], user: NewUser, was_active: bool = True) -> dict[str, Any]:
        active = doc.get("active")
        return {
            "id": id,
            "user_name": folded(doc["userName"]),
            "external_id": doc.get("externalId"),
            "active": was_active if active is None else bool(active),
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "picture": user.profile_image,
            "doc": codec.dumps(doc).decode(),
            "now": self._clock(),
        }

    def _keep_addresses(self, id: str, doc: Mapping[str, Any]) -> None:
        self._db.run(sql.FORGET_EMAILS, id=id)
        found = sorted({folded(one) for one in addresses(doc) if isinstance(one, str)})
        if found:
            self._db.run(sql.ADD_EMAILS, id=id, addresses=found)

    def _create_group(self, id: str, doc: dict[str, Any]) -> None:
        with _refusals():
            chat = self._mapping.chat_room(id, doc)
            wanted = room(chat, doc)
        key = chat_key(chat)
        if self._db.rows(sql.CHAT_OWNER, chat_key=key):
            raise UniquenessException(detail="Another group has the same room")
        self._db.run(sql.ADD_GROUP, **self._group_values(id, doc, wanted.title), chat=chat, chat_key=key)
        self._want(intents.want_chat, wanted)

    def _update_group(self, row: Any, doc: dict[str, Any]) -> None:
        with _refusals():
            wanted = room(row[6], doc)
        self._db.run(sql.CHANGE_GROUP, **self._group_values(row[1], doc, wanted.title))
        if wanted.title != row[7]:
            self._want(intents.want_chat, wanted)

    def _group_values(self, id: str, doc: Mapping[str, Any], title: str) -> dict[str, Any]:
        return {
            "id": id,
            "name": folded(doc.get("displayName") or ""),
            "external_id": doc.get("externalId"),
            "title": title,
            "doc": codec.dumps(doc).decode(),
            "now": self._clock(),
        }

    def _change_members(self, group_id: str, changes: Sequence[MemberChange]) -> bool:
        """Write changes of members and their intents. Return whether anything changed."""
        chat = self._db.rows(sql.GROUP, id=group_id)[0][6]
        results = [self._change(group_id, chat, change) for change in changes]
        return any(results)

    def _change(self, group_id: str, chat: str, change: MemberChange) -> bool:
        whole = change.op in ("replace", "clear")
        ids = list(change.members)
        statement = sql.MEMBERS if whole else sql.SOME_MEMBERS
        there = dict(self._db.rows(statement, group=group_id, **({} if whole else {"ids": ids})))
        removed = [id for id in there if id not in change.members] if whole else []
        added: list[str] = []
        if change.op == "remove":
            removed = list(there)
        else:
            added = [id for id in ids if id not in there]
        renamed = [] if change.op == "remove" else self._renamed(there, change)
        if removed:
            self._db.run(sql.REMOVE_MEMBERS, group=group_id, ids=removed)
            gone = [(chat, user) for _, user, _ in self._db.rows(sql.KNOWN_USERS, ids=removed)]
            self._want(intents.want_no_members, gone)
        if added:
            self._add(group_id, chat, added)
        if removed or added:
            self._db.run(sql.TOUCH_USERS, ids=removed + added)
        for id, display in renamed:
            self._db.run(sql.NAME_MEMBER, group=group_id, usr=id, display=display)
        return bool(removed or added or renamed)

    @staticmethod
    def _renamed(there: Mapping[str, str | None], change: MemberChange) -> list[tuple[str, str | None]]:
        """Return the members whose display name changes; a PUT without one removes it."""
        return [
            (id, display)
            for id, display in change.members.items()
            if display != there.get(id) and (display is not None or change.op == "replace")
        ]

    def _add(self, group_id: str, chat: str, ids: list[str]) -> None:
        known = {id: (user, active) for id, user, active in self._db.rows(sql.KNOWN_USERS, ids=ids)}
        unknown = next((id for id in ids if id not in known), None)
        if unknown is not None:
            raise InvalidValueException(detail=f"There is no user with the id {unknown[:100]!r}: members are users")
        self._db.run(sql.ADD_MEMBERS, group=group_id, ids=ids)
        self._want(intents.want_members, [(chat, known[id][0]) for id in ids if known[id][1]])

    def _checked(self, resource_type: Any, id: str | None, expected_version: str | None) -> Any:
        row = self._row(resource_type, id)
        if expected_version is not None and expected_version != f'W/"{row[3]}"':
            raise PreconditionFailedException
        return row


class _Group:
    name = "Group"


_GROUP = _Group()


def _is_group(resource_type: Any) -> bool:
    return bool(resource_type.name == "Group")


def _document(resource: Resource[Any]) -> dict[str, Any]:
    """Return the stored form of a resource, without a password."""
    whole: dict[str, Any] = resource.model_dump(mode="json")
    doc = {name: value for name, value in whole.items() if name not in _NOT_STORED and value is not None}
    indexed = {name: doc.get(name) for name in ("userName", "externalId", "displayName")}
    indexed |= {f"emails[{number}].value": address for number, address in enumerate(addresses(doc))}
    for name, value in indexed.items():
        if isinstance(value, str) and len(value.encode()) > LONGEST_ID:
            raise InvalidValueException(detail=f"{name} is longer than {LONGEST_ID} bytes")
    return doc


def _listed(resource: Any) -> dict[str, str | None]:
    """Return the members of a validated resource.

    Raises:
        InvalidValueException: one has no id, or is a group.
    """
    found: dict[str, str | None] = {}
    for member in getattr(resource, "members", None) or ():
        if not member.value:
            raise InvalidValueException(detail="A member needs a value: the id of a user")
        if (member.type or "User").lower() != "user":
            raise InvalidValueException(detail="Groups in groups are not supported: send the users")
        found[member.value] = member.display
    return found


def _member(usr: str, display: str | None) -> dict[str, Any]:
    member = {"value": usr, "$ref": f"Users/{usr}", "type": "User"}
    return member if display is None else {**member, "display": display}


def _group_of(id: str, title: str) -> dict[str, Any]:
    return {"value": id, "$ref": f"Groups/{id}", "display": title, "type": "direct"}


def _is_kept(name: str, parameters: ResponseParameters[Any] | None) -> bool:
    """Return whether an answer contains an attribute."""
    if parameters is None:
        return True
    if parameters.attributes:
        return any(name in str(path).lower() for path in parameters.attributes)
    excluded = {str(path).lower().rpartition(":")[2] for path in parameters.excluded_attributes or ()}
    return name not in excluded


def _bound(scim_filter: Any, model: type[Resource[Any]]) -> Any:
    return _filter_class(model)(str(scim_filter))


@cache
def _filter_class(model: type[Resource[Any]]) -> Any:
    generic: Any = ScimFilter
    return generic[Union[(model,)]]  # noqa: UP007  a union of one is created at run time


def _sorted(found: list[Resource[Any]], search_request: SearchRequest[Any]) -> list[Resource[Any]]:
    descending = search_request.sort_order == SearchRequest.SortOrder.descending

    def key(resource: Resource[Any]) -> tuple[bool, Any]:
        value = search_request.sort_value(resource)
        return value is None, "" if value is None else value

    return sorted(found, key=key, reverse=descending)


def _without_picture(user: NewUser) -> NewUser:
    return NewUser(id=user.id, email=user.email, first_name=user.first_name, last_name=user.last_name, profile_image="")


@contextmanager
def _refusals() -> Generator[None]:
    """Convert an `InvalidInputError` to SCIM's error."""
    detail: str | None = None
    try:
        yield
    except InvalidInputError as error:
        detail = str(error)
    if detail is not None:
        raise InvalidValueException(detail=detail)


__all__ = ["SCANNED", "DirectoryStorage"]
