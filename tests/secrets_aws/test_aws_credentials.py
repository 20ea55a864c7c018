"""Whose credentials are used, and that they are renewed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from moto_server import stub_aws

from ethora_async.testing.implementers import Canary
from ethora_async_secrets import AwsSecretsManagerProvider, SecretDeniedError, SecretUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from moto_server import Moto

NAME = "ethora/prod"
KEY = "ETHORA_CHAT_APP_SECRET"
ROLE = "arn:aws:iam::123456789012:role/reader"
SECRET = "canary-9f8e7d6c"
TOKEN = "canary-token-4a3b2c1d"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/reader"}, "Action": "sts:AssumeRole"}
    ],
}
READS = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
ASSUMES = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}


def reader_role(moto: Moto) -> None:
    iam = moto.client("iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = {"Version": "2012-10-17", "Statement": [READS]}
    iam.put_role_policy(RoleName="reader", PolicyName="reads", PolicyDocument=json.dumps(policy))


async def test_an_assumed_role_reads_what_the_user_may_not(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    moto.create(NAME, SECRET)
    reader_role(moto)
    for name, value in moto.user_with(ASSUMES).items():
        monkeypatch.setenv(name, value)
    moto.enforce_iam()
    with Canary(SECRET) as canary:
        alone, in_role = AwsSecretsManagerProvider(NAME), AwsSecretsManagerProvider(NAME, role_arn=ROLE)
        with pytest.raises(SecretDeniedError):
            await alone.fetch()
        assert (await in_role.fetch()).reveal(KEY) == SECRET
        await alone.aclose()
        await in_role.aclose()
    canary.check(alone, in_role)


async def test_a_role_is_assumed_in_the_region_given(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    """Nothing else names one: without it STS could not be asked."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    moto.create(NAME, SECRET, region="eu-west-1")
    provider = AwsSecretsManagerProvider(NAME, region="eu-west-1", role_arn=ROLE)
    assert (await provider.fetch()).reveal(KEY) == SECRET
    await provider.aclose()


async def test_a_role_that_may_not_be_assumed_says_so(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    def answer(operation: str, wanted: dict[str, Any]):
        return 403, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"

    with stub_aws(answer) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        provider = AwsSecretsManagerProvider(NAME, role_arn=ROLE)
        with pytest.raises(SecretDeniedError, match=r"the role may not be assumed: .* \(AssumeRole: AccessDenied\)"):
            await provider.fetch()
        await provider.aclose()


def assumed(number: int, expires: str) -> bytes:
    return (
        f"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{number:016}</AccessKeyId>"
        f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>"
        f"<Expiration>{expires}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


async def test_a_roles_credentials_are_renewed_before_they_expire(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    """Those of a minute are renewed with the next read, those of a century are kept."""
    import datetime

    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    given: list[str] = []

    def answer(operation: str, wanted: dict[str, Any]):
        assert parse_qs(wanted["raw"])["RoleArn"] == [ROLE]
        given.append(wanted["raw"])
        return 200, assumed(len(given), "2099-01-01T00:00:00Z" if len(given) > 3 else soon.isoformat())

    moto.create(NAME, "one")
    with stub_aws(answer) as stub, Canary(SECRET, TOKEN) as canary:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        provider = AwsSecretsManagerProvider(NAME, role_arn=ROLE)
        await provider.fetch()
        # credentials of a minute are renewed for each of the three calls
        assert len(given) == 3
        for _ in range(3):
            await provider.fetch()
        assert len(given) == 4
        await provider.aclose()
    canary.check(provider)


async def test_a_web_identity_reads(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    moto.create(NAME, SECRET)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    with Canary(SECRET, TOKEN) as canary:
        provider = AwsSecretsManagerProvider(NAME)
        bundle = await provider.fetch()
        assert bundle.reveal(KEY) == SECRET
        await provider.aclose()
    canary.check(provider, bundle)


async def test_a_refused_web_identity_is_denied(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))

    def answer(operation: str, wanted: dict[str, Any]):
        return (
            400,
            f"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>{TOKEN}</Message></Error></ErrorResponse>".encode(),
        )

    with stub_aws(answer) as stub, Canary(TOKEN) as canary:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        provider = AwsSecretsManagerProvider(NAME)
        with pytest.raises(SecretDeniedError, match="the identity provider's token is not accepted") as caught:
            await provider.fetch()
        await provider.aclose()
    canary.check(caught.value, provider)


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
async def test_credentials_are_looked_for_afresh_once(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str
):
    """The keys in a file were exchanged: the old ones are refused, the new ones found without a restart."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    keys = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    accepted = "AKIAOLD"

    def answer(operation: str, wanted: dict[str, Any]):
        if stub.authorizations[-1].split("Credential=")[1].startswith(f"{accepted}/"):
            return 200, {"SecretString": "one", "VersionId": "v" * 32, "VersionStages": [wanted["VersionStage"]]}
        return 400, {"__type": code}

    with stub_aws(answer) as stub:
        keys.write_text("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = b\n")
        provider = AwsSecretsManagerProvider(NAME, endpoint=stub.url)
        await provider.fetch()
        accepted = "AKIANEW"
        keys.write_text("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = b\n")
        await provider.fetch()
        accepted = "AKIANEVER"
        asked = len(stub.calls)
        with pytest.raises((SecretUnavailableError, SecretDeniedError)):
            await provider.fetch()
        assert len(stub.calls) == asked + 2
        await provider.aclose()
