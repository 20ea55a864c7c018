"""The requests of each public method of the vendor's Node SDK (docs/platforms/ethora.md#methods-of-the-node-sdk,
#known-faults-of-the-node-sdk), and our call for the same.

`DIFFERENCES` holds every deliberate difference with its reason: the one place to look for them. "Fault 9" is the ninth
of the known faults.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from ethora_async import EthoraClient, MongoId, NewUser
from ethora_async.platforms.ethora.apps.api import NewRoom
from ethora_async.platforms.ethora.users.api import UserChange

if TYPE_CHECKING:
    from ethora_async.bulk import Run

APP = "app123"
CHILD = "child7"
RECORD = "0123456789abcdef01234567"

Call = Callable[[EthoraClient], Awaitable[Any]]


@attrs.frozen
class Sent:
    """One request."""

    method: str
    path: str
    query: dict[str, str] = attrs.field(factory=dict)
    body: Any = None


@attrs.frozen
class Case:
    """One call, made both ways.

    Attributes:
        node: what the Node SDK sends; a text or claims where it only makes something; None where it refuses.
        ours: makes our call.
        request: which of our requests to compare, where the Node SDK needs two calls for what one of ours does.
    """

    node: Sent | str | dict[str, Any] | None
    ours: Call
    request: int = 0


@attrs.frozen
class Method:
    """One public method of the Node SDK.

    Attributes:
        ours: our call as docs/reference/ethora-api.md shows it.
        http: its HTTP call as docs/reference/ethora-api.md shows it; empty when there is none.
        cases: by name; the first is the plain one.
    """

    ours: str
    http: str
    cases: dict[str, Case]


def _user(id: str = "u1") -> NewUser:
    return NewUser(id=id, email=f"{id}@example.com", first_name="Ann", last_name="Lee")


def _row(id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"uuid": id, "email": f"{id}@example.com", "firstName": "Ann", "lastName": "Lee", **more}


async def _done(run: Run[Any]) -> None:
    (await run).raise_for_failures()


def _access(chat: str, *users: str, app: str = APP) -> dict[str, Any]:
    return {"chatName": f"{app}_{chat}", "members": [f"{app}_{user}" for user in users]}


def _change(id: str, **fields: str) -> dict[str, Any]:
    return {"xmppUsername": f"{APP}_{id}", **fields}


TEXTS = {"title": "Team", "description": "All of us"}
PAGE = {"limit": "10", "offset": "20"}
USERS_ACCESS = "/v2/chats/users-access"
IN_CHILD = f"/v2/apps/{CHILD}"

METHODS: dict[str, Method] = {
    # Names and tokens
    "createChatName": Method(
        "chats.jid(id)",
        "",
        {
            "plain": Case(f"{APP}_c1@conference.xmpp.chat.ethora.com", lambda e: _made(e.chats.jid("c1"))),
            "short": Case(f"{APP}_c1", lambda e: _made(e.chats.name("c1"))),
            "prefixed id": Case(
                f"{APP}_{APP}_c1@conference.xmpp.chat.ethora.com", lambda e: _made(e.chats.jid(f"{APP}_c1"))
            ),
        },
    ),
    "createChatUserJwtToken": Method(
        "tokens.for_user(id, ttl=…)",
        "",
        {
            "plain": Case(
                {"data": {"type": "client", "userId": "u1", "appId": APP}, "iat": 1_700_000_000},
                lambda e: e.tokens.for_user("u1"),
            )
        },
    ),
    # Users
    "createUser": Method(
        "users.create(id, email=…, …)",
        "POST /v2/users/batch",
        {
            "plain": Case(
                Sent(
                    "POST",
                    "/v2/users/batch",
                    body={"bypassEmailConfirmation": True, "usersList": [_row(password="password_u1")]},
                ),
                lambda e: e.users.create("u1", email="u1@example.com", first_name="Ann", last_name="Lee"),
            ),
            "nothing but an id": Case(
                Sent(
                    "POST",
                    "/v2/users/batch",
                    body={
                        "bypassEmailConfirmation": True,
                        "usersList": [{"uuid": "u1", "email": "<random>@example.com", "password": "password_u1"}],
                    },
                ),
                lambda e: e.users.create("u1"),  # type: ignore[call-arg]
            ),
        },
    ),
    "getUsers": Method(
        "users.list(chat=…), users.get(id)",
        "GET /v2/chats/users",
        {
            "of a chat": Case(
                Sent("GET", "/v2/chats/users", {"chatName": f"{APP}_c1", **PAGE}),
                lambda e: e.users.list(chat="c1", limit=10, offset=20),
            ),
            "all": Case(Sent("GET", "/v2/chats/users"), lambda e: e.users.list()),
            "by name": Case(Sent("GET", "/v2/chats/users", {"xmppUsername": f"{APP}_u1"}), lambda e: e.users.get("u1")),
            "by record": Case(
                Sent("GET", "/v2/chats/users", {"userId": RECORD}), lambda e: e.users.get(MongoId(RECORD))
            ),
        },
    ),
    "updateUsers": Method(
        "users.update_many(changes)",
        "PATCH /v2/chats/users",
        {
            "plain": Case(
                Sent(
                    "PATCH",
                    "/v2/chats/users",
                    body={
                        "users": [
                            _change("u1", firstName="Ann", lastName="Lee", username="ann", profileImage="http://i/1"),
                            _change("u2", firstName="Bob"),
                        ]
                    },
                ),
                lambda e: _done(
                    e.users.update_many(
                        [
                            UserChange(
                                id="u1", first_name="Ann", last_name="Lee", username="ann", profile_image="http://i/1"
                            ),
                            UserChange(id="u2", first_name="Bob"),
                        ]
                    )
                ),
            ),
            "cleared field": Case(
                Sent("PATCH", "/v2/chats/users", body={"users": [_change("u1", firstName="Ann")]}),
                lambda e: e.users.update("u1", first_name="Ann", profile_image=""),
            ),
            "more than 100": Case(
                None,
                lambda e: _done(e.users.update_many(UserChange(id=f"u{n}", first_name="Ann") for n in range(101))),
            ),
        },
    ),
    "deleteUsers": Method(
        "users.delete_many(ids)",
        "DELETE /v1/users/batch",
        {
            "plain": Case(
                Sent("DELETE", "/v1/users/batch", body={"usersIdList": ["u1", "u2"]}),
                lambda e: _done(e.users.delete_many(["u1", "u2"])),
            ),
            "nobody": Case(
                Sent("DELETE", "/v1/users/batch", body={"usersIdList": []}), lambda e: _done(e.users.delete_many([]))
            ),
        },
    ),
    "getUserChats": Method(
        "users.chats(id)",
        "GET /v2/apps/{app}/users/{user}/chats",
        {
            "plain": Case(
                Sent("GET", f"/v2/apps/{APP}/users/u1/chats", {**PAGE, "includeMembers": "true"}),
                lambda e: e.users.chats("u1", include_members=True, limit=10, offset=20),
            ),
            "without parameters": Case(Sent("GET", f"/v2/apps/{APP}/users/u1/chats"), lambda e: e.users.chats("u1")),
            "an id with a slash": Case(
                Sent("GET", f"/v2/apps/{APP}/users/team/7/chats", PAGE),
                lambda e: e.users.chats("team/7", limit=10, offset=20),
            ),
        },
    ),
    # Chats
    "createChatRoom": Method(
        "chats.create(id, title=…)",
        "POST /v2/chats",
        {
            "plain": Case(
                Sent("POST", "/v2/chats", body={"title": "Team", "uuid": "c1", "type": "group"}),
                lambda e: e.chats.create("c1", title="Team"),
            ),
            "public, with members": Case(
                Sent(
                    "POST",
                    "/v2/chats",
                    body={**TEXTS, "uuid": "c1", "type": "public", "members": [f"{APP}_u1"]},
                ),
                lambda e: e.chats.create("c1", **TEXTS, access="public", members=["u1"]),
            ),
            "without a title": Case(
                Sent("POST", "/v2/chats", body={"title": "Chat Room c1", "uuid": "c1", "type": "group"}),
                lambda e: e.chats.create("c1"),  # type: ignore[call-arg]
            ),
        },
    ),
    "updateChatRoom": Method(
        "chats.update(id, …)",
        "PATCH /v2/apps/{app}/chats/{chat}",
        {
            "plain": Case(
                Sent("PATCH", f"/v2/apps/{APP}/chats/{APP}_c1", body=TEXTS),
                lambda e: e.chats.update("c1", **TEXTS),
            ),
            "by JID": Case(
                Sent("PATCH", f"/v2/apps/{APP}/chats/{APP}_c1@conference.xmpp.chat.ethora.com", body=TEXTS),
                lambda e: e.chats.update(f"{APP}_c1@conference.xmpp.chat.ethora.com", **TEXTS),
            ),
        },
    ),
    "deleteChatRoom": Method(
        "chats.delete(id)",
        "DELETE /v1/chats",
        {"plain": Case(Sent("DELETE", "/v1/chats", body={"name": f"{APP}_c1"}), lambda e: e.chats.delete("c1"))},
    ),
    "grantUserAccessToChatRoom": Method(
        "chats.grant(id, users)",
        f"POST {USERS_ACCESS}",
        {
            "plain": Case(
                Sent("POST", USERS_ACCESS, body=_access("c1", "u1", "u2")),
                lambda e: e.chats.grant("c1", ["u1", "u2"]),
            ),
            "an id that begins like the app's": Case(
                Sent("POST", USERS_ACCESS, body={"chatName": f"{APP}_c1", "members": [f"{APP}4"]}),
                lambda e: e.chats.grant("c1", f"{APP}4"),
            ),
        },
    ),
    "removeUserAccessFromChatRoom": Method(
        "chats.revoke(id, users)",
        f"DELETE {USERS_ACCESS}",
        {
            "plain": Case(
                Sent("DELETE", USERS_ACCESS, body=_access("c1", "u1", "u2")),
                lambda e: e.chats.revoke("c1", ["u1", "u2"]),
            )
        },
    ),
    # Apps
    "listApps": Method(
        "apps.list()",
        "GET /v2/apps",
        {
            "plain": Case(
                Sent("GET", "/v2/apps", {**PAGE, "orderBy": "displayName", "order": "asc"}),
                lambda e: e.apps.list(order_by="display_name", order="asc", limit=10, offset=20),
            ),
            "without parameters": Case(Sent("GET", "/v2/apps"), lambda e: e.apps.list()),
        },
    ),
    "getApp": Method(
        "apps.get(app_id)", "GET /v2/apps/{app}", {"plain": Case(Sent("GET", IN_CHILD), lambda e: e.apps.get(CHILD))}
    ),
    "createApp": Method(
        "apps.create(name, …)",
        "POST /v2/apps",
        {
            "plain": Case(
                Sent("POST", "/v2/apps", body={"displayName": "Shop", "domainName": "shop"}),
                lambda e: e.apps.create("Shop", domain_name="shop"),
            )
        },
    ),
    "deleteApp": Method(
        "apps.delete(app_id)",
        "DELETE /v2/apps/{app}",
        {"plain": Case(Sent("DELETE", IN_CHILD), lambda e: e.apps.delete(CHILD))},
    ),
    "listAppTokens": Method(
        "apps.tokens(app_id).list()",
        "GET /v2/apps/{app}/tokens",
        {"plain": Case(Sent("GET", f"{IN_CHILD}/tokens"), lambda e: e.apps.tokens(CHILD).list())},
    ),
    "createAppToken": Method(
        "apps.tokens(app_id).create()",
        "POST /v2/apps/{app}/tokens",
        {
            "plain": Case(
                Sent("POST", f"{IN_CHILD}/tokens", body={"label": "web"}),
                lambda e: e.apps.tokens(CHILD).create(label="web"),
            ),
            "without a label": Case(
                Sent("POST", f"{IN_CHILD}/tokens", body={}), lambda e: e.apps.tokens(CHILD).create()
            ),
        },
    ),
    "rotateAppToken": Method(
        "apps.tokens(app_id).rotate(id)",
        "POST /v2/apps/{app}/tokens/{token}/rotate",
        {
            "plain": Case(
                Sent("POST", f"{IN_CHILD}/tokens/t1/rotate", body={}), lambda e: e.apps.tokens(CHILD).rotate("t1")
            )
        },
    ),
    "revokeAppToken": Method(
        "apps.tokens(app_id).revoke(id)",
        "DELETE /v2/apps/{app}/tokens/{token}",
        {"plain": Case(Sent("DELETE", f"{IN_CHILD}/tokens/t1"), lambda e: e.apps.tokens(CHILD).revoke("t1"))},
    ),
    "provisionApp": Method(
        "apps.provision(app_id, rooms)",
        "POST /v2/apps/{app}/provision",
        {
            "plain": Case(
                Sent("POST", f"{IN_CHILD}/provision", body={"rooms": [{"title": "Lobby", "pinned": True}]}),
                lambda e: _done(e.apps.provision(CHILD, [NewRoom("Lobby", pinned=True)])),
            )
        },
    ),
    "getAppBot": Method(
        "apps.bot(app_id).get()",
        "GET /v2/apps/{app}/bot",
        {"plain": Case(Sent("GET", f"{IN_CHILD}/bot"), lambda e: e.apps.bot(CHILD).get())},
    ),
    "updateAppBot": Method(
        "apps.bot(app_id).update(…)",
        "PUT /v2/apps/{app}/bot",
        {
            "plain": Case(
                Sent("PUT", f"{IN_CHILD}/bot", body={"status": "on", "trigger": "/bot", "prompt": "Be kind"}),
                lambda e: e.apps.bot(CHILD).update(enabled=True, trigger="/bot", prompt="Be kind"),
            )
        },
    ),
    # Broadcasts
    "broadcastToAppChats": Method(
        "in_app(app_id).broadcasts.send(text, …)",
        "POST /v2/apps/{app}/chats/broadcast",
        {
            "to all": Case(
                Sent("POST", f"{IN_CHILD}/chats/broadcast", body={"text": "Hello", "allRooms": True}),
                lambda e: e.in_app(CHILD).broadcasts.send("Hello", all_chats=True),
            ),
            "by name": Case(
                Sent("POST", f"{IN_CHILD}/chats/broadcast", body={"text": "Hello", "chatNames": [f"{CHILD}_c1"]}),
                lambda e: e.in_app(CHILD).broadcasts.send("Hello", chats=["c1"]),
            ),
        },
    ),
    "getAppBroadcastJob": Method(
        "in_app(app_id).broadcasts.job(id)",
        "GET /v2/apps/{app}/chats/broadcast/{job}",
        {
            "plain": Case(
                Sent("GET", f"{IN_CHILD}/chats/broadcast/j1"),
                lambda e: e.in_app(CHILD).broadcasts.job("j1").status(),
            )
        },
    ),
    # Child apps
    "getAppUserByXmppUsername": Method(
        "in_app(app_id).users.get(id)",
        "GET /v1/apps/users/{user}",
        {"plain": Case(Sent("GET", f"/v1/apps/users/{CHILD}_u1"), lambda e: e.in_app(CHILD).users.get(f"{CHILD}_u1"))},
    ),
    "createUsersInApp": Method(
        "in_app(app_id).users.create_many(users)",
        "POST /v2/apps/{app}/users/batch",
        {
            "plain": Case(
                Sent(
                    "POST",
                    f"{IN_CHILD}/users/batch",
                    body={"bypassEmailConfirmation": True, "usersList": [_row("u1"), _row("u2")]},
                ),
                lambda e: _done(e.in_app(CHILD).users.create_many([_user("u1"), _user("u2")])),
            )
        },
    ),
    "getUsersBatchJob": Method(
        "in_app(app_id).users.create_many(users)",
        "GET /v2/apps/{app}/users/batch/{job}",
        {
            "plain": Case(
                Sent("GET", f"{IN_CHILD}/users/batch/j1"),
                lambda e: _done(e.in_app(CHILD).users.create_many([_user("u1"), _user("u2")])),
                request=1,
            )
        },
    ),
    "deleteUsersInApp": Method(
        "in_app(app_id).users.delete_many(ids)",
        "DELETE /v2/apps/{app}/users/batch",
        {
            "plain": Case(
                Sent("DELETE", f"{IN_CHILD}/users/batch", body={"usersIdList": ["u1", "u2"]}),
                lambda e: _done(e.in_app(CHILD).users.delete_many(["u1", "u2"])),
            )
        },
    ),
    "getUserChatsInApp": Method(
        "in_app(app_id).users.chats(id)",
        "GET /v2/apps/{app}/users/{user}/chats",
        {
            "plain": Case(
                Sent("GET", f"{IN_CHILD}/users/u1/chats", PAGE),
                lambda e: e.in_app(CHILD).users.chats("u1", limit=10, offset=20),
            )
        },
    ),
    "createChatRoomInApp": Method(
        "in_app(app_id).chats.create(id, title=…)",
        "POST /v2/apps/{app}/chats",
        {
            "plain": Case(
                Sent("POST", f"{IN_CHILD}/chats", body={"title": "Team", "uuid": "c1", "type": "group"}),
                lambda e: e.in_app(CHILD).chats.create("c1", title="Team"),
            ),
            "without an id": Case(
                Sent("POST", f"{IN_CHILD}/chats", body={"title": "Team", "type": "group"}),
                lambda e: e.in_app(CHILD).chats.create(title="Team"),
            ),
        },
    ),
    "listChatsInApp": Method(
        "in_app(app_id).chats.list()",
        "GET /v2/apps/{app}/chats",
        {
            "plain": Case(
                Sent("GET", f"{IN_CHILD}/chats", {**PAGE, "includeMembers": "true"}),
                lambda e: e.in_app(CHILD).chats.list(include_members=True, limit=10, offset=20),
            )
        },
    ),
    "updateChatRoomInApp": Method(
        "in_app(app_id).chats.update(id, …)",
        "PATCH /v2/apps/{app}/chats/{chat}",
        {
            "plain": Case(
                Sent("PATCH", f"{IN_CHILD}/chats/{CHILD}_c1", body=TEXTS),
                lambda e: e.in_app(CHILD).chats.update("c1", **TEXTS),
            )
        },
    ),
    "deleteChatRoomInApp": Method(
        "in_app(app_id).chats.delete(id)",
        "DELETE /v2/apps/{app}/chats",
        {
            "plain": Case(
                Sent("DELETE", f"{IN_CHILD}/chats", body={"name": f"{CHILD}_c1"}),
                lambda e: e.in_app(CHILD).chats.delete("c1"),
            )
        },
    ),
    "grantUserAccessToChatRoomInApp": Method(
        "in_app(app_id).chats.grant(id, users)",
        "POST /v2/apps/{app}/chats/users-access",
        {
            "plain": Case(
                Sent("POST", f"{IN_CHILD}/chats/users-access", body=_access("c1", "u1", app=CHILD)),
                lambda e: e.in_app(CHILD).chats.grant("c1", "u1"),
            ),
            "many, as pairs": Case(
                Sent("POST", f"{IN_CHILD}/chats/users-access", body=_access("c1", "u1", "u2", app=CHILD)),
                lambda e: _done(e.in_app(CHILD).chats.grant_many([("c1", "u1"), ("c1", "u2")])),
            ),
        },
    ),
    "removeUserAccessFromChatRoomInApp": Method(
        "in_app(app_id).chats.revoke(id, users)",
        "DELETE /v2/apps/{app}/chats/users-access",
        {
            "plain": Case(
                Sent("DELETE", f"{IN_CHILD}/chats/users-access", body=_access("c1", "u1", app=CHILD)),
                lambda e: e.in_app(CHILD).chats.revoke("c1", "u1"),
            )
        },
    ),
}

_PAGED = "a list is always asked for in pages of a known size: the server's default is 100 and may change"
_WAITS = "the Node SDK hands back a running job (fault 10); we ask until it has ended"
_REQUIRED = "left out, the Node SDK makes one up that differs at every call (fault 9); we want it said"

EVERY_REQUEST = {
    "claims.exp": "a server token that never ends is a password; ours ends after an hour (fault 1)",
    "headers.user-agent": "it says who asks",
    "headers.accept": "nothing but JSON is understood",
}
"""Differences that all requests share."""

DIFFERENCES: dict[tuple[str, str, str], str] = {
    ("createChatName", "prefixed id", "result"): "an id that is prefixed already is not prefixed again (fault 14)",
    ("createChatUserJwtToken", "plain", "exp"): "a user's token ends: after an hour unless a call says otherwise",
    ("createUser", "plain", "body.usersList[0].password"): (
        "anybody could guess it (fault 9): without one the platform makes its own"
    ),
    ("createUser", "plain", "then"): _WAITS,
    ("createUser", "nothing but an id", "refused"): _REQUIRED,
    ("getUsers", "all", "query.limit"): _PAGED,
    ("getUsers", "all", "query.offset"): _PAGED,
    ("updateUsers", "cleared field", "body.users[0].profileImage"): (
        "the Node SDK drops empty values, so that no field can be cleared (fault 12)"
    ),
    ("updateUsers", "more than 100", "split"): "the Node SDK refuses more than 100; we split them (fault 11)",
    ("deleteUsers", "nobody", "nothing sent"): "what the platform makes of an empty list is not known",
    ("getUserChats", "without parameters", "query.limit"): _PAGED,
    ("getUserChats", "without parameters", "query.offset"): _PAGED,
    ("getUserChats", "an id with a slash", "path"): "parts of a path are percent-encoded (fault 13)",
    ("createChatRoom", "without a title", "refused"): (
        "the Node SDK calls it 'Chat Room <id>', which people then see; we want it said"
    ),
    ("updateChatRoom", "by JID", "path"): "every form of an id is brought to one, before it goes into a path",
    ("grantUserAccessToChatRoom", "an id that begins like the app's", "body.members[0]"): (
        "the Node SDK takes app1234 for an id that is prefixed with app123 already (fault 14)"
    ),
    ("listApps", "without parameters", "query.limit"): _PAGED,
    ("listApps", "without parameters", "query.offset"): _PAGED,
    ("createUsersInApp", "plain", "then"): _WAITS,
}
"""By method, case and what differs."""


async def _made(value: str) -> str:
    return value


__all__ = ["APP", "CHILD", "DIFFERENCES", "EVERY_REQUEST", "METHODS", "Case", "Method", "Sent"]
