"""Whom the process believes, in every form of proof."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from ethora_async.cli.serve.keys import FETCH_AT_MOST_EVERY, FETCH_EVERY, LOOK_EVERY, MAX_AGE, PublicKeys, RemoteKeys
from ethora_async.cli.serve.proxy import Gate, JWTRules, ProxySecret, SharedSecret, SignedIdentity
from ethora_async.errors import ConfigError, NotSentError, ReplyTooLargeError
from ethora_async.request import Request as HttpRequest
from ethora_async.request import Response
from ethora_async.testing.users import FakeClock
from ethora_async.transport import MemoryTransport
from ethora_async.web import Request
from ethora_async.web_response import WebResponse
from ethora_async_secrets import SecretBundle, StaticProvider
from ethora_async_secrets.testing import MemoryProvider

if TYPE_CHECKING:
    from pathlib import Path

    from ethora_async.cli.serve.proxy import Proof

NOW = 1_700_000_000
SECRET = "a-secret-of-the-proxy-0123456789abcdef"
NAME = "ETHORA_PROXY_SECRET"
CLAIMS = {"sub": "ann", "exp": NOW + 60}
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")


class Echo:
    """Answers with whom the gate let in."""

    async def handle(self, request: Request, /) -> WebResponse:
        return WebResponse.json(200, {"user": request.native})


async def asked(proof: Proof, *headers: tuple[str, str], method: str = "POST") -> tuple[int, str | None]:
    """The status, and the user who was let in."""
    answer = await Gate(proof, Echo()).handle(Request.of(method, "/chat/token", headers=headers))
    return answer.status, json.loads(answer.body).get("user")


def shared(**values: str) -> SharedSecret:
    bundle = SecretBundle.from_names({NAME: SECRET, **values})
    return SharedSecret("x-user", "x-proof", ProxySecret(MemoryProvider(bundle)))


GOOD = ("X-Proof", SECRET)
ANN = ("X-User", "ann")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((GOOD, ANN), (200, "ann")),
        ((GOOD, ("X-User", "  ann ")), (200, "ann")),
        ((GOOD,), (200, None)),
        ((GOOD, ("X-User", "")), (200, None)),
        ((ANN,), (401, None)),
        ((("X-Proof", ""), ANN), (401, None)),
        ((("X-Proof", SECRET[:-1]), ANN), (401, None)),
        ((("X-Proof", SECRET + "x"), ANN), (401, None)),
        ((("X-Proof", SECRET.upper()), ANN), (401, None)),
        ((("X-Proof", "\udcff" * 30), ANN), (401, None)),
        ((GOOD, GOOD, ANN), (400, None)),
        ((GOOD, ANN, ANN), (400, None)),
        ((GOOD, ANN, ("x-user", "bob")), (400, None)),
        ((GOOD, ("X-User", "bob, ann")), (400, None)),
        ((GOOD, ("X-User", "an\x00n")), (400, None)),
        ((GOOD, ("X-User", "\udcff")), (400, None)),
        ((GOOD, ("X_User", "ann")), (200, None)),
    ],
)
async def test_a_shared_secret_lets_the_proxys_requests_through(
    headers: tuple[tuple[str, str], ...], expected: tuple[int, str | None]
) -> None:
    assert await asked(shared(), *headers) == expected


async def test_a_preflight_passes_as_nobody() -> None:
    assert await asked(shared(), ANN, method="OPTIONS") == (200, None)


async def test_while_it_rotates_the_values_before_and_after_are_accepted() -> None:
    old, new = "the-secret-before-this-one", "the-secret-after-this-one"
    proof = shared(ETHORA_PROXY_SECRET_PREVIOUS=old, ETHORA_PROXY_SECRET_PENDING=new)
    for value in (old, new, SECRET):
        assert await asked(proof, ("X-Proof", value), ANN) == (200, "ann")
    assert await asked(shared(), ("X-Proof", old), ANN) == (401, None)


async def test_an_empty_previous_secret_proves_nothing() -> None:
    proof = shared(ETHORA_PROXY_SECRET_PREVIOUS="")
    assert await asked(proof, ("X-Proof", ""), ANN) == (401, None)
    assert await asked(proof, ANN) == (401, None)


@pytest.mark.parametrize("value", ["", "   ", "fifteen bytes!!"])
async def test_a_secret_that_can_be_guessed_is_refused_at_the_start(value: str) -> None:
    proof = SharedSecret("x-user", "x-proof", ProxySecret(StaticProvider(SecretBundle({NAME: value}))))
    with pytest.raises(ConfigError, match="shorter than 16 bytes"):
        await proof.check()
    assert await asked(proof, ("X-Proof", value), ANN) == (503, None)


# JSON Web Tokens


def signed(claims: Any = CLAIMS, *, key: Any = None, alg: str = "HS256", **header: Any) -> tuple[str, str]:
    key = key or OctKey.import_key(SECRET)
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return "X-JWT", jws.serialize_compact({"alg": alg, **header}, json.dumps(claims), key, registry=registry)


def by_secret(identity: str = "x-jwt", **rules: Any) -> SignedIdentity:
    secret = ProxySecret(StaticProvider(SecretBundle({NAME: SECRET})))
    return SignedIdentity(identity, "x-jwt", secret, JWTRules(**rules), clock=FakeClock(NOW))


def by_file(path: Path, content: Any, **rules: Any) -> SignedIdentity:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    clock = FakeClock(NOW)
    return SignedIdentity("x-jwt", "x-jwt", PublicKeys(path, clock=clock), JWTRules(**rules), clock=clock)


@pytest.mark.parametrize(
    ("claims", "rules", "status"),
    [
        (CLAIMS, {}, 200),
        ({"sub": "ann"}, {}, 401),
        ({**CLAIMS, "exp": NOW - 5}, {}, 200),  # clocks differ
        ({**CLAIMS, "exp": NOW - 11}, {}, 401),
        ({**CLAIMS, "exp": "soon"}, {}, 401),
        ({**CLAIMS, "nbf": NOW + 11}, {}, 401),
        ({**CLAIMS, "iat": NOW + 11}, {}, 401),
        ({**CLAIMS, "aud": "chat"}, {"audience": "chat"}, 200),
        ({**CLAIMS, "aud": ["shop", "chat"]}, {"audience": "chat"}, 200),
        ({**CLAIMS, "aud": "shop"}, {"audience": "chat"}, 401),
        ({**CLAIMS, "aud": []}, {"audience": "chat"}, 401),
        (CLAIMS, {"audience": "chat"}, 401),
        ({**CLAIMS, "aud": "chat"}, {}, 401),  # for somebody whom we do not know to be us
        ({**CLAIMS, "iss": "sso"}, {"issuer": "sso"}, 200),
        ({**CLAIMS, "iss": "other"}, {"issuer": "sso"}, 401),
        (CLAIMS, {"issuer": "sso"}, 401),
        ({**CLAIMS, "uid": "ann"}, {"claim": "uid"}, 200),
        (CLAIMS, {"claim": "uid"}, 401),
        ({**CLAIMS, "sub": True}, {}, 401),
        ({**CLAIMS, "sub": ["ann"]}, {}, 401),
        ({**CLAIMS, "sub": ""}, {}, 400),
        ([CLAIMS], {}, 401),
        ("ann", {}, 401),
    ],
)
async def test_a_jwt_must_say_what_it_is_to_say(claims: Any, rules: dict[str, str], status: int) -> None:
    assert await asked(by_secret(**rules), signed(claims)) == (status, "ann" if status == 200 else None)


async def test_a_number_names_a_user_too() -> None:
    assert await asked(by_secret(claim="id"), signed({**CLAIMS, "id": 7})) == (200, "7")


async def test_a_bearer_token_is_a_jwt() -> None:
    _, text = signed()
    secret = ProxySecret(StaticProvider(SecretBundle({NAME: SECRET})))
    proof = SignedIdentity("authorization", "authorization", secret, JWTRules(), clock=FakeClock(NOW))
    assert await asked(proof, ("Authorization", f"Bearer {text}")) == (200, "ann")
    assert await asked(proof, ("Authorization", f"Basic {text}")) == (401, None)


async def test_a_jwt_is_good_for_the_user_whom_it_names_alone() -> None:
    proof = by_secret("x-user")
    assert await asked(proof, signed(), ANN) == (200, "ann")
    assert await asked(proof, signed(), ("X-User", "bob")) == (401, None)
    assert await asked(proof, signed()) == (401, None)
    assert await asked(proof, ANN) == (401, None)
    assert await asked(proof, signed(), ANN, ANN) == (400, None)
    assert await asked(proof, signed(), signed(), ANN) == (400, None)


def by_hand(header: dict[str, Any], key: bytes | None, digest: str = "sha256") -> str:
    """What no library signs."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, CLAIMS)]
    signature = hmac.digest(key, b".".join(parts), digest) if key is not None else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def test_what_is_made_by_hand_is_well_made() -> None:
    assert await asked(by_secret(), ("X-JWT", by_hand({"alg": "HS256"}, SECRET.encode()))) == (200, "ann")


