"""Every store, working and failing, read by the client and the command line: no secret leaks."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import sys
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import trustme
from moto_server import REGION, Moto, running_moto, stub_aws
from openbao_server import OpenBao

import ethora_async
import ethora_async_secrets
from ethora_async import ChatError, EthoraClient
from ethora_async.platforms.ethora.app_secret import APP_SECRET, SigningKeys, WeakSecretWarning
from ethora_async.sandbox import EthoraSandbox
from ethora_async.testing.implementers import Canary
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "canary-app-secret-9f2c71"
NEXT = "canary-next-secret-5b8e03"
SERVER_TOKEN = "eyJhbGciOi"
"""How every token that is signed with a secret begins."""
OURS = tuple(str(Path(package.__path__[0])) for package in (ethora_async, ethora_async_secrets))


@attrs.frozen
class Case:
    """A store in some state: its URL, the environment that goes with it, further secrets, what is said of it.

    `said` is None where the secret is read.
    """

    url: str
    said: str | None = None
    env: dict[str, str] = attrs.field(factory=dict)
    secrets: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def moto_process() -> Iterator[Moto]:
    with running_moto() as moto:
        yield moto


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao(tmp_path_factory.mktemp("canary"), durable=True) as server:
        server.policy("read", 'path "secret/data/*" { capabilities = ["read"] }')
        server.write("canary", {APP_SECRET: SECRET})
        server.write("unfit", {APP_SECRET: {"inner": SECRET}, "NUMBER": 5})
        yield server


def file_case(name: str, folder: Path) -> Case:
    path = folder / "ethora.json"
    content = {
        "read": f'{{"{APP_SECRET}": "{SECRET}"}}',
        "cut": f'{{"{APP_SECRET}": "{SECRET}',
        "number": f'{{"{APP_SECRET}": "{SECRET}", "n": {"9" * 5000}}}',
        "other": f'{{"OTHER": "{SECRET}"}}',
    }
    said = {"read": None, "cut": "is not JSON", "number": "a number too long", "other": f"lacks {APP_SECRET}"}
    if name in content:
        path.write_text(content[name])
        return Case(f"env:?names=NOT_SET file://{path}", said[name])
    if name == "cut dotenv":
        (folder / "ethora.env").write_text(f"A=1\n{APP_SECRET}={SECRET}")
        return Case(f"file://{folder}/ethora.env", "line 2 does not end with a newline")
    (folder / APP_SECRET).write_bytes(SECRET.encode() + b"\xff")
    return Case(f"file://{folder}", "is not UTF-8")


def env_case(name: str) -> Case:
    if name == "blank":
        return Case("env:", APP_SECRET, {"ETHORA_OTHER": SECRET, APP_SECRET: "  "})
    return Case("env:", "is not UTF-8", {APP_SECRET: os.fsdecode(SECRET.encode() + b"\xff")})


def vault_case(name: str, bao: OpenBao, folder: Path) -> Case:
    token = bao.token_for("read")
    said = None
    path, env = "canary", {"VAULT_ADDR": bao.address, "VAULT_CACERT": str(bao.ca)}
    if name == "unfit":
        path, said = "unfit", f"'{APP_SECRET}' is not a string"
    elif name == "denied":
        token, said = bao.token_for("default"), "its policy must allow"
    elif name == "expired":
        bao.client().auth.token.revoke(token)
        said = "has expired, was revoked or is mistyped"
    elif name == "other ca":
        env["VAULT_CACERT"] = str(folder / "other.pem")
        trustme.CA().cert_pem.write_to_path(env["VAULT_CACERT"])
        said = "a certificate that is not trusted"
    elif name == "sealed":
        bao.seal()
        said = "sealed"
    elif name == "killed":
        bao.kill()
        said = "cannot be reached"
    elif name == "approle":
        said = "invalid role"
        env |= {"VAULT_ROLE_ID": "canary-role-id-31", "VAULT_SECRET_ID": "canary-secret-id-31"}
        system = bao.client().sys
        if "approle/" not in system.list_auth_methods()["data"]:
            system.enable_auth_method("approle")
        return Case(f"vault:///secret/{path}?auth=approle", said, env, ("canary-secret-id-31",))
    return Case(f"vault:///secret/{path}", said, env | {"VAULT_TOKEN": token}, (token,))


def aws_case(name: str, moto: Moto) -> Case:
    env, said, url = dict(moto.env), None, "aws-sm:///canary"
    env["AWS_SECRET_ACCESS_KEY"] = "canary-aws-secret-key"
    moto.create("canary", f'{{"{APP_SECRET}": "{SECRET}"}}' if name != "unfit" else f'{{"{APP_SECRET}": "{SECRET}')
    if name == "unfit":
        said = "is not JSON"
    elif name == "missing":
        url, said = "aws-sm:///another", "there is no such secret"
    elif name == "role":
        # moto's answer holds the role's credentials; botocore prints it at DEBUG
        url += "?role_arn=arn:aws:iam::123456789012:role/reader"
    elif name == "denied":
        # keys of nobody: moto checks them once it is told to
        moto.enforce_iam()
        said = "these credentials may not read it"
    elif name == "killed":
        moto.kill()
        said = "cannot be reached"
    return Case(url, said, env | {"AWS_DEFAULT_REGION": REGION}, ("canary-aws-secret-key",))


def echo_case(code: str, servers: ExitStack) -> Case:
    """An AWS whose refusals contain the secret."""
    answer = {"__type": code, "message": f"{SECRET} of Credential=AKIA/{SECRET}"}
    server = servers.enter_context(stub_aws(lambda *_: (400, answer)))
    said = {"ThrottlingException": "too many requests", "ExpiredTokenException": "the credentials have expired"}
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-key"}
    env = {"AWS_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", **keys}
    return Case("aws-sm:///canary", said.get(code, "KMS key does not decrypt"), env, ("canary-aws-secret-key",))


CASES = [
    *(("file", name) for name in ("read", "cut", "number", "other", "cut dotenv", "undecodable")),
    *(("env", name) for name in ("blank", "undecodable")),
    *(("vault", name) for name in ("read", "unfit", "denied", "expired", "other ca", "approle", "sealed", "killed")),
    *(("aws", name) for name in ("read", "role", "unfit", "missing", "denied", "killed")),
    *(("stub", name) for name in ("ThrottlingException", "ExpiredTokenException", "DecryptionFailure")),
]
QUICK = ("read", "blank", "undecodable", "denied", "ThrottlingException")
"""The default suite tries each kind of store, the slow suites every failure."""


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    kind, name = request.param
    if kind == "file":
        yield file_case(name, tmp_path)
    elif kind == "env":
        yield env_case(name)
    elif kind == "stub":
        with ExitStack() as servers:
            yield echo_case(name, servers)
    elif kind == "vault":
        server = request.getfixturevalue("bao")
        yield vault_case(name, server, tmp_path)
        if name in ("sealed", "killed"):
            server.restart()
    else:
        moto = request.getfixturevalue("moto_process")
        moto.reset()
        yield aws_case(name, moto)


every_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param((kind, name), id=f"{kind} {name}", marks=() if name in QUICK else pytest.mark.slow)
        for kind, name in CASES
    ],
    indirect=True,
)


def frames_of(error: BaseException) -> list[str]:
    """The local variables in our frames of an error and of all that came before it."""
    shown: list[str] = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None:
            continue
        pending += [one.__cause__, one.__context__]
        for frame, line in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(OURS):
                shown += [f"{frame.f_code.co_name}:{line}: {name}={value!r}" for name, value in frame.f_locals.items()]
    return shown


@every_case
async def test_the_client_lets_no_secret_out(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"HOME": str(tmp_path), **case.env}.items():
        monkeypatch.setenv(name, value)
    asyncio.get_running_loop().set_debug(True)  # which prints every callback that takes long
    asyncio.get_running_loop().slow_callback_duration = 0.0
    events, things = list[object](), list[object]()
    error: BaseException | None = None
    async with EthoraSandbox(secret=SECRET) as sandbox:
        with Canary(SECRET, NEXT, SERVER_TOKEN, *case.secrets) as canary:
            client = EthoraClient.from_secrets(
                case.url, app_id=sandbox.app_id, api_url=sandbox.url, timeout=3.0, on_event=events.append
            )
            async with client:
                try:
                    await client.users.list(limit=1)
                    sandbox.rotate_secret(NEXT, keep_previous=False)
                    await client.users.list(limit=1)
                except ChatError as caught:
                    error = caught
                things += [client, vars(client)]
    assert error is not None
    assert canary.records
    said = case.said or "401"
    assert said in f"{error} {getattr(error, 'status', '')}"
    canary.check(error, *events, *things, *frames_of(error))


@pytest.mark.slow
@every_case
async def test_the_command_line_lets_no_secret_out(case: Case, tmp_path: Path) -> None:
    """With `-v`, which logs everything at DEBUG, and with Python's and asyncio's own debugging."""
    async with EthoraSandbox(secret=SECRET) as sandbox:
        settings = {"ETHORA_CHAT_API_URL": sandbox.url, "ETHORA_CHAT_APP_ID": sandbox.app_id, "HOME": str(tmp_path)}
        env = {"PATH": os.environ["PATH"], "COLUMNS": "200", "PYTHONDEVMODE": "1", **settings, **case.env}
        for command in ("doctor", "users list"):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ethora_async", "--secrets", case.url, "-v", *command.split(),
                env=env, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(60):
                out, err = (text.decode() for text in await process.communicate())
            assert process.returncode == (0 if case.said is None else 2), out + err
            assert (case.said or "") in out + err
            assert "Traceback" not in err
            Canary(SECRET, SERVER_TOKEN, *case.secrets).check(out, err)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_keys_are_not_pickled_or_copied(copied: Callable[[object], object]) -> None:
    keys = SigningKeys(SECRET, scoped=True)
    for one in (keys, keys.raw(), keys.scoped("server")):
        with pytest.raises(TypeError, match="since that writes out the secret"):
            copied(one)
        Canary(SECRET).check(one)


async def test_a_weak_secret_whose_warning_is_an_error_is_in_no_frame_of_ours() -> None:
    """As pytest shows them with `--showlocals`, for example."""
    client = EthoraClient(
        app_id="app", secret=MemoryProvider({APP_SECRET: "canary-weak"}), api_url="http://127.0.0.1:1"
    )
    async with client:
        with pytest.raises(WeakSecretWarning) as caught:
            await client.tokens.for_user("alice")
    Canary("canary-weak").check(caught.value, *frames_of(caught.value))
