from __future__ import annotations

import asyncio
import json
import pickle
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from joserfc import jwk, jwt
from vault_helpers import NAME, READ, approle, check_silent, error_of, requests_of, secret

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import SecretDeniedError, SecretMalformedError, SecretUnavailableError, VaultProvider
from ethora_async_secrets.vault.provider import AppRoleLogin, JWTLogin, KubernetesLogin, TokenLogin, VaultLogin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openbao_server import OpenBao
    from vault_helpers import Odd


@pytest.fixture
def path(bao: OpenBao, name: str) -> str:
    bao.write(name, {NAME: "the-value"})
    bao.policy("read", READ)
    return name


async def reads(bao: OpenBao, path: str, auth: VaultLogin | str, **options: Any) -> bool:
    provider = VaultProvider(path, address=bao.address, auth=auth, **options)
    value = (await provider.fetch()).reveal(NAME)
    await provider.aclose()
    return value == "the-value"


async def test_a_token_comes_from_the_argument_the_environment_or_a_file(bao: OpenBao, path: str, tmp_path: Path):
    token = bao.token_for("read")
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    assert await reads(bao, path, TokenLogin(token))
    assert await reads(bao, path, TokenLogin(token_file=str(file)))
    assert await reads(bao, path, "token", environ={"VAULT_TOKEN": token, "VAULT_TOKEN_FILE": "/nowhere"})
    assert await reads(bao, path, "token", environ={"VAULT_TOKEN_FILE": str(file)})


async def test_a_token_is_found_where_the_command_line_client_leaves_it(bao: OpenBao, path: str, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(bao.token_for("read"))
    assert await reads(bao, path, "token")


async def test_a_token_file_is_read_again_when_it_changes(bao: OpenBao, path: str, tmp_path: Path):
    file = tmp_path / "token"
    first, second = bao.token_for("read"), bao.token_for("read")
    file.write_text(first)
    provider = VaultProvider(path, address=bao.address, auth=TokenLogin(token_file=str(file)))
    await provider.fetch()
    file.write_text(second)
    bao.client().auth.token.revoke(first)
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    # an agent that rewrites its file without renaming leaves it empty for a moment
    file.write_text("")
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    file.unlink()
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    await provider.aclose()


async def test_a_token_replaced_in_its_file_is_used_though_the_old_one_still_works(odd: Odd, tmp_path: Path):
    file = tmp_path / "token"
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin(token_file=str(file)))
    for token in ("token-first", "token-second"):
        file.write_text(token)
        await provider.fetch()
        assert odd.seen[-1][2]["X-Vault-Token"] == token
    await provider.aclose()