def forgeries() -> dict[str, str]:
    _, good = signed()
    head, body, signature = good.split(".")
    return {
        "nothing": "",
        "no JWT": "ann",
        "two parts": f"{head}.{body}",
        "another body": f"{head}.{signed({**CLAIMS, 'sub': 'bob'})[1].split('.')[1]}.{signature}",
        "no signature": f"{head}.{body}.",
        "alg none": by_hand({"alg": "none"}, None),
        "another secret": signed(key=OctKey.import_key("another-secret-of-somebody-else"))[1],
        "HS512": by_hand({"alg": "HS512"}, SECRET.encode(), "sha512"),
        "an empty secret": by_hand({"alg": "HS256"}, b""),
        "a public key as a shared secret": by_hand({"alg": "HS256"}, RSA.as_pem(private=False)),
        "an RSA key of their own": signed(key=RSA, alg="RS256")[1],
        "a critical header": by_hand({"alg": "HS256", "crit": ["x"], "x": 5}, SECRET.encode()),
        "crit of a wrong type": by_hand({"alg": "HS256", "crit": 5}, SECRET.encode()),
        "too long": signed({**CLAIMS, "x": "y" * 20_000})[1],
        "no text": "\udcff.\udcff.\udcff",
    }


@pytest.mark.parametrize("name", forgeries())
async def test_a_forged_jwt_is_refused(name: str, tmp_path: Path) -> None:
    forged = ("X-JWT", forgeries()[name])
    assert await asked(by_secret(), forged) == (401, None)
    # a public key where it is the right one, and the forgery is not by its owner
    if name != "an RSA key of their own":
        assert await asked(by_file(tmp_path / "key.pem", RSA.as_pem(private=False)), forged) == (401, None)


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256")])
@pytest.mark.parametrize("form", ["PEM", "JWK", "JWK set"])
async def test_public_keys_come_as_pem_jwk_and_jwk_set(key: Any, alg: str, form: str, tmp_path: Path) -> None:
    public = key.as_dict(private=False)
    content = {"PEM": key.as_pem(private=False), "JWK": public, "JWK set": {"keys": [public]}}[form]
    proof = by_file(tmp_path / "keys", content)
    await proof.check()
    assert await asked(proof, signed(key=key, alg=alg)) == (200, "ann")
    if form == "PEM":
        assert await asked(proof, signed(key=key, alg=alg, kid="any")) == (200, "ann")
    other = type(key).generate_key(2048 if key is RSA else "P-256")
    assert await asked(proof, signed(key=other, alg=alg)) == (401, None)


