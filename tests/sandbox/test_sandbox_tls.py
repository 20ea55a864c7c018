"""The same service by TLS, beside the plain one."""

from __future__ import annotations

import builtins
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import trustme
from sandbox_helpers import APP, SECRET, client_token, row, server_token

from ethora_async.sandbox import Certificate, EthoraSandbox

if TYPE_CHECKING:
    from pathlib import Path


def trusting(pem: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem)


async def test_both_listeners_serve_one_state_and_links_have_the_scheme_of_the_call() -> None:
    async with EthoraSandbox(app_id=APP, secret=SECRET, certificate=Certificate()) as sandbox:
        assert sandbox.tls_url is not None
        assert sandbox.tls_authority is not None
        assert sandbox.front_end_environment["ETHORA_SANDBOX_TLS_URL"] == sandbox.tls_url
        context = trusting(sandbox.tls_authority)
        async with aiohttp.ClientSession() as session:
            users = {"usersList": [row("u1")]}
            headers = {"x-custom-token": server_token()}
            async with session.post(f"{sandbox.url}/v1/users/batch", json=users, headers=headers) as reply:
                assert reply.status == 200
            for name in ("127.0.0.1", "localhost"):
                url = sandbox.tls_url.replace("127.0.0.1", name)
                headers = {"x-custom-token": client_token("u1")}
                async with session.post(f"{url}/v1/users/client", headers=headers, ssl=context) as reply:
                    token = (await reply.json())["token"]
            form = aiohttp.FormData()
            form.add_field("files", b"hello", filename="a.txt")
            async with session.post(
                f"{sandbox.tls_url}/v1/files", data=form, headers={"x-custom-token": token}, ssl=context
            ) as reply:
                assert (await reply.json())["results"][0]["location"].startswith(sandbox.tls_url)


async def test_ports_are_kept_over_a_restart() -> None:
    sandbox = EthoraSandbox(certificate=Certificate())
    async with sandbox:
        first = (sandbox.url, sandbox.tls_url)
    async with sandbox:
        assert (sandbox.url, sandbox.tls_url) == first


async def test_without_a_certificate_there_is_no_tls() -> None:
    async with EthoraSandbox() as sandbox:
        assert (sandbox.tls_url, sandbox.tls_authority) == (None, None)
        assert sandbox.front_end_environment == {
            "ETHORA_XMPP_SERVICE": sandbox.url.replace("http://", "ws://") + "/ws",
            "ETHORA_XMPP_HOST": "xmpp.localhost",
        }


async def test_a_certificate_may_come_from_files(tmp_path: Path) -> None:
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    (tmp_path / "key.pem").write_bytes(pair.private_key_pem.bytes())
    certificate = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with EthoraSandbox(certificate=certificate) as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.tls_authority is None
        context = trusting(authority.cert_pem.bytes().decode())
        async with session.get(f"{sandbox.tls_url}/ping", ssl=context) as reply:
            assert reply.status == 200


@pytest.mark.parametrize("files", [("text", None), ("cert", "other"), ("cert", None)])
async def test_files_that_are_no_pair_are_refused_and_nothing_listens(
    files: tuple[str, str | None], tmp_path: Path
) -> None:
    pairs = {name: trustme.CA().issue_cert("localhost") for name in ("cert", "other")}
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "cert").write_bytes(pairs["cert"].cert_chain_pems[0].bytes())
    (tmp_path / "other").write_bytes(pairs["other"].private_key_pem.bytes())
    name, key = files
    sandbox = EthoraSandbox(certificate=Certificate(tmp_path / name, None if key is None else tmp_path / key))
    with pytest.raises(ValueError, match=f"certificate .*{name} cannot be used"):
        await sandbox.start()
    with pytest.raises(RuntimeError, match="not listening"):
        _ = sandbox.url


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    sandbox = EthoraSandbox(certificate=Certificate(tmp_path / "missing.pem"))
    with pytest.raises(ValueError, match=r"missing\.pem or its key cannot be read: No such file"):
        await sandbox.start()


def test_a_key_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its certificate"):
        Certificate(key=tmp_path / "key.pem")


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "trustme":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"pip install 'ethora-async\[tls\]'"):
        Certificate().load("127.0.0.1")
