"""What goes wrong, what it is called, and that the secret shows up nowhere."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from moto_server import stub_aws

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import (
    AwsSecretsManagerProvider,
    CachedProvider,
    ChainProvider,
    SecretDeniedError,
    SecretError,
    SecretMalformedError,
    SecretUnavailableError,
    StaticProvider,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moto_server import Moto

NAME = "ethora/prod"
KEY = "ETHORA_CHAT_APP_SECRET"
SECRET = "canary-5e8d7c6b"
TOKEN = "canary-token-4a3b2c1d"
ROLE = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Everything logged at DEBUG, to be searched for the secret and the session token."""
    with Canary(SECRET, TOKEN) as canary:
        yield canary


async def failure(provider: AwsSecretsManagerProvider, canary: Canary) -> SecretError:
    """The error of a read, once it and everything around it was searched."""
    try:
        with pytest.raises(SecretError) as caught:
            await provider.refresh()
    finally:
        await provider.aclose()
    error = caught.value
    canary.check(error, provider, *caught.traceback[-1].frame.f_locals.values())
    assert error.__cause__ is None
    assert error.__context__ is None
    assert error.source == provider.source
    assert str(error).startswith(f"{provider.source} ")
    return error


async def test_reading_a_secret_logs_nothing_of_it_at_debug(
    moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    moto.create(NAME, "x")
    canary.records.clear()  # what the operator's client logs is not ours
    moto.client().put_secret_value(SecretId=NAME, SecretString=SECRET)
    with pytest.raises(AssertionError, match="value 1 is in the log record"):
        canary.check()
    canary.records.clear()
    provider = AwsSecretsManagerProvider(NAME)
    bundle = await provider.fetch()
    assert bundle.reveal(KEY) == SECRET
    await provider.aclose()
    canary.check(provider, bundle, bundle.previous)
    # what is harmless is still there
    assert any("urllib3" in record for record in canary.records)
    assert not any("'name': 'botocore" in record for record in canary.records)


async def test_other_peoples_botocore_records_pass_during_our_calls(moto: Moto, canary: Canary):
    asked, go_on = threading.Event(), threading.Event()

    def answer(operation: str, wanted: dict[str, Any]):
        asked.set()
        assert go_on.wait(10)
        return 400, {"__type": "ResourceNotFoundException"}

    def someone_else() -> None:
        assert asked.wait(10)
        logging.getLogger("botocore.parsers").debug("somebody else's")
        go_on.set()

    other = threading.Thread(target=someone_else)
    other.start()
    with stub_aws(answer) as stub:
        await failure(AwsSecretsManagerProvider(NAME, endpoint=stub.url), canary)
    other.join()
    assert [record for record in canary.records if record.startswith("somebody else's")]


async def test_a_warning_of_botocore_loses_its_traceback_alone(
    moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch
):
    """Renewing a role's credentials fails with a traceback whose frames hold the old ones."""
    with stub_aws(lambda operation, wanted: (500, b"<!doctype html>" + SECRET.encode())) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        error = await failure(AwsSecretsManagerProvider(NAME, role_arn=ROLE, timeout=1.0), canary)
    assert type(error) is SecretUnavailableError
    assert "the answer is not AWS's" in str(error)
    (warning,) = [record for record in canary.records if "Refreshing temporary credentials failed" in record]
    assert "Traceback" not in warning
    assert "'exc_info': None" in warning


async def test_no_such_secret_is_unavailable_and_a_chain_goes_on(moto: Moto, canary: Canary):
    error = await failure(AwsSecretsManagerProvider(NAME), canary)
    assert type(error) is SecretUnavailableError
    assert str(error) == (
        "aws-sm:ethora/prod cannot be read: there is no such secret, or it has no current value: "
        "create it, or check name, region and account (ResourceNotFoundException)."
    )
    chain = ChainProvider([AwsSecretsManagerProvider(NAME), StaticProvider({KEY: SECRET})])
    assert (await chain.fetch()).source == "static"
    await chain.aclose()


async def test_a_secret_scheduled_for_deletion_is_unavailable(moto: Moto, canary: Canary):
    moto.create(NAME, "x")
    moto.client().delete_secret(SecretId=NAME)
    error = await failure(AwsSecretsManagerProvider(NAME), canary)
    assert type(error) is SecretUnavailableError
    assert "scheduled for deletion: restore it (InvalidRequestException)" in str(error)


ALLOWED = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
FORBIDDEN = {"Effect": "Allow", "Action": "secretsmanager:ListSecrets", "Resource": "*"}


async def test_a_policy_decides(moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch):
    moto.create(NAME, "x")
    for name, value in moto.user_with(ALLOWED).items():
        monkeypatch.setenv(name, value)
    moto.enforce_iam()
    provider = AwsSecretsManagerProvider(NAME)
    assert (await provider.fetch()).reveal(KEY) == "x"
    await provider.aclose()
    moto.reset()
    moto.create(NAME, "x")
    for name, value in moto.user_with(FORBIDDEN).items():
        monkeypatch.setenv(name, value)
    moto.enforce_iam()
    error = await failure(AwsSecretsManagerProvider(NAME), canary)
    assert type(error) is SecretDeniedError
    assert "allow them secretsmanager:GetSecretValue" in str(error)
    chain = ChainProvider([AwsSecretsManagerProvider(NAME), StaticProvider({KEY: SECRET})])
    with pytest.raises(SecretDeniedError):
        await chain.fetch()
    await chain.aclose()


async def test_a_wrong_key_is_denied(moto: Moto, canary: Canary):
    moto.create(NAME, "x")
    moto.enforce_iam()
    assert type(await failure(AwsSecretsManagerProvider(NAME), canary)) is SecretDeniedError


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("ThrottlingException", SecretUnavailableError, "too many requests"),
        ("com.amazonaws.secretsmanager#TooManyRequestsException", SecretUnavailableError, "too many requests"),
        ("InternalServiceError", SecretUnavailableError, "it answered an error"),
        ("ExpiredTokenException", SecretUnavailableError, "the credentials have expired"),
        ("DecryptionFailure", SecretDeniedError, "its KMS key does not decrypt it"),
        ("KMSAccessDeniedException", SecretDeniedError, "its KMS key does not decrypt it"),
        ("AccessDeniedException", SecretDeniedError, "allow them secretsmanager:GetSecretValue"),
        ("UnrecognizedClientException", SecretDeniedError, "the credentials are wrong"),
        ("InvalidSignatureException", SecretDeniedError, "the credentials are wrong"),
        ("ValidationException", SecretDeniedError, "refused as invalid: check the name"),
        ("SomethingNew", SecretUnavailableError, "it answered an error: try again, or look the code up (SomethingNew)"),
        ("not a code " + SECRET, SecretUnavailableError, "an error without a code: check the endpoint"),
    ],
)
@pytest.mark.parametrize("status", [400, 404])
async def test_the_code_decides_whatever_the_status(
    moto: Moto, canary: Canary, code: str, kind: type[SecretError], said: str, status: int
):
    def answer(operation: str, wanted: dict[str, Any]):
        return status, {"__type": code, "message": SECRET, "SecretString": SECRET}

    with stub_aws(answer) as stub:
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=stub.url), canary)
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (502, b"<html>" + SECRET.encode(), SecretUnavailableError, "it answered an error"),
        (403, b"<html>" + SECRET.encode(), SecretDeniedError, "(403)"),
        (404, b"<html>" + SECRET.encode(), SecretUnavailableError, "no such secret"),
        (200, b"<html>" + SECRET.encode(), SecretMalformedError, "check the endpoint"),
        (200, {"VersionId": "v" * 32}, SecretMalformedError, "neither text nor bytes"),
        (200, {"VersionId": "v" * 32, "SecretString": '{"' + SECRET}, SecretMalformedError, "is not JSON"),
        (200, {"VersionId": "v" * 32, "SecretString": SECRET + "\ud800"}, SecretMalformedError, "not text"),
        (200, {"VersionId": "v" * 32, "SecretString": [SECRET]}, SecretMalformedError, "neither text nor bytes"),
    ],
)
async def test_answers_of_something_else(
    moto: Moto, canary: Canary, status: int, body: Any, kind: type[SecretError], said: str
):
    with stub_aws(lambda operation, wanted: (status, body)) as stub:
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=stub.url), canary)
    assert type(error) is kind
    assert said in str(error)