async def test_a_set_of_keys_is_chosen_from_by_kid(tmp_path: Path) -> None:
    keys = [{**RSA.as_dict(private=False), "kid": "one"}, {**EC.as_dict(private=False), "kid": "two"}]
    proof = by_file(tmp_path / "keys.json", {"keys": keys})
    assert await asked(proof, signed(key=RSA, alg="RS256", kid="one")) == (200, "ann")
    assert await asked(proof, signed(key=EC, alg="ES256", kid="two")) == (200, "ann")
    assert await asked(proof, signed(key=RSA, alg="RS256", kid="two")) == (401, None)
    assert await asked(proof, signed(key=RSA, alg="RS256", kid="three")) == (401, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no key"),
        (b"{}", "holds no key"),
        (b"{", "holds no key"),
        (b'{"keys": []}', "holds no key"),
        (b'{"keys": 5}', "holds no key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds no key"),
        (RSA.as_pem(private=True), "private key"),
        (json.dumps(EC.as_dict(private=True)).encode(), "private key"),
        (json.dumps(OctKey.import_key(SECRET).as_dict(private=True)).encode(), "neither RSA nor EC"),
    ],
)
async def test_a_file_without_public_keys_is_refused_at_the_start(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        await by_file(tmp_path / "keys", content).check()
    assert SECRET not in str(caught.value)


async def test_a_byte_order_mark_before_a_jwk_set_is_skipped(tmp_path: Path) -> None:
    """PowerShell writes one before what it saves as UTF-8."""
    content = json.dumps({"keys": [RSA.as_dict(private=False)]}).encode("utf-8-sig")
    assert await asked(by_file(tmp_path / "keys.json", content), signed(key=RSA, alg="RS256")) == (200, "ann")


async def test_keys_that_changed_are_read_again_and_broken_ones_are_not_taken(tmp_path: Path) -> None:
    path, clock = tmp_path / "key.pem", FakeClock(NOW)
    path.write_bytes(RSA.as_pem(private=False))
    proof = SignedIdentity("x-jwt", "x-jwt", PublicKeys(path, clock=clock), JWTRules(), clock=clock)
    by_rsa, by_ec = signed(key=RSA, alg="RS256"), signed(key=EC, alg="ES256")
    assert await asked(proof, by_rsa) == (200, "ann")

    path.write_bytes(b"half of a k")
    clock.advance(LOOK_EVERY)
    assert await asked(proof, by_rsa) == (200, "ann")

    path.write_bytes(EC.as_pem(private=False))
    clock.advance(LOOK_EVERY)
    assert await asked(proof, by_ec) == (200, "ann")
    assert await asked(proof, by_rsa) == (401, None)


async def test_refusals_tell_the_log_why_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    header = signed({**CLAIMS, "exp": NOW - 60, "secret": "a-canary"})
    await asked(by_secret(), header)
    assert "refused" in caplog.text
    assert not any(part in caplog.text for part in (*header[1].split("."), "a-canary", SECRET))


async def test_header_fields_that_are_not_understood_are_ignored(tmp_path: Path) -> None:
    clerk = {"alg": "HS256", "cat": "cl_B7d4PD111AAA", "x5u": "https://evil.example/key", "nested": {"a": [1]}}
    assert await asked(by_secret(), ("X-JWT", by_hand(clerk, SECRET.encode()))) == (200, "ann")
    proof = by_file(tmp_path / "key.pem", RSA.as_pem(private=False))
    assert await asked(proof, signed(key=RSA, alg="RS256", cat="cl_B7d4PD111AAA")) == (200, "ann")
    critical = by_hand({"alg": "HS256", "crit": ["cat"], "cat": "x"}, SECRET.encode())
    assert await asked(by_secret(), ("X-JWT", critical)) == (401, None)


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "from-the-future", "kid": "one"},
        {"kty": "RSA", "n": "?", "e": 5},
        {"kty": "RSA"},
        {**RSA.as_dict(private=False), "use": "enc"},
        ECKey.generate_key("P-384").as_dict(private=False),
        "no object",
        None,
    ],
)
async def test_keys_that_cannot_be_used_are_left_out(other: Any, tmp_path: Path) -> None:
    proof = by_file(tmp_path / "keys.json", {"keys": [other, RSA.as_dict(private=False), other]})
    assert await asked(proof, signed(key=RSA, alg="RS256")) == (200, "ann")


