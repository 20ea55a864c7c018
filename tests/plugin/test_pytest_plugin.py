"""The pytest plugin, as users meet it: in runs of their own."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "test_your_product.py"
ALONE = ("--disable-plugin-autoload", "-p", "ethora", "-W", "error", "-p", "no:cacheprovider")
"""Without whatever else is installed here: no plugin runs coroutines."""
SETTLED = (
    *("-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"),
    *("-p", "no:schemathesis", "-p", "no:randomly"),  # they take long to load
)


def test_it_is_there_once_the_package_is_installed() -> None:
    (ours,) = [one for one in entry_points(group="pytest11") if one.name == "ethora"]
    assert ours.value == "ethora_async.testing.users.plugin"


def test_importing_it_brings_in_nothing_but_pytest() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import ethora_async.testing.users.plugin;"
        "print(*(name for name in sys.modules if name not in before))"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    new = {name for name in ran.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert new == {
        "ethora_async",
        "ethora_async._version",
        "ethora_async.testing",
        "ethora_async.testing.users",
        "ethora_async_secrets",
        "ethora_async_secrets.lazy",
        "ethora_async.testing.users.plugin",
    }


def test_the_example_can_be_copied_and_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_your_product=EXAMPLE.read_text("utf-8"))
    result = pytester.runpytest_subprocess(*SETTLED)
    result.assert_outcomes(passed=5)


def test_the_fixtures_explain_themselves(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", *ALONE)
    for line in (
        "ethora_client -- *",
        "    A client of `ethora_sandbox`*",
        "ethora_sandbox -- *",
        "    A local Ethora for this test*",
        "ethora_clock -- *",
        "ethora_fault -- *",
    ):
        result.stdout.fnmatch_lines([line])


@pytest.mark.slow
def test_plain_functions_need_no_other_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, urllib.request

        async def order(ethora_client):
            outcome = await ethora_client.chats.create(7, title="Seven")
            return outcome.status, [chat.id async for chat in ethora_client.chats.list()]

        def test_the_client(ethora_client):
            assert asyncio.run(order(ethora_client)) == ("created", ["7"])

        def test_the_server(ethora_sandbox):
            assert urllib.request.urlopen(ethora_sandbox.url + "/ping").status == 200

        def test_minting_needs_no_request(ethora_client, ethora_sandbox):
            token = asyncio.run(ethora_client.tokens.for_user("ann"))
            assert token.user_id == "ann"
            assert not ethora_sandbox.requests
        """
    )
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=3)


@pytest.mark.slow
def test_anyio_can_run_the_tests_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_it(ethora_client):
            assert (await ethora_client.chats.create("c1", title="Chat")).status == "created"
        """
    )
    pytester.runpytest_subprocess(*ALONE, "-p", "anyio").assert_outcomes(passed=1)


@pytest.mark.slow
def test_every_test_begins_afresh(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, pytest

        @pytest.mark.parametrize("run", range(3))
        def test_state_and_faults(run, ethora_client, ethora_sandbox, ethora_fault, ethora_clock):
            assert ethora_fault is ethora_sandbox.faults and not ethora_fault.active
            assert len(ethora_sandbox.store.app(ethora_sandbox.app_id).chats) == 0
            ethora_fault.fail("GET *", status=500, times=None)
            assert asyncio.run(ethora_client.chats.create("c1", title="Chat")).status == "created"
            assert ethora_clock.slept == []
            ethora_clock.advance(10**6)
        """
    )
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=3)


@pytest.mark.slow
def test_time_stands_still_where_it_began(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio, time

        def test_it(ethora_client, ethora_sandbox, ethora_clock):
            began = ethora_clock.now()
            assert abs(began - time.time()) < 600
            first = asyncio.run(ethora_client.tokens.for_user("ann", ttl=60))
            assert first.expires_at == int(began) + 60
            assert ethora_clock.now() == began
            ethora_clock.advance(61)
            assert asyncio.run(ethora_client.tokens.for_user("ann", ttl=60)).value != first.value
        """
    )
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)


def test_fixtures_of_the_same_name_win_and_the_plugin_can_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef ethora_client():\n    return 'mine'\n")
    pytester.makepyfile("def test_it(ethora_client):\n    assert ethora_client == 'mine'\n")
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)
    pytester.makepyfile("def test_it(ethora_fault):\n    pass\n")
    pytester.runpytest_subprocess(*SETTLED, "-p", "no:ethora").assert_outcomes(errors=1)


def test_a_run_that_does_not_use_it_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not {"ethora_async.sandbox", "ethora_async.errors", "attrs", "joserfc"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)
