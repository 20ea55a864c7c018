"""Proxies, certificates, and sessions that were passed in: the needs of a company's network."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from httpx._utils import URLPattern, get_environment_proxies
from yarl import URL

from ethora_async.errors import ConfigError, NotSentError, ReplyLostError
from ethora_async.request import Request
from ethora_async.testing.implementers import BadServer, Canary, CannedReply, Fault
from ethora_async.transport import AiohttpTransport, HttpxTransport
from ethora_async.transport._environment_proxies import EnvironmentProxies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROXY_PASSWORD = "pröxy-canary-51c0"


def get(server: BadServer) -> Request:
    return Request("GET", f"{server.url}/x", {"Authorization": "Bearer canary-token-77"})


class Proxy:
    """A proxy for http and, by CONNECT, for https."""

    def __init__(self, refuse: int | None = None) -> None:
        self.refuse = refuse
        self.heads: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if self.refuse is not None:
                writer.write(f"HTTP/1.1 {self.refuse} No\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
                return
            method, target, _ = head.split(" ", 2)
            authority = target if method == "CONNECT" else target.split("/")[2]
            host, port = authority.rsplit(":", 1)
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                up_writer.write(head.replace(f"http://{authority}", "", 1).encode())
            try:
                await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
            finally:
                up_writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def identity(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("127.0.0.1", "localhost")


@pytest.fixture
def tls(identity: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    identity.configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture(params=[AiohttpTransport, HttpxTransport])
async def own(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(request.param(**options))
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()


async def test_a_custom_authority_is_trusted_as_a_file_and_as_a_context(own: Any, tls: Any, ca_file: Path) -> None:
    async with BadServer(tls=tls) as server:
        for verify in (ca_file, str(ca_file), ssl.create_default_context(cafile=str(ca_file))):
            assert (await own(verify=verify).send(get(server))).status == 200


async def test_an_unknown_authority_was_not_sent_to(own: Any, tls: Any) -> None:
    async with BadServer(tls=tls) as server:
        with pytest.raises(NotSentError, match=r"[Cc]ertificate"):
            await own().send(get(server))
        assert server.requests == []


async def test_verify_false_takes_any_certificate(own: Any, tls: Any) -> None:
    async with BadServer(tls=tls) as server:
        assert (await own(verify=False).send(get(server))).status == 200


@pytest.mark.parametrize("pair", [True, False])
async def test_a_client_certificate_is_presented(
    own: Any, tls: Any, ca_file: Path, authority: trustme.CA, tmp_path: Path, pair: bool
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    leaf = authority.issue_cert("client@example.com")
    chain, key, both = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "both.pem"
    leaf.cert_chain_pems[0].write_to_path(chain)
    leaf.private_key_pem.write_to_path(key)
    leaf.private_key_and_cert_chain_pem.write_to_path(both)
    async with BadServer(tls=tls) as server:
        transport = own(verify=ca_file, cert=(chain, str(key)) if pair else both)
        assert (await transport.send(get(server))).status == 200


async def test_without_the_client_certificate_that_a_server_wants_the_reply_is_lost(
    own: Any, tls: Any, ca_file: Path, authority: trustme.CA
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    async with BadServer(tls=tls) as server:
        # In TLS 1.3 the refusal comes after the client counts as connected: it may have written the request already.
        with pytest.raises((ReplyLostError, NotSentError)):
            await own(verify=ca_file).send(get(server))
        assert server.requests == []


def test_certificate_files_that_cannot_be_used_are_config_errors(tmp_path: Path, identity: trustme.LeafCert) -> None:
    nothing, junk = tmp_path / "nothing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    for options in ({"verify": nothing}, {"verify": junk}, {"verify": tmp_path}, {"cert": nothing}, {"cert": junk}):
        with pytest.raises(ConfigError, match=r"pem|test_"):
            AiohttpTransport(**options)


def test_an_encrypted_key_is_a_config_error_and_no_question_on_the_terminal(
    tmp_path: Path, identity: trustme.LeafCert
) -> None:
    key = serialization.load_pem_private_key(identity.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hidden"),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    identity.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    with pytest.raises(ConfigError, match="cert="):
        AiohttpTransport(cert=(tmp_path / "cert.pem", tmp_path / "key.pem"))


async def test_http_goes_through_the_proxy_with_its_credentials(own: Any) -> None:
    async with Proxy() as proxy, BadServer() as server:
        transport = own(proxy=f"http://me:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}")
        assert (await transport.send(get(server))).status == 200
        credentials = b64encode(f"me:{PROXY_PASSWORD}".encode()).decode()
        assert f"Proxy-Authorization: Basic {credentials}" in proxy.heads[0]
        assert proxy.heads[0].startswith(f"GET {server.url}/x ")


async def test_https_goes_through_a_tunnel_that_hides_the_token(own: Any, tls: Any, ca_file: Path) -> None:
    async with Proxy() as proxy, BadServer(tls=tls) as server:
        transport = own(proxy=f"http://127.0.0.1:{proxy.port}", verify=ca_file)
        assert (await transport.send(get(server))).status == 200
        assert proxy.heads[0].startswith("CONNECT 127.0.0.1:")
        assert "canary-token" not in "".join(proxy.heads)


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_tunnel_that_the_proxy_refuses_was_not_sent(own: Any, tls: Any, ca_file: Path, status: int) -> None:
    async with Proxy(refuse=status) as proxy, BadServer(tls=tls) as server:
        transport = own(proxy=f"http://me:{PROXY_PASSWORD}@127.0.0.1:{proxy.port}", verify=ca_file)
        with Canary(PROXY_PASSWORD, "canary-token-77") as canary, pytest.raises(NotSentError) as caught:
            await transport.send(get(server))
        canary.check(caught.value, transport)
        assert server.connections == 0


async def test_a_proxy_that_is_down_was_not_sent_to(own: Any) -> None:
    async with Proxy() as proxy:
        port = proxy.port
    async with BadServer() as server:
        with pytest.raises(NotSentError):
            await own(proxy=f"http://127.0.0.1:{port}").send(get(server))


@pytest.mark.parametrize(
    "proxy", ["", "proxy:3128", "ftp://proxy", "http://", "http://[", "socks5://h:1", "http://a%3Ab:c@proxy:1"]
)
def test_a_proxy_that_cannot_be_used_is_a_config_error_that_repeats_nothing(proxy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AiohttpTransport(proxy=proxy)
    assert "a%3Ab" not in str(caught.value)
    assert str(caught.value).startswith(("proxy must be", "the proxy's"))


@pytest.mark.parametrize(("trust", "through"), [(True, 1), (False, 0)])
async def test_the_environments_proxy_is_used_only_when_trusted(
    own: Any, monkeypatch: pytest.MonkeyPatch, trust: bool, through: int
) -> None:
    async with Proxy() as proxy, BadServer() as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert (await own(trust_env=trust).send(get(server))).status == 200
        assert len(proxy.heads) == through


async def test_no_proxy_is_heeded(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Proxy() as proxy, BadServer() as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await own(trust_env=True).send(get(server))).status == 200
        assert proxy.heads == []


@pytest.mark.parametrize(
    ("environment", "through"),
    [
        ({"http_proxy": "127.0.0.1:{proxy}"}, 1),
        ({"ALL_PROXY": "http://127.0.0.1:{proxy}"}, 1),
        ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "other.example, 127.0.0.1:{server}"}, 0),
        ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "127.0.0.1:1"}, 1),
        ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "127.0.0.1:" + "1" * 5_000}, 1),
        ({"ALL_PROXY": "127.0.0.1:{proxy}", "NO_PROXY": "127.0.0.0/8"}, 0),
        ({"HTTPS_PROXY": "127.0.0.1:{proxy}"}, 0),
    ],
)
async def test_the_environment_is_read_alike_on_every_transport(
    own: Any, environment: dict[str, str], through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy() as proxy, BadServer() as server:
        port = server.url.rpartition(":")[2]
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(proxy=proxy.port, server=port))
        transport = own(trust_env=True)
        assert (await transport.send(get(server))).status == 200
        assert (await transport.send(get(server))).status == 200
        assert bool(proxy.heads) == bool(through)


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "https://anything.example", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://api.example.com:8443", True),
        ("example.com", "https://notexample.com", False),
        (".example.com", "https://api.example.com", True),
        (".example.com", "https://example.com", False),
        ("*.example.com", "https://api.example.com", True),
        ("EXAMPLE.com.", "https://example.COM", True),
        ("example.com:8443", "https://example.com:8443", True),
        ("example.com:443", "https://example.com", True),
        ("example.com:8443", "https://example.com", False),
        ("https://example.com", "http://example.com", False),
        ("https://example.com", "https://example.com", True),
        ("10.0.0.0/8", "https://10.20.30.40", True),
        ("10.0.0.0/8", "https://11.0.0.1", False),
        ("10.0.0.0/8", "https://ten.example", False),
        ("::1", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("[::1]:8080", "http://[::1]:8081", False),
        ("fd00::/8", "http://[fd12::1]", True),
        (" , ,localhost", "http://localhost:3000", True),
        ("", "http://localhost:3000", False),
        (":8080,://,[", "http://h.example:8080", False),
    ],
)
def test_what_no_proxy_covers(no_proxy: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert EnvironmentProxies().proxy_for(URL(url)) == (None if direct else "http://proxy.example:3128")


HOSTS = (
    "http://example.com", "https://example.com:8443", "https://api.example.com", "http://notexample.com",
    "http://10.1.2.3:81", "http://[::1]", "http://localhost:3000",
)  # fmt: skip


AS_HTTPX_READS_IT = (
    "", "*", "example.com", ".example.com", "example.com:8443", "EXAMPLE.COM, localhost", "com", "10.1.2.3", "::1",
    "10.1.2.3:81", "localhost:3000", "https://example.com", "HTTPS://example.com:8443", "all://example.com", "http://",
    "http://*.example.com", "foo,*",
)  # fmt: skip


@pytest.mark.parametrize("proxies", [("HTTP_PROXY", "HTTPS_PROXY"), ("ALL_PROXY",), ("https_proxy", "ALL_PROXY")])
def test_the_environment_means_what_it_means_to_httpx(
    proxies: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(proxies):
        monkeypatch.setenv(name, f"http://proxy{number}.example:3128")
    for no_proxy in AS_HTTPX_READS_IT:
        monkeypatch.setenv("NO_PROXY", no_proxy)
        # What `httpx.Client(trust_env=True)` does with them, without its TLS contexts.
        patterns = {URLPattern(pattern): proxy for pattern, proxy in get_environment_proxies().items()}
        ours = EnvironmentProxies()
        for url in HOSTS:
            theirs = next((patterns[one] for one in sorted(patterns) if one.matches(httpx.URL(url))), None)
            assert ours.proxy_for(URL(url)) == theirs, (no_proxy, url)


async def test_a_netrc_entry_for_the_host_does_not_get_in_the_way(
    own: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with BadServer() as server:
        assert (await own(trust_env=True).send(get(server))).status == 200
        assert server.requests[0].headers["Authorization"] == "Bearer canary-token-77"


async def test_a_session_that_is_passed_in_is_used_and_never_closed() -> None:
    async with BadServer() as server, aiohttp.ClientSession() as session:
        transport = AiohttpTransport(session)
        assert (await transport.send(get(server))).status == 200
        await transport.aclose()
        assert not session.closed
        async with session.get(server.url) as response:
            assert response.status == 200


async def test_a_session_that_raises_for_status_still_gives_the_reply() -> None:
    async with BadServer(CannedReply(404)) as server, aiohttp.ClientSession(raise_for_status=True) as session:
        assert (await AiohttpTransport(session).send(get(server))).status == 404


async def test_a_session_that_its_owner_closed_says_so() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(NotSentError, match="closed"):
        await AiohttpTransport(session).send(Request("GET", "http://127.0.0.1:1/", {}))


@pytest.mark.parametrize(
    "options", [{"proxy": "http://p:1"}, {"trust_env": True}, {"verify": False}, {"cert": "x.pem"}]
)
async def test_a_session_together_with_settings_of_a_session_is_refused(options: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigError, match="session"):
            AiohttpTransport(session, **options)


@pytest.mark.parametrize("url", ["http:///nowhere", "ftp://127.0.0.1/x", "http://no-such-host.invalid/x"])
async def test_a_url_that_leads_nowhere_was_not_sent(own: Any, url: str) -> None:
    with pytest.raises(NotSentError):
        await own().send(Request("GET", url, {}))


async def test_closing_ends_the_calls_under_way(own: Any) -> None:
    async with BadServer(Fault.SILENT) as server:
        transport = own(concurrency=1)
        calls = [asyncio.ensure_future(transport.send(get(server))) for _ in range(3)]
        await server.arrived()
        await transport.aclose()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(errors[0], ReplyLostError)
        assert all(isinstance(error, (NotSentError, ReplyLostError)) for error in errors)
        assert len(server.requests) == 1


async def test_many_urls_do_not_pile_up() -> None:
    async with BadServer() as server:
        transport = AiohttpTransport()
        for number in range(600):
            transport._route(f"{server.url}/{number}")
        assert len(transport._routes) <= 256