async def test_a_pem_key_of_an_unknown_algorithm_is_left_out(tmp_path: Path) -> None:
    body = base64.b64encode(EC.as_der(private=False).replace(b"\x2a\x86\x48", b"\x29\x86\x48", 1))
    unknown = b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
    proof = by_file(tmp_path / "keys.pem", unknown + RSA.as_pem(private=False))
    assert await asked(proof, signed(key=RSA, alg="RS256")) == (200, "ann")


@pytest.mark.parametrize("kid", [None, "unknown-to-a-pem"])
async def test_every_key_of_a_pem_file_is_tried(kid: str | None, tmp_path: Path) -> None:
    content = b"some text\n" + RSA.as_pem(private=False) + b"\n" + EC.as_pem(private=False)
    proof = by_file(tmp_path / "keys.pem", content)
    header = {} if kid is None else {"kid": kid}
    assert await asked(proof, signed(key=RSA, alg="RS256", **header)) == (200, "ann")
    assert await asked(proof, signed(key=EC, alg="ES256", **header)) == (200, "ann")


async def test_a_jwt_without_kid_is_tried_with_every_key_of_a_set(tmp_path: Path) -> None:
    proof = by_file(tmp_path / "keys.json", a_set(("one", RSAKey.generate_key(2048)), ("two", RSA)))
    assert await asked(proof, signed(key=RSA, alg="RS256")) == (200, "ann")
    assert await asked(proof, signed(key=RSA, alg="RS256", kid="one")) == (401, None)


def a_set(*keys: Any) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "kid": name} for name, key in keys]}