async def test_a_refused_token_that_nothing_has_replaced_is_not_tried_again(odd: Odd, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("token-first")
    odd.replies = {"secret/data/app": secret({NAME: "one"})}
    provider = VaultProvider("app", address=odd.address, auth=TokenLogin(token_file=str(file)))
    await provider.fetch()
    odd.replies["secret/data/app"] = [(403, {}, {"errors": ["permission denied"]})]
    before = len(odd.seen)
    assert isinstance(await error_of(provider), SecretDeniedError)
    # no other token is there: looking the same one up tells why, asking again does not help
    assert odd.paths()[before:] == ["GET /v1/secret/data/app", "GET /v1/auth/token/lookup-self"]
    await provider.aclose()


async def test_an_approle_logs_in_with_ids_from_anywhere(bao: OpenBao, path: str, tmp_path: Path):
    role_id, secret_id = approle(bao, path)
    (tmp_path / "role").write_text(f" {role_id}\n")
    (tmp_path / "secret").write_text(f"{secret_id}\n")
    role_file, secret_file = str(tmp_path / "role"), str(tmp_path / "secret")
    assert await reads(bao, path, AppRoleLogin(role_id, secret_id))
    assert await reads(bao, path, AppRoleLogin(role_id_file=role_file, secret_id_file=secret_file))
    assert await reads(bao, path, "approle", environ={"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id})
    files = {"VAULT_ROLE_ID_FILE": role_file, "VAULT_SECRET_ID_FILE": secret_file}
    assert await reads(bao, path, "approle", environ=files)


async def test_a_login_may_be_mounted_elsewhere(bao: OpenBao, path: str):
    root = bao.client()
    root.sys.enable_auth_method("approle", path=f"apps/{path}")
    root.auth.approle.create_or_update_approle("chat", token_policies=["read"], mount_point=f"apps/{path}")
    role_id = root.auth.approle.read_role_id("chat", mount_point=f"apps/{path}")["data"]["role_id"]
    made = root.auth.approle.generate_secret_id("chat", mount_point=f"apps/{path}", wrap_ttl="60s")
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_WRAPPED_SECRET_ID": made["wrap_info"]["token"]}
    assert await reads(bao, path, "approle", auth_mount=f"apps/{path}", role="chat", environ=environ)
    with pytest.raises(SecretDeniedError, match="refused the approle login"):
        await reads(bao, path, AppRoleLogin(role_id, "11111111-2222", mount="elsewhere"))


@pytest.mark.parametrize("count", [50])
async def test_any_number_of_first_reads_share_one_login(bao: OpenBao, path: str, wire_log, count: int):
    provider = VaultProvider(path, address=bao.address, auth=AppRoleLogin(*approle(bao, path)))
    wire_log.clear()
    await asyncio.gather(*(provider.fetch() for _ in range(count)))
    assert (requests_of(wire_log, "auth/approle/login"), requests_of(wire_log, "secret/data/.*")) == (1, count)
    await provider.aclose()


async def test_any_number_of_reads_with_a_dead_token_share_one_login(bao: OpenBao, path: str, wire_log):
    provider = VaultProvider(path, address=bao.address, auth=AppRoleLogin(*approle(bao, path)))
    await provider.fetch()
    (session,) = provider._sessions.values()
    bao.client().auth.token.revoke(session._lease.token)
    wire_log.clear()
    await asyncio.gather(*(provider.fetch() for _ in range(50)))
    assert requests_of(wire_log, "auth/approle/login") == 1
    await provider.aclose()


async def test_a_used_up_secret_id_is_denied_clearly(bao: OpenBao, path: str):
    role_id, _ = approle(bao, path, secret_id_num_uses=1)
    secret_id = bao.client().auth.approle.generate_secret_id(path)["data"]["secret_id"]
    with Canary(secret_id) as canary:
        login = AppRoleLogin(role_id, secret_id)
        assert await reads(bao, path, login)
        provider = VaultProvider(path, address=bao.address, auth=login)
        error = await error_of(provider)
    assert isinstance(error, SecretDeniedError)
    assert "used up" in str(error)
    check_silent(canary, error, provider, login)
    await provider.aclose()


async def test_a_wrapped_secret_id_is_unwrapped_once_and_serves_later_logins(
    bao: OpenBao, path: str, tmp_path: Path, wire_log
):
    role_id, _ = approle(bao, path)
    file = tmp_path / "wrapped"

    def wrap() -> str:
        return str(bao.client().auth.approle.generate_secret_id(path, wrap_ttl="60s")["wrap_info"]["token"])

    file.write_text(wrap())
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_WRAPPED_SECRET_ID_FILE": str(file)}
    provider = VaultProvider(path, address=bao.address, auth="approle", environ=environ)
    wire_log.clear()
    for again in (False, False, True):
        unwrapped = requests_of(wire_log, "sys/wrapping/unwrap")
        assert unwrapped <= 1
        if again:
            file.write_text(wrap())
        assert (await provider.fetch()).reveal(NAME) == "the-value"
        await provider.aclose()
    assert requests_of(wire_log, "sys/wrapping/unwrap") == 2
    assert requests_of(wire_log, "auth/approle/login") == 3
    await provider.aclose()


async def test_a_wrapped_secret_id_that_somebody_else_unwrapped_is_denied_clearly(bao: OpenBao, path: str):
    role_id, _ = approle(bao, path)
    token = bao.client().auth.approle.generate_secret_id(path, wrap_ttl="60s")["wrap_info"]["token"]
    stolen = bao.client(token=token).sys.unwrap()["data"]["secret_id"]
    with Canary(token, stolen) as canary:
        provider = VaultProvider(path, address=bao.address, auth=AppRoleLogin(role_id, token, wrapped=True))
        error = await error_of(provider)
    assert isinstance(error, SecretDeniedError)
    assert "has expired or was unwrapped already" in str(error)
    check_silent(canary, error, provider)
    await provider.aclose()


async def test_a_wrapping_token_of_other_origin_is_refused_and_left_wrapped(bao: OpenBao, path: str):
    role_id, _ = approle(bao, path)
    approle(bao, f"{path}-other")
    forged = bao.client().sys.wrap({"secret_id": "canary-forged"}, ttl=60)["wrap_info"]["token"]
    other = bao.client().auth.approle.generate_secret_id(f"{path}-other", wrap_ttl="60s")["wrap_info"]["token"]
    for token in (forged, other):
        with Canary(token) as canary:
            login = AppRoleLogin(role_id, token, wrapped=True, role=path)
            provider = VaultProvider(path, address=bao.address, auth=login)
            error = await error_of(provider)
        assert isinstance(error, SecretDeniedError)
        assert "may have been replaced in transit" in str(error)
        check_silent(canary, error, provider)
        assert "secret_id" in bao.client(token=token).sys.unwrap()["data"]
        await provider.aclose()


@pytest.fixture(scope="session")
def signing_key() -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048)


def signed(key: jwk.RSAKey, **claims: object) -> str:
    return jwt.encode(
        {"alg": "RS256"}, {"sub": "chat", "iat": int(time.time()), "exp": int(time.time()) + 600} | claims, key
    )


@pytest.fixture(scope="module")
def jwt_mount(bao: OpenBao, signing_key: jwk.RSAKey) -> str:
    root = bao.client()
    root.sys.enable_auth_method("jwt")
    root.auth.jwt.configure(jwt_validation_pubkeys=[signing_key.as_pem(private=False).decode()], bound_issuer="ci")
    root.auth.jwt.create_role(
        "chat", role_type="jwt", user_claim="sub", bound_audiences=["vault"], token_policies=["read"],
        allowed_redirect_uris=[],
    )  # fmt: skip
    return "jwt"


async def test_a_jwt_logs_in_and_its_file_is_read_at_each_login(
    bao: OpenBao, path: str, jwt_mount: str, signing_key: jwk.RSAKey, tmp_path: Path
):
    good = signed(signing_key, iss="ci", aud="vault")
    assert await reads(bao, path, JWTLogin("chat", good))
    assert await reads(bao, path, "jwt", role="chat", environ={"VAULT_JWT": good})
    file = tmp_path / "jwt"
    file.write_text("not-a-token-yet")
    provider = VaultProvider(path, address=bao.address, auth=JWTLogin("chat", jwt_file=str(file)))
    assert isinstance(await error_of(provider), SecretDeniedError)
    file.write_text(good)
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    await provider.aclose()


@pytest.mark.parametrize(
    ("role", "claims", "said"),
    [
        ("chat", {"iss": "ci", "aud": "another"}, "invalid audience"),
        ("chat", {"iss": "ci", "aud": "vault", "exp": 1_000_000_000}, "token is expired"),
        ("chat", {"iss": "nobody", "aud": "vault"}, "invalid issuer"),
        ("absent", {"iss": "ci", "aud": "vault"}, "could not be found"),
    ],
)
async def test_a_jwt_that_does_not_fit_is_denied(
    bao: OpenBao, path: str, jwt_mount: str, signing_key: jwk.RSAKey, role: str, claims: dict[str, object], said: str
):
    token = signed(signing_key, **claims)
    with Canary(token, token.rpartition(".")[2]) as canary:
        provider = VaultProvider(path, address=bao.address, auth=JWTLogin(role, token))
        error = await error_of(provider)
    assert isinstance(error, SecretDeniedError)
    assert f'refused the jwt login (400, "{said}")' in str(error)
    assert f"role {role!r} at auth/jwt" in str(error)
    check_silent(canary, error, provider)
    await provider.aclose()


class Reviewer:
    """The part of a Kubernetes API server that says whose service account token it is."""

    def __init__(self, directory: Path) -> None:
        self.accounts: dict[str, str] = {}
        self.down = False
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.ca = authority.cert_pem.bytes().decode()
        reviewer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                account = reviewer.accounts.get(review["spec"]["token"])
                status: dict[str, object] = {"authenticated": account is not None}
                if account is not None:
                    user = {"username": f"system:serviceaccount:shop:{account}", "uid": f"uid-{account}"}
                    status["user"] = user | {"groups": ["system:serviceaccounts"]}
                body = json.dumps(review | {"status": status}).encode()
                self.send_response(500 if reviewer.down else 201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def token_of(self, account: str, key: jwk.RSAKey) -> str:
        """Issue a projected service account token."""
        inner = {"namespace": "shop", "serviceaccount": {"name": account, "uid": f"uid-{account}"}}
        claims = {"iss": "https://kubernetes.default.svc", "nonce": time.time_ns(), "kubernetes.io": inner}
        token = signed(key, sub=f"system:serviceaccount:shop:{account}", **claims)
        self.accounts[token] = account
        return token


@pytest.fixture(scope="module")
def reviewer(bao: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewer]:
    reviewer = Reviewer(tmp_path_factory.mktemp("reviewer"))
    root = bao.client()
    root.sys.enable_auth_method("kubernetes")
    root.auth.kubernetes.configure(
        kubernetes_host=reviewer.address, kubernetes_ca_cert=reviewer.ca, disable_local_ca_jwt=True
    )  # fmt: skip
    root.auth.kubernetes.create_role(
        "chat", bound_service_account_names=["chat"], bound_service_account_namespaces=["shop"], policies=["read"]
    )
    yield reviewer
    reviewer.server.shutdown()
    reviewer.server.server_close()
    reviewer.thread.join(10)


async def test_a_service_account_logs_in_with_the_token_that_its_file_holds_at_the_time(
    bao: OpenBao, path: str, reviewer: Reviewer, signing_key: jwk.RSAKey, tmp_path: Path, monkeypatch
):
    file = tmp_path / "token"
    first = reviewer.token_of("chat", signing_key)
    file.write_text(first)
    provider = VaultProvider(path, address=bao.address, auth=KubernetesLogin("chat", token_file=str(file)))
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    await provider.aclose()
    # Kubernetes replaces the token and the old one is dead
    file.write_text(reviewer.token_of("chat", signing_key))
    del reviewer.accounts[first]
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    await provider.aclose()
    monkeypatch.setattr("ethora_async_secrets.vault.login._SERVICE_ACCOUNT", str(file))
    assert await reads(bao, path, "kubernetes", role="chat")


async def test_another_service_account_and_a_cluster_that_does_not_answer_are_denied(
    bao: OpenBao, path: str, reviewer: Reviewer, signing_key: jwk.RSAKey, tmp_path: Path
):
    file = tmp_path / "token"
    login = KubernetesLogin("chat", token_file=str(file))
    provider = VaultProvider(path, address=bao.address, auth=login)
    other, unknown = reviewer.token_of("other", signing_key), signed(signing_key, sub="nobody")
    for token in (other, unknown):
        file.write_text(token)
        with Canary(token, token.rpartition(".")[2]) as canary:
            error = await error_of(provider)
        assert isinstance(error, SecretDeniedError)
        assert "refused the kubernetes login (403" in str(error)
        check_silent(canary, error, provider)
    file.write_text(reviewer.token_of("chat", signing_key))
    reviewer.down = True
    error = await error_of(provider)
    assert isinstance(error, SecretDeniedError)
    assert "or the server could not ask the cluster" in str(error)
    reviewer.down = False
    assert (await provider.fetch()).reveal(NAME) == "the-value"
    await provider.aclose()


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (None, SecretUnavailableError, "cannot be read (FileNotFoundError)"),
        (b"", SecretUnavailableError, "is empty"),
        (b" \n", SecretUnavailableError, "is empty"),
        (b"canary-one\ncanary-two", SecretMalformedError, "has characters that none has"),
        ("canary-one-é".encode(), SecretMalformedError, "has characters that none has"),
        (b"\xff\xfecanary-one", SecretMalformedError, "has characters that none has"),
        (b"canary-one" * 7000, SecretMalformedError, "is over 64 KiB"),
    ],
)
async def test_a_credential_file_that_holds_none_is_refused_before_anything_is_sent(
    odd: Odd, tmp_path: Path, content: bytes | None, kind: type, said: str
):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    for login in (
        TokenLogin(token_file=str(file)),
        AppRoleLogin("role", secret_id_file=str(file)),
        AppRoleLogin("role", secret_id_file=str(file), wrapped=True),
        KubernetesLogin("chat", token_file=str(file)),
        JWTLogin("chat", jwt_file=str(file)),
    ):
        with Canary("canary-one", "canary-two") as canary:
            provider = VaultProvider("app", address=odd.address, auth=login)
            error = await error_of(provider)
        assert type(error) is kind
        assert said in str(error)
        assert str(file) in str(error)
        check_silent(canary, error, provider)
        await provider.aclose()
    assert odd.seen == []


async def test_without_a_credential_the_text_names_the_variables(odd: Odd):
    for auth, role, variable in (
        ("token", None, "VAULT_TOKEN_FILE"),
        ("approle", None, "VAULT_ROLE_ID or VAULT_ROLE_ID_FILE"),
        ("jwt", "chat", "VAULT_JWT or VAULT_JWT_FILE"),
        ("kubernetes", "chat", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
    ):
        provider = VaultProvider("app", address=odd.address, auth=auth, role=role, environ={})
        error = await error_of(provider)
        assert isinstance(error, SecretUnavailableError)
        assert variable in str(error)
        await provider.aclose()


def test_a_login_shows_and_pickles_no_credential():
    for login in (
        TokenLogin("canary-credential"),
        AppRoleLogin("canary-credential", "canary-credential"),
        AppRoleLogin("canary-credential", "canary-credential", wrapped=True),
        JWTLogin("chat", "canary-credential"),
    ):
        provider = VaultProvider("app", auth=login)
        assert "canary" not in f"{login!r} {login} {provider!r} {provider}"
        for thing in (login, provider):
            with pytest.raises(TypeError):
                pickle.dumps(thing)


def test_a_credential_given_twice_is_refused():
    with pytest.raises(ValueError, match="given twice"):
        TokenLogin("token-abcdef", token_file="/token")
    with pytest.raises(ValueError, match="needs a role"):
        JWTLogin("", "token-abcdef")
    with pytest.raises(ValueError, match="with a login"):
        VaultProvider("app", auth=TokenLogin("token-abcdef"), role="chat")