async def test_no_credentials(moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for role in (None, ROLE):
        error = await failure(AwsSecretsManagerProvider(NAME, role_arn=role), canary)
        assert type(error) is SecretUnavailableError
        assert "no AWS credentials were found" in str(error)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "half")
    assert "incomplete: give both keys" in str(await failure(AwsSecretsManagerProvider(NAME), canary))


async def test_a_closed_port_is_unavailable(moto: Moto, canary: Canary):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=url), canary)
    assert type(error) is SecretUnavailableError
    assert "cannot be reached: check the network, the region and the endpoint (EndpointConnectionError)" in str(error)


async def test_a_server_that_never_answers_is_given_up(moto: Moto, canary: Canary):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=url, timeout=0.2), canary)
    assert type(error) is SecretUnavailableError
    assert "did not answer" in str(error)


async def test_a_whole_read_has_a_limit_of_its_own(moto: Moto, canary: Canary):
    """Each answer drips in: no single wait is too long, and it never ends."""
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(0.02):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=url, timeout=0.1), canary)
        stop.set()
        thread.join()
    assert type(error) is SecretUnavailableError
    assert "did not answer within 0.6 s" in str(error)


async def test_a_tls_port_that_speaks_no_tls(moto: Moto, canary: Canary):
    with stub_aws(lambda operation, wanted: (200, b"")) as stub:
        url = stub.url.replace("http:", "https:")
        error = await failure(AwsSecretsManagerProvider(NAME, endpoint=url), canary)
    assert type(error) is SecretUnavailableError
    assert "TLS with it failed" in str(error)


@pytest.mark.slow
async def test_killed_and_restarted_on_the_same_port(moto: Moto, canary: Canary):
    moto.create(NAME, SECRET)
    canary.records.clear()
    provider = CachedProvider(AwsSecretsManagerProvider(NAME, timeout=1.0))
    old = await provider.fetch()
    moto.kill()
    with pytest.raises(SecretUnavailableError) as caught:
        await provider.refresh()
    assert await provider.fetch() is old
    canary.check(caught.value, provider, old)
    moto.restart()
    moto.create(NAME, "after")
    assert (await provider.refresh()).reveal(KEY) == "after"
    await provider.aclose()


async def test_without_boto3_the_error_says_what_to_install(
    moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    error = await failure(AwsSecretsManagerProvider(NAME), canary)
    assert "pip install 'ethora-async[aws]'" in str(error)
    assert "ModuleNotFoundError" in str(error)


async def test_a_missing_token_file_is_named(
    moto: Moto, canary: Canary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    error = await failure(AwsSecretsManagerProvider(NAME), canary)
    assert type(error) is SecretUnavailableError
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in str(error)
