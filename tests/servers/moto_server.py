"""moto's server in a process of its own, and a stub that answers what moto cannot.

```python
with running_moto() as moto:  # on a free loopback port
    monkeypatch.setenv(...)  # each of moto.env: credentials, region, endpoint
    moto.create("ethora/prod", "one")
    moto.rotate("ethora/prod", "two")
    moto.kill()  # -9; what it held is gone
    moto.restart()  # on the same port
```
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import botocore.session
import pytest
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_START_WAIT = 300.0
_REQUIRED = os.environ.get("ETHORA_REQUIRE_SERVICES") == "1"
REGION = "us-east-1"

_idle: list[Moto] = []
"""Servers to use again: one takes more than a second of processor time to start."""

# Every session reads and parses the same megabytes of JSON, which takes longer than the rest of most tests.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


class Moto:
    """One server on one port, which may die and come back. All calls block."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """What boto3 needs in the environment to find this server, and never AWS itself."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # nothing of the developer's own
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def start(self) -> None:
        with tempfile.TemporaryFile() as log:
            environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log, stderr=log, env=environ,
            )  # fmt: skip
            deadline = time.monotonic() + _START_WAIT
            while not self._answers():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    self.kill()
                    _missing(f"moto's server did not start: {log.read()[-2000:].decode(errors='replace')}")
                time.sleep(0.05)

    restart = start

    def kill(self) -> None:
        """End it with SIGKILL: open connections break, what it held is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def reset(self) -> None:
        """Empty it; start it again if it was killed, and let every credential pass."""
        if self._process is None:
            self.start()
        self.post("/moto-api/reset-auth", b"Infinity")
        self.post("/moto-api/reset")

    def enforce_iam(self) -> None:
        """Check credentials and policies from now on, until the next `reset`."""
        self.post("/moto-api/reset-auth", b"0")

    def post(self, path: str, body: bytes = b"") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, (path, answer.status)
        finally:
            connection.close()

    def client(self, service: str = "secretsmanager", region: str = REGION) -> Any:
        """A boto3 client of this server's, with a session and keys of its own."""
        if (service, region) not in self._clients:
            session = boto3.session.Session("operator", "operator", region_name=region)
            self._clients[service, region] = session.client(service, endpoint_url=self.url)
        return self._clients[service, region]

    def create(self, name: str, value: str | bytes, region: str = REGION) -> str:
        """Create a secret, and return its ARN."""
        answer = self.client(region=region).create_secret(Name=name, **_content(value))
        return str(answer["ARN"])

    def put(self, name: str, value: str | bytes) -> str:
        """Make `value` current, the one before previous; return its version id."""
        return str(self.client().put_secret_value(SecretId=name, **_content(value))["VersionId"])

    def put_pending(self, name: str, value: str) -> str:
        """Add `value` as AWSPENDING, as a rotation does first; return its version id."""
        answer = self.client().put_secret_value(SecretId=name, VersionStages=["AWSPENDING"], **_content(value))
        return str(answer["VersionId"])

    def promote(self, name: str, version: str) -> None:
        """Move AWSCURRENT to `version`, as a rotation does last; AWSPENDING stays on it."""
        self.client().update_secret_version_stage(
            SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=self.current(name)
        )

    def unlabel(self, name: str, version: str, stage: str) -> None:
        self.client().update_secret_version_stage(SecretId=name, VersionStage=stage, RemoveFromVersionId=version)

    def rotate(self, name: str, value: str) -> str:
        """Play all steps of a rotation; return the new version's id."""
        version = self.put_pending(name, value)
        self.promote(name, version)
        self.unlabel(name, version, "AWSPENDING")
        return version

    def current(self, name: str) -> str:
        """The id of the current version."""
        stages = self.client().describe_secret(SecretId=name)["VersionIdsToStages"]
        return next(version for version, labels in stages.items() if "AWSCURRENT" in labels)

    def user_with(self, *statements: Mapping[str, object]) -> dict[str, str]:
        """A user with this policy: the environment variables of its key."""
        iam = self.client("iam")
        iam.create_user(UserName="reader")
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def close(self) -> None:
        self.kill()
        for client in self._clients.values():
            client.close()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@contextmanager
def running_moto() -> Iterator[Moto]:
    """An empty server, which is used again. Without moto the test is skipped, or fails if services are required."""
    moto = _idle.pop() if _idle else Moto()
    try:
        moto.reset()
        yield moto
    finally:
        _idle.append(moto)


def close_idle() -> None:
    """Kill the servers that nobody uses."""
    while _idle:
        _idle.pop().close()


Reply = tuple[int, "dict[str, object] | bytes"]


class StubAws:
    """Answers each call by `answer(operation, parameters)`, with a status and a JSON body or raw bytes.

    `answer` may block, to keep the caller waiting. `calls` holds what was asked, `authorizations` the header of each.
    """

    def __init__(self, answer: Callable[[str, dict[str, Any]], Reply]) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.authorizations: list[str] = []

        class Handler(_Handler):
            stub = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    stub: ClassVar[StubAws]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
        parameters = json.loads(raw) if operation else {"raw": raw.decode()}
        self.stub.authorizations.append(self.headers.get("Authorization", ""))
        self.stub.calls.append((operation, parameters))
        status, body = self.stub.answer(operation, parameters)
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)
        except OSError:
            pass  # the caller has gone, as some tests want it to

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def stub_aws(answer: Callable[[str, dict[str, Any]], Reply]) -> Iterator[StubAws]:
    stub = StubAws(answer)
    try:
        yield stub
    finally:
        stub.close()


def _content(value: str | bytes) -> dict[str, str | bytes]:
    return {"SecretBinary": value} if isinstance(value, bytes) else {"SecretString": value}


def _missing(reason: str) -> None:
    if _REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
