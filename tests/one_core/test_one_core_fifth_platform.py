"""A fifth platform needs no change to the core: the tests write one into a folder, and run the same suites on it."""

from __future__ import annotations

import gc
import importlib
import inspect
import shutil
import subprocess
import sys
import warnings
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ethora_async import ChatToken, NewUser
from ethora_async.capabilities import ManagesChats, ManagesUsers, MintsUserTokens
from ethora_async.redaction import Secret
from ethora_async.sync import USERS, apply_plan, make_plan, open_source, resume, verify
from ethora_async.testing.implementers import PlatformContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from types import ModuleType

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMES = [name for name, _ in inspect.getmembers(PlatformContract, inspect.isfunction) if name.startswith("test_")]


@pytest.fixture
def toychat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The platform's package, outside of the project."""
    package = tmp_path / "toychat"
    package.mkdir()
    (package / "__init__.py").write_text('"""Toychat."""\n', "utf-8")
    shutil.copy(HERE / "toy_client.py", package / "client.py")
    shutil.copy(HERE / "toy_sandbox.py", package / "sandbox.py")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("toychat.client")
    importlib.import_module("toychat.sandbox")
    yield sys.modules["toychat"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "toychat"]:
        del sys.modules[name]


def contract(toychat: Any, client_class: Any = None) -> PlatformContract:
    """The suite for this platform, or for a changed client of it."""

    class Suite(PlatformContract):
        client = client_class or toychat.client.ToyClient
        platform = "toychat"
        required = ("TOYCHAT_URL", "TOYCHAT_KEY")
        secrets = ("TOYCHAT_KEY",)

        @asynccontextmanager
        async def sandbox(self) -> AsyncGenerator[Any]:
            async with toychat.sandbox.ToySandbox() as sandbox:
                yield sandbox

        async def call(self, client: Any) -> None:
            await client.users.list()

    return Suite()


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_to_the_contract(name: str, toychat: Any) -> None:
    getattr(contract(toychat), name)()


