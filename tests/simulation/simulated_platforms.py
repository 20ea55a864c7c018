"""What the simulation works on: the sandboxes' platforms without sockets, with what the invariants ask of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from ethora_async import EthoraClient, RocketChatClient
from ethora_async.sandbox import EthoraSandbox, RocketChatSandbox
from ethora_async.sandbox.ethora.store import ChatData, UserData
from ethora_async.sandbox.rocketchat.accounts import hash_password
from ethora_async.sandbox.rocketchat.ids import hash_token
from ethora_async.sandbox.rocketchat.records import LoginToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ethora_async.sandbox.rocketchat.records import User

APP = "6540f2a1b3c4d5e6f7a8b9c0"
ORIGIN = "http://platform.example"


class Simulated(Protocol):
    """One platform: its gateway, its client, and what stands in it."""

    gateway: Any
    name: str

    def client(self, provider: Any, **options: Any) -> Any:
        """Return a client of it."""
        ...

    def settings(self) -> dict[str, str]:
        """Return what the secret store holds now."""
        ...

    def kinds(self) -> tuple[str, ...]:
        """Return the names of the secrets that can be rotated."""
        ...

    def rotate(self, kind: str, secret: str) -> None:
        """Accept another secret from now on, and the one before no longer."""
        ...

    def users(self) -> dict[str, str]:
        """Return everybody who is managed, by id, with their name."""
        ...

    def chats(self) -> dict[str, frozenset[str]]:
        """Return every room with the ids of who is in it."""
        ...

    def texts(self) -> Counter[str]:
        """Return how often each text was posted."""
        ...

    def seed(self, users: list[str], chats: list[str]) -> None:
        """Put users and rooms there before anything begins."""
        ...


class SimulatedEthora:
    """Ethora; its app secret rotates."""

    name = "ethora"

    def __init__(self, secret: str, now: Callable[[], float], job_polls: int) -> None:
        self._now = now
        self._sandbox = EthoraSandbox(app_id=APP, secret=secret, clock=now, job_polls=job_polls, ui=False)
        self.gateway = self._sandbox._listener._handler._service  # type: ignore[attr-defined]
        self._app = self._sandbox.store.app(APP)

    def client(self, provider: Any, **options: Any) -> EthoraClient:
        return EthoraClient(app_id=APP, api_url=ORIGIN, secret=provider, **options)

    def settings(self) -> dict[str, str]:
        return {"ETHORA_CHAT_APP_SECRET": self._sandbox.secret}

    def kinds(self) -> tuple[str, ...]:
        return ("ETHORA_CHAT_APP_SECRET",)

    def rotate(self, kind: str, secret: str) -> None:
        self._sandbox.rotate_secret(secret, keep_previous=False)

    def users(self) -> dict[str, str]:
        return {one.uuid: one.first_name for one in self._app.users if not one.uuid.startswith("owner-")}

    def chats(self) -> dict[str, frozenset[str]]:
        return {chat.uuid: frozenset(user.uuid for user in chat.members) for chat in self._app.chats}

    def texts(self) -> Counter[str]:
        return Counter(message.body for chat in self._app.chats for message in chat.messages)

    def seed(self, users: list[str], chats: list[str]) -> None:
        store = self._sandbox.store
        for id in users:
            store.create_user(self._app, UserData("Old", "Lee", email=f"{id}@example.com", uuid=id), self._now())
        for id in chats:
            store.create_chat(self._app, ChatData(title="Old", type="group", uuid=id), self._now())


class SimulatedRocketChat:
    """Rocket.Chat; the secret for making tokens rotates, and the admin's password or personal access token."""

    name = "rocketchat"

    def __init__(
        self, secret: str, now: Callable[[], float], admin_password: str, personal_token: str | None = None
    ) -> None:
        self._sandbox = RocketChatSandbox(
            clock=now, admin_password=admin_password, create_tokens_secret=secret, rate_limit=None, ui=False
        )
        self.gateway = self._sandbox._listener._handler._service  # type: ignore[attr-defined]
        self._now = now
        self._password = admin_password
        self._personal_token = personal_token
        if personal_token is not None:
            self._replace_token(personal_token)

    def client(self, provider: Any, **options: Any) -> RocketChatClient:
        return RocketChatClient(url=ORIGIN, secret=provider, **options)

    def settings(self) -> dict[str, str]:
        admin = {"ROCKETCHAT_USER": "admin", "ROCKETCHAT_PASSWORD": self._password}
        if self._personal_token is not None:
            admin = {"ROCKETCHAT_USER_ID": self._admin.id, "ROCKETCHAT_TOKEN": self._personal_token}
        return {**admin, "ROCKETCHAT_CREATE_TOKENS_SECRET": self._sandbox.secret}

    def kinds(self) -> tuple[str, ...]:
        admin = "ROCKETCHAT_PASSWORD" if self._personal_token is None else "ROCKETCHAT_TOKEN"
        return ("ROCKETCHAT_CREATE_TOKENS_SECRET", admin)

    def rotate(self, kind: str, secret: str) -> None:
        if kind == "ROCKETCHAT_CREATE_TOKENS_SECRET":
            self._sandbox._platform.secret = secret
        elif kind == "ROCKETCHAT_PASSWORD":
            self._password = secret
            self._admin.password = hash_password(secret)
        else:
            self._personal_token = secret
            self._replace_token(secret)

    @property
    def _admin(self) -> User:
        admin = self._sandbox.store.users.with_username("admin")
        assert admin is not None
        return admin

    def _replace_token(self, text: str) -> None:
        store, admin = self._sandbox.store, self._admin
        for token in [token for token in admin.tokens if token.personal]:
            store.drop_token(admin, token)
        store.add_token(admin, LoginToken(hash_token(text), self._now(), "simulation", bypass_two_factor=True))

    def users(self) -> dict[str, str]:
        people = (one for one in self._sandbox.store.users if "admin" not in one.roles and "bot" not in one.roles)
        return {one.username: one.name.split()[0] for one in people}

    def chats(self) -> dict[str, frozenset[str]]:
        rooms = (room for room in self._sandbox.store.rooms if room.name is not None and room.name != "general")
        return {
            str(room.name): frozenset(one.user.username for one in room.members.values()) - {"admin"} for room in rooms
        }

    def texts(self) -> Counter[str]:
        return Counter(message.text for room in self._sandbox.store.rooms for message in room.messages.values())

    def seed(self, users: list[str], chats: list[str]) -> None:
        for id in users:
            user = self._sandbox.add_user(id)
            user.name = "Old Lee"
            self._sandbox.store.users.rename(user, username=id, email=f"{id}@example.com")


__all__ = ["APP", "ORIGIN", "Simulated", "SimulatedEthora", "SimulatedRocketChat"]
