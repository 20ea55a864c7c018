"""A sandbox for generated calls, in which some generated values name real records."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import requests
from sandbox_helpers import APP, SECRET, client_token, row, server_token

from ethora_async.sandbox import EthoraSandbox
from ethora_async.sandbox.ethora.routing import Auth

if TYPE_CHECKING:
    from schemathesis import Case, Response

    from ethora_async.sandbox.ethora.routing import Route

PASSWORD = "open sesame"
RIVALS = ("chatIds", "chatNames", "allRooms", "aroundStanzaId", "aroundMessageId")
"""Of these a call may name one, which the document cannot say of a query string, nor where the refusal is a 400."""


class World:
    """The sandbox, and the ids, tokens and values that a call may name."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._session = requests.Session()
        self._session.trust_env = False
        self._sandbox = EthoraSandbox(app_id=APP, secret=SECRET, job_polls=0)
        self._run(self._sandbox.start())
        self._round = 0

    def close(self) -> None:
        self._run(self._sandbox.aclose())
        self._session.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, method: str, path: str, body: Any = None, token: str | None = None, **more: Any) -> Any:
        headers = {"x-custom-token": token or server_token()}
        reply = self._session.request(method, self._sandbox.url + path, json=body, headers=headers, **more)
        assert reply.ok, reply.text
        return reply.json()

    def send(self, case: Case, token: str | None) -> Response:
        headers = {} if token is None else {"x-custom-token": token}
        return case.call(base_url=self._sandbox.url, headers=headers, session=self._session)

    def renew(self) -> None:
        """Create fresh records, so that one operation does not affect the next."""
        self._round += 1
        one, two, chat = (f"{name}{self._round}" for name in ("u", "v", "chat"))
        users = {"usersList": [row(one, password=PASSWORD), row(two)]}
        users_job = self.call("POST", "/v2/users/batch", users)["jobId"]
        self.call("POST", "/v2/chats", {"title": chat, "uuid": chat, "type": "public", "members": [one, two]})
        child = self.call("POST", "/v2/apps", {"displayName": f"Child{self._round}"})["app"]
        doomed = self.call("POST", "/v2/apps", {"displayName": "Doomed"})["app"]["_id"]
        purge_job = self.call("DELETE", f"/v2/apps/{doomed}?mode=hard")["jobId"]
        self.call("POST", f"/v2/apps/{child['_id']}/chats", {"title": "Room", "uuid": "room"})
        broadcast = {"text": "hello", "chatIds": [chat], "metadata": {"key": "value"}}
        broadcast_job = self.call("POST", "/v2/chats/broadcast", broadcast)["jobId"]
        store = self._sandbox.store
        user, room = store.app(APP).users.find(one), store.app(APP).chats.find(chat)
        assert user is not None
        assert room is not None
        self._owner = self.call("POST", f"/v2/apps/{APP}/owner-session")
        self.call("POST", "/v1/chats/users-access", {"chatName": chat, "members": [self._owner["user"]["uuid"]]})
        sessions, signer = self._sandbox._platform.sessions, self._sandbox._platform.signer
        self._client = client_token(one)
        self._child, self._app_token, self._email = child["_id"], child["appToken"], user.email
        self._jobs = {"purge": purge_job, "broadcast": broadcast_job, "users": users_job}
        reset = {"type": "reset", "userId": user.id, "appId": APP}
        file = {"files": ("a.txt", b"hello", "text/plain")}
        owner = self._owner["token"]
        kept = self._session.post(
            f"{self._sandbox.url}/v2/files", files=file, headers={"x-custom-token": owner}
        ).json()["results"][0]
        default = self.call("POST", f"/v1/apps/create-app-chat/{APP}", {"title": "Lobby"}, owner)["result"]
        careful = store.app(APP).users.find(two)
        assert careful is not None
        careful.require_code("000000")
        challenge = sessions.challenge(careful, self._sandbox._platform.clock())
        message = room.messages[0]
        self._known: dict[str, Any] = {
            "appId": APP,
            "userId": one,
            "xmppUsername": user.xmpp_username,
            "chat": room.name,
            "chatName": room.name,
            "chatId": room.id,
            "name": room.name,
            "chatJid": default["jid"],
            "chatUuid": chat,
            "userUuid": one,
            "tokenId": self.call("POST", f"/v2/apps/{APP}/tokens", {})["tokenId"],
            "keyId": self.call("POST", "/v2/users/me/api-keys", {}, owner)["_id"],
            "fileId": kept["_id"],
            "filename": kept["filename"],
            "username": one,
            "usersIdList": [user.id],
            "userIdList": [user.id],
            "userIds": [user.id, "nobody"],
            "chatIds": [room.id, "nowhere"],
            "password": PASSWORD,
            "token": signer.sign(reset, now=self._sandbox._platform.clock(), ttl=60).removeprefix("JWT "),
            "mfaToken": challenge,
            "code": "000000",
            "aroundStanzaId": str(message.stanza),
            "before": str(message.stanza),
            "q": "hell",
            "since": "2020-01-01",
            "until": "2040-01-01T00:00:00Z",
            "members": [one, two],
            "userJid": f"{user.xmpp_username}@xmpp.localhost",
            "allRooms": True,
            "refreshToken": self._owner["refreshToken"],
        }

    def token(self, auth: Auth) -> str | None:
        """A token that opens calls of this class."""
        tokens = {
            Auth.SERVER: server_token(),
            Auth.TENANT_ACTOR: server_token(),
            Auth.CLIENT: self._client,
            Auth.USER: self._owner["token"],
            Auth.REFRESH: self._owner["refreshToken"],
            Auth.APP: self._app_token,
            Auth.APP_OR_USER: self._app_token,
        }
        return tokens.get(auth)

    def make_meaningful(self, case: Case, route: Route) -> None:
        """Replace generated values that name a record by known ones."""
        self._name_records(case.path_parameters or {}, route)
        for values in (case.query, case.body):
            if isinstance(values, dict):
                for name in [name for name in RIVALS if name in values][1:]:
                    del values[name]
                values.update({name: self._known[name] for name in values if name in self._known})
        if route.path.endswith("/get-config"):
            # An operation that ran before may have renamed it.
            case.query["domainName"] = self._sandbox.store.app(APP).domain_name
        if isinstance(case.body, dict) and route.auth is Auth.APP_OR_ID:
            case.body["appId"] = APP
            if "login" in route.path and "email" in case.body:
                case.body["email"] = self._email

    def _name_records(self, parameters: dict[str, Any], route: Route) -> None:
        parameters.update({name: self._known[name] for name in parameters if name in self._known})
        if "jobId" in parameters:
            kind = next((kind for kind in self._jobs if kind in route.path), "users")
            parameters["jobId"] = self._jobs[kind]
        if route.method == "DELETE" and route.path.endswith("/apps/{appId}"):
            parameters["appId"] = self._child