async def test_it_is_kept_in_step_by_the_sync_engine(toychat: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("id,email,first_name,last_name\nann,a@b.io,Ann,Lee\nbea,b@b.io,Bea,Lee\n", "utf-8")
    async with toychat.sandbox.ToySandbox() as sandbox:
        sandbox.users |= {
            "bea": {"id": "bea", "email": "b@b.io", "name": "Bea Ray"},
            "old": {"id": "old", "email": "o@b.io", "name": "Old One"},
        }
        environment = sandbox.environment
        async with toychat.client.ToyClient(url=environment["TOYCHAT_URL"], key=environment["TOYCHAT_KEY"]) as client:
            users = await open_source(people, USERS)
            journal = tmp_path / "people.journal"
            async with await make_plan(client, users=users, prune=True, allow_delete=1, journal=journal) as plan:
                assert plan.summary.changes == {("user", "create"): 1, ("user", "update"): 1, ("user", "delete"): 1}
            assert (await resume(client, journal)).ok  # nothing of it was carried out before
            assert {user["name"] for user in sandbox.users.values()} == {"Robot", "Ann Lee", "Bea Lee"}
            assert (await verify(client, users=users, prune=True)).in_step
            async with await make_plan(client, users=users, prune=True) as again:
                assert again.summary.in_step
                assert (await apply_plan(client, again)).total == 0


async def test_bulk_runs_report_what_became_of_each(toychat: Any) -> None:
    async with toychat.sandbox.ToySandbox() as sandbox:
        environment = sandbox.environment
        async with toychat.client.ToyClient(url=environment["TOYCHAT_URL"], key=environment["TOYCHAT_KEY"]) as client:
            rows = [NewUser(id=f"u{n}", email=f"u{n}@b.io", first_name="A", last_name="B") for n in range(200)]
            sandbox.faults.fail("POST /users", times=3, status=503)
            report = await client.users.create_many([*rows, rows[0]])
            assert report.counts == {"created": 200, "existed": 1}
            assert (await client.users.delete_many(["u1", "nobody"])).counts == {"deleted": 1, "absent": 1}
            assert len([user async for user in client.users.list()]) == 200


@pytest.mark.slow
def test_its_abilities_are_seen_at_run_time_and_by_the_type_checker(toychat: Any, tmp_path: Path) -> None:
    client = toychat.client.ToyClient(url="https://toy.example", key="a-key-for-the-toy")
    assert isinstance(client, ManagesUsers)
    assert isinstance(client, MintsUserTokens)
    assert not isinstance(client, ManagesChats)
    (tmp_path / "abilities.py").write_text(
        "from toychat.client import ToyClient\n"
        "from ethora_async.capabilities import ManagesChats, ManagesUsers, MintsUserTokens\n"
        "client = ToyClient()\n"
        "users: ManagesUsers = client\n"
        "tokens: MintsUserTokens = client\n"
        "chats: ManagesChats = client  # type: ignore[assignment]\n",
        "utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "abilities.py"],
        cwd=tmp_path,
        env={"MYPYPATH": f"{ROOT}:{tmp_path}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_is_made_of_the_core_alone() -> None:
    """It imports no other platform, and its server does not import its client."""
    client, sandbox = ((HERE / name).read_text("utf-8") for name in ("toy_client.py", "toy_sandbox.py"))
    assert "ethora_async.platforms" not in client + sandbox
    assert "ethora_async.sandbox" not in client
    assert not any(f"ethora_async.{part}" in sandbox for part in ("engine", "tokens", "transport"))


class Careless:
    """Return typical mistakes: one for each subclass that the test below creates."""

    @staticmethod
    def shows_its_key(toy: Any) -> Any:
        return type("Bad", (toy,), {"__repr__": lambda self: f"Bad({self._settings.peek().current['TOYCHAT_KEY']})"})

    @staticmethod
    def never_closes(toy: Any) -> Any:
        async def aclose(self: Any) -> None: ...

        return type("Bad", (toy,), {"aclose": aclose})

    @staticmethod
    def makes_tokens_anew(toy: Any) -> Any:
        class Bad(toy):  # type: ignore[misc]
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self.tokens = Careless._Forgetful(self.tokens)  # type: ignore[has-type]

        return Bad

    @staticmethod
    def forgets_a_setting(toy: Any) -> Any:
        def from_env(cls: Any, **options: Any) -> Any:
            import os

            return cls(url=os.environ["TOYCHAT_URL"] or None, key=os.environ.get("TOYCHAT_KEY"), **options)

        return type("Bad", (toy,), {"from_env": classmethod(from_env)})

    @staticmethod
    def raises_errors_of_others(toy: Any) -> Any:
        class Bad(toy):  # type: ignore[misc]
            async def _engine(self) -> Any:
                if self._made is not None and self._made._closed:
                    raise RuntimeError
                return await super()._engine()

        return Bad

    class _Forgetful:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def for_user(self, id: Any) -> ChatToken:
            self._inner._cache.clear()
            token = await self._inner.for_user(id)
            return ChatToken(secret=Secret(token.value), user_id="x", expires_at=1, refresh_at=0, platform="toychat")


@pytest.mark.parametrize(
    ("careless", "caught_by"),
    [
        ("shows_its_key", "test_no_secret_is_shown"),
        ("never_closes", "test_a_closed_client_sends_no_more"),
        ("never_closes", "test_a_session_that_was_passed_in_stays_open"),
        ("makes_tokens_anew", "test_a_token_says_for_whom_it_is_and_until_when"),
        ("forgets_a_setting", "test_a_missing_setting_is_named"),
        ("raises_errors_of_others", "test_a_closed_client_sends_no_more"),
    ],
)
def test_the_contract_catches_a_client_that_breaks_it(careless: str, caught_by: str, toychat: Any) -> None:
    bad = getattr(Careless, careless)(toychat.client.ToyClient)
    with warnings.catch_warnings():
        # What a client that is never closed leaves open is found here, and not in the middle of another test.
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises((AssertionError, KeyError, RuntimeError)):
            getattr(contract(toychat, bad), caught_by)()
        gc.collect()
