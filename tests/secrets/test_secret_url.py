from __future__ import annotations

import pickle

import pytest

from ethora_async_secrets import (
    BadProviderURLError,
    ChainProvider,
    EnvProvider,
    FileProvider,
    SecretError,
    provider_from_url,
)

CANARY = "canary-9d8c7b"


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("env:", EnvProvider, "EnvProvider(ETHORA_*)"),
        ("ENV:", EnvProvider, "EnvProvider(ETHORA_*)"),
        ("env://", EnvProvider, "EnvProvider(ETHORA_*)"),
        ("env:?prefix=CHAT_", EnvProvider, "EnvProvider(CHAT_*)"),
        ("env:?names=A,B", EnvProvider, "EnvProvider(A, B)"),
        ("file:///run/secrets/ethora", FileProvider, "FileProvider('/run/secrets/ethora')"),
        ("file:/run/x.json", FileProvider, "FileProvider('/run/x.json')"),
        ("file://localhost/run/.env", FileProvider, "FileProvider('/run/.env')"),
        ("file:///a%20b/%C3%A9%25%23%3F", FileProvider, "FileProvider('/a b/é%#?')"),
        ("file:///run/user@1000/x.env", FileProvider, "FileProvider('/run/user@1000/x.env')"),
        (
            "  env:   file:///x.json\n",
            ChainProvider,
            "ChainProvider([EnvProvider(ETHORA_*), FileProvider('/x.json')])",
        ),
    ],
)
def test_good_urls(url: str, kind: type, shown: str):
    provider = provider_from_url(url)
    assert type(provider) is kind
    assert repr(provider) == shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "No provider URL given"),
        (" \t", "No provider URL given"),
        (CANARY, "does not begin with a scheme (a space within a URL is written %20). Write env:, file:///run"),
        (f"/run/{CANARY}", "does not begin with a scheme"),
        (f"nope:{CANARY}", "1 of 1 has a scheme that is not known. Known schemes: aws-sm:, env:, file:, vault:."),
        (f"{CANARY}:word", "has a scheme that is not known"),
        (f"env: nope:///{CANARY}", "Provider URL 2 of 2 has a scheme"),
        (f"file://{CANARY}/x", "names a host. Write three slashes"),
        (f"file:{CANARY}", "has no absolute path"),
        ("file:", "has no absolute path"),
        ("file://", "has no absolute path"),
        (f"file:///x?{CANARY}=1", "a parameter that is not known. Known: none."),
        (f"file:///x#{CANARY}", "Write %23"),
        (f"file:///{CANARY}%zz", "a % that does not begin"),
        (f"file:///{CANARY}%FF", "a % that does not begin"),
        (f"file:///{CANARY}%00", "a % that does not begin"),
        (f"file://user:{CANARY}@/x", "holds credentials"),
        (f"file://user:pa/{CANARY}@host/x", "names a host"),
        (f"nope://{CANARY}@host/x", "a scheme that is not known"),
        (f"env:{CANARY}", "more after env:"),
        (f"env://{CANARY}", "more after env:"),
        (f"env:?{CANARY}=1", "Known: names, prefix."),
        (f"env:?{CANARY}", "a parameter without a value"),
        (f"env:?names={CANARY}&names=B", "given twice"),
        (f"env:?names={CANARY}&prefix=B", "both names and prefix"),
        ("env:?names=,", "empty names"),
        ("env:?prefix=", "an empty prefix, which would take every variable"),
    ],
)
def test_bad_urls_say_why_and_repeat_nothing(url: str, said: str):
    with pytest.raises(BadProviderURLError) as caught:
        provider_from_url(url)
    error = caught.value
    assert said in str(error)
    assert CANARY not in str(error)
    assert CANARY not in repr(error)
    assert error.__cause__ is None
    assert isinstance(error, ValueError)
    assert isinstance(error, SecretError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_the_environment_given_is_the_one_read():
    bundle = await provider_from_url("env:", environ={"ETHORA_A": "given"}).fetch()
    assert bundle.reveal("ETHORA_A") == "given"
