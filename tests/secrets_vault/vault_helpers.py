"""What the Vault tests share: counting requests, errors without leaks, a server that answers oddly."""

from __future__ import annotations

import json
import re
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import pytest

from ethora_async_secrets import SecretError, SecretProvider

if TYPE_CHECKING:
    from openbao_server import OpenBao

    from ethora_async.testing.implementers import Canary

NAME = "ETHORA_CHAT_APP_SECRET"
READ = 'path "secret/data/*" { capabilities = ["read"] }'


async def error_of(provider: SecretProvider) -> SecretError:
    """The error that `fetch` raises."""
    with pytest.raises(SecretError) as caught:
        await provider.fetch()
    return caught.value


def requests_of(log: pytest.LogCaptureFixture, what: str) -> int:
    """How many requests to paths that match `what` urllib3 has logged."""
    lines = [record.getMessage() for record in log.records if record.name.startswith("urllib3")]
    return sum(bool(re.search(rf'"[A-Z]+ /v1/{what}[? ]', line)) for line in lines)


def check_silent(canary: Canary, error: BaseException, *things: object) -> None:
    """Look for leaks, also in the locals of our frames in the traceback."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if "ethora_async_secrets" in frame.f_code.co_filename]
    assert ours
    assert error.__cause__ is None
    assert error.__context__ is None
    canary.check(error, *things, *(repr(frame.f_locals) for frame in ours))


def approle(bao: OpenBao, name: str, **options: Any) -> tuple[str, str]:
    """Create an AppRole `name` that reads secret/; return its role id and a secret id."""
    root = bao.client()
    if "approle/" not in root.sys.list_auth_methods()["data"]:
        root.sys.enable_auth_method("approle")
    bao.policy("read", READ)
    root.auth.approle.create_or_update_approle(name, **({"token_policies": ["read"], "token_ttl": "1h"} | options))
    role_id = root.auth.approle.read_role_id(name)["data"]["role_id"]
    return role_id, root.auth.approle.generate_secret_id(name)["data"]["secret_id"]


class Odd:
    """Answers each path by `replies[path] = (status, headers, body)`, or a list of them in turn; 404 otherwise.

    A body that is not a string is sent as JSON; `{echo}` in a string becomes the request's own head and body.
    A token may not look itself up here. While `gate` is cleared, answers wait; `asked` is set by the first request;
    `seen` has the method, path and headers of each.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.seen]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                odd.seen.append((self.command, self.path, dict(self.headers)))
                odd.asked.set()
                odd.gate.wait(20)
                path = self.path.removeprefix("/v1/")
                fallback = (403 if path == "auth/token/lookup-self" else 404, {}, {"errors": []})
                reply = odd.replies.get(path, fallback)
                if isinstance(reply, list):
                    reply = reply.pop(0) if len(reply) > 1 else reply[0]
                status, headers, body = reply
                kind = "text/html" if isinstance(body, str) else "application/json"
                text = body if isinstance(body, str) else json.dumps(body)
                text = text.replace("{echo}", json.dumps(f"{self.headers} {sent}")[1:-1])
                self.send_response(status)
                for key, value in ({"Content-Type": kind, "Content-Length": str(len(text.encode()))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        return Handler


def secret(values: dict[str, object], number: int = 1) -> tuple[int, dict[str, str], object]:
    """What a KV v2 engine answers."""
    metadata = {"version": number, "created_time": f"2026-01-0{number}T00:00:00.5Z", "deletion_time": ""}
    return 200, {}, {"data": {"data": values, "metadata": metadata}}
