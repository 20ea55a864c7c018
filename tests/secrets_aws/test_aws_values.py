"""What is read: the kinds of values, the stages through a rotation, and where it is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto_server import stub_aws

from ethora_async_secrets import (
    AwsSecretsManagerProvider,
    SecretBundle,
    SecretMalformedError,
    SecretUnavailableError,
    provider_from_url,
)

if TYPE_CHECKING:
    from pathlib import Path

    from moto_server import Moto

NAME = "ethora/prod"
KEY = "ETHORA_CHAT_APP_SECRET"


async def read(name: str = NAME, **options: Any) -> SecretBundle:
    provider = AwsSecretsManagerProvider(name, **options)
    try:
        return await provider.refresh()
    finally:
        await provider.aclose()


def shown(bundle: SecretBundle, key: str = KEY) -> tuple[str | None, str | None, str | None]:
    sides = (bundle.previous, bundle, bundle.pending)
    return tuple(side.get(key) if side else None for side in sides)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("stored", "held"),
    [
        ("plain", {KEY: "plain"}),
        ("plain\r\n", {KEY: "plain"}),
        (" spaced ", {KEY: " spaced "}),
        ('"quoted"', {KEY: '"quoted"'}),
        ("[1]", {KEY: "[1]"}),
        ('{"A": "1", "B": "é"}', {"A": "1", "B": "é"}),
        (' \n{"A": "1", "blank": " "}', {"A": "1"}),
        (b"plain bytes", {KEY: "plain bytes"}),
        (b'\xef\xbb\xbf{"A": "1"}', {"A": "1"}),
    ],
)
async def test_a_value_is_an_object_of_strings_or_one_plain_secret(
    moto: Moto, stored: str | bytes, held: dict[str, str]
):
    arn = moto.create(NAME, stored)
    for name in (NAME, arn):
        bundle = await read(name)
        assert {each: bundle.reveal(each) for each in bundle.names()} == held
        assert bundle.source == f"aws-sm:{name}"
        assert bundle.version == moto.current(NAME)
        created = moto.client().describe_secret(SecretId=NAME)["CreatedDate"]
        assert bundle.created_at == pytest.approx(created.timestamp(), abs=2)


async def test_the_name_of_a_plain_value_can_be_chosen(moto: Moto):
    moto.create(NAME, "plain")
    assert (await read(key="OTHER")).reveal("OTHER") == "plain"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ('{"A": "canary-5e', "line 1 column 7 is not JSON"),
        ('{"A": 5}', "the value of key 'A' is not a string"),
        ('{"A": true}', "the value of key 'A' is not a string"),
        ('{"A": null}', "the value of key 'A' is not a string"),
        ('{"A": {"B": "canary-5e"}}', "the value of key 'A' is not a string"),
        (b"canary-5e\xff", "binary and not UTF-8 (byte 9)"),
    ],
)
async def test_an_unfit_value_is_malformed_and_not_shown(moto: Moto, stored: str | bytes, said: str):
    moto.create(NAME, stored)
    with pytest.raises(SecretMalformedError) as caught:
        await read()
    assert said in str(caught.value)
    assert "aws-sm:ethora/prod" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("stored", ["{}", "\n", '{"A": ""}'])
async def test_a_secret_without_a_value_is_unavailable(moto: Moto, stored: str):
    moto.create(NAME, stored)
    with pytest.raises(SecretUnavailableError, match="it holds no value"):
        await read()


async def test_the_stages_follow_a_rotation(moto: Moto):
    moto.create(NAME, "one")
    provider = AwsSecretsManagerProvider(NAME)
    first = await provider.fetch()
    assert shown(first) == (None, "one", None)

    version = moto.put_pending(NAME, "two")
    pending = await provider.fetch()
    assert shown(pending) == (None, "one", "two")
    assert pending.version == first.version
    assert pending != first
    assert pending.pending is not None
    assert pending.pending.version == version

    moto.promote(NAME, version)
    promoted = await provider.fetch()
    # AWSPENDING is still on what is current now
    assert shown(promoted) == ("one", "two", None)
    assert promoted.version == version
    assert promoted.previous is not None
    assert promoted.previous.version == first.version

    moto.unlabel(NAME, version, "AWSPENDING")
    assert shown(await provider.fetch()) == ("one", "two", None)
    moto.unlabel(NAME, first.version, "AWSPREVIOUS")
    assert shown(await provider.fetch()) == (None, "two", None)
    await provider.aclose()


async def test_back_to_an_older_version(moto: Moto):
    moto.create(NAME, "one")
    first = moto.current(NAME)
    second = moto.put(NAME, "two")
    moto.promote(NAME, first)
    bundle = await read()
    assert bundle.version == first != second
    assert shown(bundle) == ("two", "one", None)


async def test_an_unfit_pending_value_is_left_out_and_told_once(moto: Moto, caplog: pytest.LogCaptureFixture):
    moto.create(NAME, "one")
    version = moto.put_pending(NAME, '{"canary-5e')
    provider = AwsSecretsManagerProvider(NAME)
    for _ in range(3):
        assert shown(await provider.fetch()) == (None, "one", None)
    assert caplog.text.count("AWSPENDING was not read") == 1
    moto.unlabel(NAME, version, "AWSPENDING")
    await provider.fetch()
    moto.put_pending(NAME, '{"canary-5e')
    await provider.fetch()
    assert caplog.text.count("AWSPENDING was not read") == 2
    assert "canary" not in caplog.text
    await provider.aclose()


def version(value: str, *labels: str, number: int) -> tuple[int, dict[str, object]]:
    # VersionId has at least 32 characters on the wire
    return 200, {"SecretString": value, "VersionId": f"{number:032}", "VersionStages": list(labels)}


ABSENT = (400, {"__type": "ResourceNotFoundException", "message": "x"})


async def test_a_rotation_between_two_calls_is_noticed_and_read_again(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    """The current version is read, then becomes the previous one, before the others are asked for."""
    replies: dict[str, list[Any]] = {
        "AWSCURRENT": [version("one", "AWSCURRENT", number=1), version("two", "AWSCURRENT", number=2)],
        "AWSPREVIOUS": [version("one", "AWSPREVIOUS", number=1)] * 2,
        "AWSPENDING": [ABSENT] * 2,
    }
    with stub_aws(lambda operation, wanted: replies[wanted["VersionStage"]].pop(0)) as stub:
        bundle = await read(endpoint=stub.url)
    assert shown(bundle) == ("one", "two", None)
    assert len(stub.calls) == 6


async def test_a_pending_version_made_current_between_two_calls_is_noticed(moto: Moto):
    replies: dict[str, list[Any]] = {
        "AWSCURRENT": [version("one", "AWSCURRENT", number=1), version("two", "AWSCURRENT", "AWSPENDING", number=2)],
        "AWSPREVIOUS": [ABSENT, version("one", "AWSPREVIOUS", number=1)],
        "AWSPENDING": [version("two", "AWSCURRENT", "AWSPENDING", number=2)],
    }
    with stub_aws(lambda operation, wanted: replies[wanted["VersionStage"]].pop(0)) as stub:
        bundle = await read(endpoint=stub.url)
    assert shown(bundle) == ("one", "two", None)
    # in the second round the pending label is on the current version, so nobody asks for it
    assert len(stub.calls) == 5


async def test_credentials_refused_for_other_stages_are_looked_for_afresh_once(moto: Moto):
    def answer(operation: str, wanted: dict[str, Any]):
        if wanted["VersionStage"] == "AWSCURRENT":
            return version("one", "AWSCURRENT", number=1)
        return 400, {"__type": "UnrecognizedClientException"}

    with stub_aws(answer) as stub:
        assert shown(await read(endpoint=stub.url)) == (None, "one", None)
    assert [call["VersionStage"] for _, call in stub.calls] == [
        "AWSCURRENT", "AWSPREVIOUS", "AWSPREVIOUS", "AWSPENDING",
    ]  # fmt: skip


async def test_stages_that_never_hold_still_do_not_keep_the_reader(moto: Moto):
    def answer(operation: str, wanted: dict[str, Any]):
        return version("one", "AWSCURRENT", number=1)

    with stub_aws(answer) as stub:
        assert shown(await read(endpoint=stub.url)) == (None, "one", None)
    assert len(stub.calls) == 9


async def test_a_stage_that_is_denied_is_left_out(moto: Moto, caplog: pytest.LogCaptureFixture):
    def answer(operation: str, wanted: dict[str, Any]):
        if wanted["VersionStage"] == "AWSCURRENT":
            return version("one", "AWSCURRENT", number=1)
        return 400, {"__type": "AccessDeniedException", "message": "canary-5e"}

    with stub_aws(answer) as stub:
        provider = AwsSecretsManagerProvider(NAME, endpoint=stub.url)
        for _ in range(2):
            assert shown(await provider.fetch()) == (None, "one", None)
        await provider.aclose()
    assert caplog.text.count("AWSPREVIOUS was not read") == 1
    assert caplog.text.count("AWSPENDING was not read") == 1
    assert "canary" not in caplog.text


async def test_a_stage_that_cannot_be_had_now_is_taken_over_while_the_version_stays(moto: Moto):
    down = False
    number = 2

    def answer(operation: str, wanted: dict[str, Any]):
        stage = wanted["VersionStage"]
        if stage == "AWSCURRENT":
            return version("two", stage, number=number)
        if down:
            return 400, {"__type": "ThrottlingException"}
        return version("one" if stage == "AWSPREVIOUS" else "three", stage, number=1 if stage == "AWSPREVIOUS" else 3)

    with stub_aws(answer) as stub:
        provider = AwsSecretsManagerProvider(NAME, endpoint=stub.url)
        assert shown(await provider.fetch()) == ("one", "two", "three")
        down = True
        asked = len(stub.calls)
        assert shown(await provider.fetch()) == ("one", "two", "three")
        # two attempts at the previous one, none at the pending one: what is down is not waited for twice
        assert [call["VersionStage"] for _, call in stub.calls[asked:]] == ["AWSCURRENT", "AWSPREVIOUS", "AWSPREVIOUS"]
        number = 4
        assert shown(await provider.fetch()) == (None, "two", None)
        await provider.aclose()


async def test_the_region_comes_from_the_argument_then_the_arn_then_the_environment(moto: Moto):
    moto.create(NAME, "american")
    arn = moto.create(NAME, "irish", region="eu-west-1")
    assert (await read()).reveal(KEY) == "american"
    assert (await read(region="eu-west-1")).reveal(KEY) == "irish"
    assert (await read(arn)).reveal(KEY) == "irish"
    with pytest.raises(SecretUnavailableError, match="no such secret"):
        await read(region="eu-west-2")


async def test_no_region_says_so(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SecretUnavailableError, match="no AWS region was given: pass region"):
        await read()


async def test_a_profile_names_region_and_keys(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    moto.create(NAME, "irish", region="eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[profile chat]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text("[chat]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert (await read(profile="chat")).reveal(KEY) == "irish"
    with pytest.raises(SecretUnavailableError, match="no such AWS profile"):
        await read(profile="other")


async def test_a_url_says_it_all(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    moto.create("/lead/ing", "irish", region="eu-west-1")
    provider = provider_from_url(f"aws-sm:////lead/ing?region=eu-west-1&endpoint={moto.url}&key=OTHER")
    assert (await provider.fetch()).reveal("OTHER") == "irish"
    await provider.aclose()


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-AbCdEf"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("aws-sm:///a/b", "aws-sm:a/b"),
        ("AWS-SM:///a%40b+c", "aws-sm:a@b+c"),
        (f"aws-sm:///{ARN}", f"aws-sm:{ARN}"),
        ("aws-sm:///x?profile=a%20b&role_arn=arn:aws:iam::123456789012:role/p/reader", "aws-sm:x"),
        ("aws-sm:///x?endpoint=https%3A%2F%2Fhost:8443/", "aws-sm:x"),
    ],
)
def test_good_urls(url: str, source: str):
    provider = provider_from_url(url)
    assert isinstance(provider, AwsSecretsManagerProvider)
    assert provider.source == source


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("aws-sm:canary-5e", "no three slashes before the secret's name. Write aws-sm:///NAME-or-ARN"),
        ("aws-sm://canary-5e/x", "no three slashes"),
        ("aws-sm://user:canary-5e@host/x", "holds credentials"),
        ("aws-sm:", "no three slashes"),
        ("aws-sm:///", "this is not the name or ARN"),
        ("aws-sm:///canary-5e%20x", "this is not the name or ARN"),
        ("aws-sm:///arn:aws:iam::123456789012:role/canary-5e", "this is not the name or ARN"),
        ("aws-sm:///x?region=canary-5e_", "region does not look like eu-west-1"),
        ("aws-sm:///x?region=", "region does not look like eu-west-1"),
        ("aws-sm:///x?profile=", "profile is empty"),
        ("aws-sm:///x?role_arn=canary-5e", "role_arn does not look like arn:aws:iam::"),
        ("aws-sm:///x?endpoint=canary-5e", "endpoint does not look like https://host:8443"),
        ("aws-sm:///x?endpoint=https://u:canary-5e@host", "endpoint does not look like https://host:8443"),
        ("aws-sm:///x?endpoint=https://host:99999", "endpoint does not look like https://host:8443"),
        ("aws-sm:///x?endpoint=https://host/canary-5e", "endpoint does not look like https://host:8443"),
        ("aws-sm:///x?key=1canary-5e", "key does not look like ETHORA_CHAT_APP_SECRET"),
        ("aws-sm:///x?secret_key=canary-5e", "Known: region, profile, role_arn, endpoint, key."),
    ],
)
def test_bad_urls_say_which_part_and_repeat_nothing(url: str, said: str):
    with pytest.raises(ValueError) as caught:
        provider_from_url(url)
    error = caught.value
    assert said in str(error)
    assert "1 of 1 (aws-sm:)" in str(error)
    assert "canary" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_time(timeout: float):
    with pytest.raises(ValueError, match="timeout is"):
        AwsSecretsManagerProvider("x", timeout=timeout)


async def test_a_secret_that_aws_manages_is_read_with_what_is_text_in_it(moto: Moto):
    name = "rds!cluster-0a1b2c3d"
    moto.create(
        name, '{"username": "admin", "password": "word\\n", "port": 5432, "engine": null, "masterarn": {"a": "b"}}'
    )
    provider = AwsSecretsManagerProvider(name, region="us-east-1", endpoint=moto.url)
    bundle = await provider.fetch()
    assert bundle.names() == {"username", "password"}
    assert bundle.reveal("password") == "word"
    with pytest.raises(SecretMalformedError, match="'port' is not a string but a number"):
        bundle.reveal("port")
    await provider.aclose()


@pytest.mark.parametrize(
    "name", ["rds!cluster-0a", "arn:aws:secretsmanager:eu-west-1:1:secret:rds!db-0a-AbCdEf", "a/b_+=.@-"]
)
def test_names_that_aws_gives_are_accepted(name: str):
    assert AwsSecretsManagerProvider(name).source == f"aws-sm:{name}"
