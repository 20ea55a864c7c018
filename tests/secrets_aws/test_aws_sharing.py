"""One client for all who ask at once, cancelled or not, across loops, closings and forks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest
from moto_server import Moto, stub_aws

import ethora_async_secrets
from ethora_async_secrets import (
    AwsSecretsManagerProvider,
    CachedProvider,
    SecretBundle,
    SecretUnavailableError,
)
from ethora_async_secrets.aws import client as aws_client

if TYPE_CHECKING:
    from moto_server import Reply

NAME = "ethora/prod"
KEY = "ETHORA_CHAT_APP_SECRET"


def current(wanted: dict[str, Any]) -> Reply:
    if wanted["VersionStage"] == "AWSCURRENT":
        return 200, {"SecretString": "one", "VersionId": "v" * 32, "VersionStages": ["AWSCURRENT"]}
    return 400, {"__type": "ResourceNotFoundException"}


class Gate:
    """Answers of a stub that wait until told; `asked` is set when the first has come."""

    def __init__(self) -> None:
        self.asked, self.open = threading.Event(), threading.Event()

    def __call__(self, operation: str, wanted: dict[str, Any]) -> Reply:
        self.asked.set()
        assert self.open.wait(20)
        return current(wanted)


async def test_a_thousand_first_calls_with_half_cancelled_are_one_read(moto: Moto):
    gate = Gate()
    with stub_aws(gate) as stub:
        provider = CachedProvider(AwsSecretsManagerProvider(NAME, endpoint=stub.url, timeout=30.0))
        tasks = [asyncio.create_task(provider.fetch()) for _ in range(1000)]
        await asyncio.to_thread(gate.asked.wait, 20)
        for task in tasks[::2]:
            task.cancel()
        gate.open.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await provider.aclose()
    assert [type(answer) for answer in answers] == [asyncio.CancelledError, SecretBundle] * 500
    assert [call["VersionStage"] for _, call in stub.calls] == ["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"]


async def test_concurrent_first_reads_make_one_client(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    moto.create(NAME, "one")
    made: list[object] = []
    make = aws_client._make_client

    def counted(settings: aws_client.Settings) -> aws_client.Client:
        made.append(settings)
        return make(settings)

    monkeypatch.setattr(aws_client, "_make_client", counted)
    provider = AwsSecretsManagerProvider(NAME)
    await asyncio.gather(*(provider.fetch() for _ in range(20)))
    assert len(made) == 1
    await provider.aclose()
    await provider.aclose()
    assert (await provider.fetch()).reveal(KEY) == "one"
    assert len(made) == 2
    await provider.aclose()


async def test_a_failed_creation_is_tried_again(moto: Moto, monkeypatch: pytest.MonkeyPatch):
    moto.create(NAME, "one")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    provider = AwsSecretsManagerProvider(NAME)
    with pytest.raises(SecretUnavailableError, match="region"):
        await provider.fetch()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert (await provider.fetch()).reveal(KEY) == "one"
    await provider.aclose()


async def test_a_read_cancelled_at_any_step_leaves_the_provider_usable(moto: Moto):
    moto.create(NAME, "one")
    provider = AwsSecretsManagerProvider(NAME)
    for steps in range(6):
        task = asyncio.create_task(provider.fetch())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await provider.fetch()).reveal(KEY) == "one"
    await provider.aclose()


async def test_closing_during_a_read_lets_it_end(moto: Moto):
    gate = Gate()
    with stub_aws(gate) as stub:
        provider = AwsSecretsManagerProvider(NAME, endpoint=stub.url, timeout=30.0)
        reading = asyncio.create_task(provider.fetch())
        await asyncio.to_thread(gate.asked.wait, 20)
        await provider.aclose()
        gate.open.set()
        # the call under way is answered; those after it find the client closed
        assert (await reading).reveal(KEY) == "one"
        assert (await provider.fetch()).reveal(KEY) == "one"
        await provider.aclose()


async def test_a_read_that_begins_after_closing_says_so(moto: Moto):
    provider = AwsSecretsManagerProvider(NAME)
    connection = provider._connection()
    connection.close()
    with pytest.raises(SecretUnavailableError, match="its provider was closed meanwhile"):
        await provider.fetch()
    await provider.aclose()


def test_a_provider_used_before_a_fork_works_in_the_child(moto: Moto):
    moto.create(NAME, "one")
    script = textwrap.dedent(f"""
        import asyncio, os
        from ethora_async_secrets import AwsSecretsManagerProvider
        provider = AwsSecretsManagerProvider({NAME!r})
        async def read():
            return (await provider.fetch()).reveal({KEY!r})
        asyncio.run(read())
        child = os.fork()
        if child == 0:
            assert asyncio.run(read()) == "one"
            os._exit(17)
        assert asyncio.run(read()) == "one"
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "17", ran.stderr


def test_importing_and_naming_the_provider_loads_no_boto3():
    script = "import sys, ethora_async_secrets as s; s.AwsSecretsManagerProvider('x'); print('botocore' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "False"
    with pytest.raises(AttributeError, match="Nonsense"):
        ethora_async_secrets.Nonsense  # type: ignore[attr-defined]  # noqa: B018