class Provider:
    """An identity provider that publishes its keys."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.transport = MemoryTransport(self._answer)

    def _answer(self, request: HttpRequest) -> Response:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return Response(answer, {"Location": "https://elsewhere.example/"}, b"")
        return Response(200, {}, json.dumps(answer).encode())

    def proof(self, clock: FakeClock) -> SignedIdentity:
        keys = RemoteKeys("https://login.example/jwks.json", clock=clock, transport=self.transport)
        return SignedIdentity("x-jwt", "x-jwt", keys, JWTRules(), clock=clock)


async def test_keys_at_a_url_are_fetched_once_and_again_when_an_unknown_one_comes() -> None:
    clock = FakeClock(NOW)
    provider = Provider(a_set(("one", RSA)), a_set(("two", EC)))
    proof = provider.proof(clock)
    one, two = signed(key=RSA, alg="RS256", kid="one"), signed(key=EC, alg="ES256", kid="two")
    assert await asyncio.gather(*(asked(proof, one) for _ in range(20))) == [(200, "ann")] * 20
    assert len(provider.transport.requests) == 1
    assert await asked(proof, two) == (401, None)  # JWTs that somebody made up cost no fetch each
    clock.advance(FETCH_AT_MOST_EVERY)
    assert await asyncio.gather(*(asked(proof, two) for _ in range(20))) == [(200, "ann")] * 20
    assert len(provider.transport.requests) == 2
    assert await asked(proof, one) == (401, None)
    await proof.aclose()


class SlowTransport:
    """Answers when it is told to."""

    def __init__(self, provider: Provider) -> None:
        self._inner = provider.transport
        self.go_on = asyncio.Event()

    async def send(self, request: HttpRequest, /) -> Response:
        await self.go_on.wait()
        return await self._inner.send(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_requests_that_come_while_new_keys_are_fetched_wait_for_them() -> None:
    clock = FakeClock(NOW)
    provider = Provider(a_set(("one", RSA)), a_set(("one", RSA), ("two", EC)))
    slow = SlowTransport(provider)
    keys = RemoteKeys("https://login.example/jwks.json", clock=clock, transport=slow)
    proof = SignedIdentity("x-jwt", "x-jwt", keys, JWTRules(), clock=clock)
    slow.go_on.set()
    one, two = signed(key=RSA, alg="RS256", kid="one"), signed(key=EC, alg="ES256", kid="two")
    assert await asked(proof, one) == (200, "ann")
    slow.go_on.clear()
    clock.advance(FETCH_AT_MOST_EVERY)
    waiting = []
    for _ in range(3):
        waiting.append(asyncio.create_task(asked(proof, two)))
        await asyncio.sleep(0.001)
    assert await asked(proof, one) == (200, "ann")  # whose key is known waits for nothing
    slow.go_on.set()
    assert await asyncio.gather(*waiting) == [(200, "ann")] * 3
    assert len(provider.transport.requests) == 2
    await proof.aclose()


async def test_a_url_that_never_answered_is_not_asked_for_every_request() -> None:
    clock = FakeClock(NOW)
    provider = Provider(NotSentError("down"), a_set(("one", RSA)))
    proof = provider.proof(clock)
    header = signed(key=RSA, alg="RS256", kid="one")
    for _ in range(5):
        assert await asked(proof, header) == (503, None)
    assert len(provider.transport.requests) == 1
    clock.advance(1.5)
    assert await asked(proof, header) == (200, "ann")
    await proof.aclose()


@pytest.mark.parametrize("failure", [503, 302, {"keys": []}, {}, [], NotSentError("down"), ReplyTooLargeError("large")])
async def test_while_the_url_fails_the_last_keys_serve(failure: Any) -> None:
    clock = FakeClock(NOW)
    provider = Provider(a_set(("one", RSA)), failure)
    proof = provider.proof(clock)
    for _ in range(4):
        header = signed({**CLAIMS, "exp": clock.now() + 60}, key=RSA, alg="RS256", kid="one")
        assert await asked(proof, header) == (200, "ann")
        await asyncio.sleep(0.001)
        clock.advance(FETCH_EVERY)
    assert len(provider.transport.requests) > 2
    await proof.aclose()
    nothing = Provider(failure).proof(clock)
    with pytest.raises(ConfigError, match="cannot be fetched"):
        await nothing.check()
    assert await asked(nothing, header) == (503, None)
    await nothing.aclose()


async def test_keys_of_a_url_that_stays_away_are_not_used_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(NOW)
    provider = Provider(a_set(("one", RSA)), NotSentError("down"))
    proof = provider.proof(clock)

    async def answer() -> int:
        return (await asked(proof, signed({**CLAIMS, "exp": clock.now() + 60}, key=RSA, alg="RS256", kid="one")))[0]

    assert await answer() == 200
    clock.advance(MAX_AGE - 1)
    assert await answer() == 200
    clock.advance(1)
    assert [await answer(), await answer()] == [503, 503]
    assert "too old" in caplog.text
    provider.answers = [a_set(("one", RSA))]
    clock.advance(1.5)
    assert await answer() == 200
    clock.advance(MAX_AGE - 1)
    assert await answer() == 200
    await proof.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://login.example/x", "https://", "https://user:pw@login.example/", "ftp://x", "https://[", "https://h/#x"],
)
def test_a_url_that_cannot_be_trusted_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RemoteKeys(url, clock=FakeClock(NOW))
    assert "pw" not in str(caught.value)
