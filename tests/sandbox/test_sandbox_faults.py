"""Injected faults, over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_helpers import APP, Api, row, server_token
from yarl import URL

from ethora_async.sandbox import Faults

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

BATCH = "/v2/users/batch"


def exists(sandbox: EthoraSandbox, user: str) -> bool:
    return sandbox.store.app(APP).users.find(user) is not None


async def test_the_next_calls_of_a_route_fail_and_then_it_is_over(api: Api, sandbox: EthoraSandbox) -> None:
    fault = sandbox.faults.fail(f"POST {BATCH}", times=2, status=502)
    assert (await api("GET", "/ping")).status == 200
    statuses = [(await api("POST", BATCH, {"usersList": [row("u1")]})).status for _ in range(3)]
    assert (statuses, fault.hits, sandbox.faults.armed) == ([502, 502, 202], 2, False)


async def test_a_status_is_answered_before_any_work_with_the_platforms_error_shape(
    api: Api, sandbox: EthoraSandbox
) -> None:
    sandbox.faults.fail(status=503)
    reply = await api("POST", BATCH, {"usersList": [row("u1")]})
    assert (reply.body["success"], reply.body["error"]) == (False, "Service Unavailable")
    assert not exists(sandbox, "u1")


async def test_a_gateway_may_lose_patience_after_the_work_is_done(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(status=504, after_work=True)
    assert (await api("POST", BATCH, {"usersList": [row("u1")]})).status == 504
    assert exists(sandbox, "u1")


@pytest.mark.parametrize(("cut", "worked"), [("before", False), ("after", True)])
async def test_a_cut_connection_is_reset(cut, worked: bool, api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(f"POST {BATCH}", cut=cut)
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("POST", BATCH, {"usersList": [row("u1")]})
    assert exists(sandbox, "u1") is worked
    assert sandbox.requests[-1] == ("POST", BATCH, 0)
    assert (await api("GET", "/ping")).status == 200


async def test_the_reset_is_a_real_one(sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(cut="before")
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_body_may_be_cut_in_half(sandbox: EthoraSandbox, api: Api) -> None:
    sandbox.faults.fail(cut="body")
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("POST", BATCH, {"usersList": [row("u1")]})
    assert exists(sandbox, "u1")
    assert sandbox.requests[-1].status == 202


@pytest.mark.parametrize(
    ("given_value", "header"),
    [(2, "2"), (0.5, "0.5"), ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"), (None, None)],
)
async def test_retry_after_is_seconds_or_a_date(given_value, header, api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(status=429, retry_after=given_value)
    assert (await api("GET", "/ping")).headers.get("Retry-After") == header


async def test_a_body_and_content_type_go_out_as_given(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(status=502, body="<h1>Bad</h1>", content_type="text/html")
    reply = await api("GET", "/ping")
    assert (reply.body, reply.headers["Content-Type"]) == ("<h1>Bad</h1>", "text/html")
    sandbox.faults.fail(status=498, body={"error": "gone"})
    assert (await api("GET", "/ping")).body == {"error": "gone"}
    sandbox.faults.fail(status=498)
    assert (await api("GET", "/ping")).body["error"] == "Status 498"


@pytest.mark.parametrize(
    ("route", "hit"),
    [
        ("*", True),
        ("PATCH *", True),
        ("DELETE *", False),
        ("PATCH /v2/apps/{appId}/chats/{chat}", True),
        ("PATCH /v2/apps/{x}/chats/{y}", True),
        ("/v2/apps/{appId}/chats/{chat}", True),
        ("PATCH /v2/apps/app123/chats/c1", True),
        ("PATCH /v2/apps/app123/chats/c2", False),
        ("PATCH /v2/apps/*", True),
        ("PATCH /v2/apps/{appId}", False),
        ("GET /v2/apps/{appId}/chats/{chat}", False),
    ],
)
async def test_a_route_is_selected_by_pattern_or_path(route: str, hit: bool, api: Api, sandbox: EthoraSandbox) -> None:
    await api.make_chat("c1")
    fault = sandbox.faults.fail(route, times=None, status=500)
    reply = await api("PATCH", "/v2/apps/app123/chats/c1", {"title": "T"})
    assert (reply.status, fault.hits) == ((500, 1) if hit else (200, 0))
    fault.remove()
    assert (await api("PATCH", "/v2/apps/app123/chats/c1", {"title": "T"})).status == 200


async def test_a_route_that_does_not_exist_can_fail_too(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("GET /nowhere", status=410)
    assert (await api("GET", "/nowhere")).status == 410
    sandbox.faults.fail(status=410)
    assert (await api("GET", URL(sandbox.url + "/v1/apps/users/%ff", encoded=True))).status == 410


async def test_latencies_add_up_and_wait_before_the_work(api: Api, sandbox: EthoraSandbox, monkeypatch) -> None:
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append((seconds, exists(sandbox, "u1")))

    monkeypatch.setattr("ethora_async.sandbox.front.asyncio.sleep", sleep)
    sandbox.faults.latency(0.25)
    sandbox.faults.latency(0.5, f"POST {BATCH}", times=1)
    await api("POST", BATCH, {"usersList": [row("u1")]})
    await api("GET", "/ping")
    assert waited == [(0.75, False), (0.25, True)]


async def test_a_rate_limit_refuses_the_next_calls(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.rate_limit("GET /ping", times=2, retry_after=3)
    replies = [await api("GET", "/ping") for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["Retry-After"] == "3"


async def test_a_rate_limit_with_a_window_refuses_what_is_too_much(
    api: Api, sandbox: EthoraSandbox, clock: Clock
) -> None:
    sandbox.faults.rate_limit("GET /ping", limit=2, per=1.0)
    assert [(await api("GET", "/ping")).status for _ in range(4)] == [200, 200, 429, 429]
    clock.now += 1
    assert [(await api("GET", "/ping")).status for _ in range(3)] == [200, 200, 429]


async def test_faults_are_served_one_after_the_other(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(status=500)
    sandbox.faults.fail(status=502)
    assert [(await api("GET", "/ping")).status for _ in range(3)] == [500, 502, 200]


async def test_clear_takes_everything_away(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(times=None)
    sandbox.faults.fail_jobs()
    sandbox.faults.clear()
    assert (await api("GET", "/ping")).status == 200
    assert sandbox.faults.take_job_failure() is None


# The rhythm of faults


async def test_a_fault_may_strike_each_so_manieth_call(api: Api, sandbox: EthoraSandbox) -> None:
    fault = sandbox.faults.fail("GET *", times=None, status=503).only(every=4)
    statuses = [(await api("GET", "/ping")).status for _ in range(12)]
    assert statuses == [200, 200, 200, 503] * 3
    assert fault.hits == 3


async def test_a_burst_strikes_all_for_a_while(api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    sandbox.faults.fail(times=None, status=429, retry_after=1).only(every=3, lasts=5.0)
    assert [(await api("GET", "/ping")).status for _ in range(6)] == [200, 200, 429, 429, 429, 429]
    clock.now += 5.0
    assert [(await api("GET", "/ping")).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("rhythm", [{"every": 0}, {"lasts": -1.0}, {"lasts": float("nan")}])
def test_an_impossible_rhythm_is_refused(rhythm: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="every="):
        Faults().fail().only(**rhythm)


def test_a_spec_says_the_rhythm_too() -> None:
    faults = Faults.parse("*: status=503 times=all every=2; job_stall=2.5 job_stall_every=3 job_delay=1")
    assert [faults.plan("GET", "/ping", None, 0.0) is not None for _ in range(4)] == [False, True] * 2
    assert [faults.job_time(number) for number in range(1, 7)] == [1, 1, 3.5, 1, 1, 3.5]


# The text form


async def test_a_spec_says_all_that_the_methods_say(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.load(
        f"POST {BATCH}: status=503 times=2 retry_after=2 body='a; b: c' content_type=text/html;"
        " GET /ping: limit=0 per=60 retry_after='Wed, 21 Oct 2026 07:28:00 GMT';"
        " POST /v1/chats: cut=after; PATCH *: status=504 times=all after_work=yes;"
        " *: latency=0.0; job_polls=3; deletion_lag=1.5 job_delay=2 ; legacy_errors=true;"
    )
    faults = sandbox.faults
    knobs = (faults.job_polls, faults.deletion_lag, faults.job_delay, faults.legacy_errors)
    assert knobs == (3, 1.5, 2.0, True)
    first = await api("POST", BATCH, {})
    assert (first.status, first.body, first.headers["Retry-After"]) == (503, "a; b: c", "2")
    assert [(await api("POST", BATCH, {})).status for _ in range(2)] == [503, 422]
    limited = await api("GET", "/ping")
    assert (limited.status, limited.headers["Retry-After"]) == (429, "Wed, 21 Oct 2026 07:28:00 GMT")
    assert [(await api("PATCH", "/v2/chats/users", {})).status for _ in range(2)] == [504, 504]
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("POST", "/v1/chats", {})


def test_an_empty_spec_arms_nothing() -> None:
    assert not Faults.parse(" ; ").armed
    assert Faults.parse("/ping: status=500").armed


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("POST /x: status=abc", "status=abc"),
        ("POST /x: status=42", "status=42"),
        ("*: status=503; POST /x: colour=red", "colour=red"),
        ("*: status", "'status'"),
        ("*:", "'*:'"),
        ("*: times=2", "'*: times=2'"),
        ("*: status=500 times=0", "times=0"),
        ("*: status=500 times=many", "times=many"),
        ("*: cut=sideways", "sideways"),
        ("*: latency=-1", "-1"),
        ("*: latency=nan", "nan"),
        ("*: limit=1 per=nan", "nan"),
        ("*: limit=3 status=500", "limit=3"),
        ("*: per=3", "per=3"),
        ("*: limit=-1", "limit=-1"),
        ("*: status=500 every=0", "every=0"),
        ("*: limit=3 every=2", "limit=3"),
        ("*: body='open", "body='open"),
        ("post /x: status=500", "'post /x'"),
        ("nonsense", "nonsense"),
        ("job_polls=many", "job_polls=many"),
        ("legacy_errors=maybe", "legacy_errors=maybe"),
    ],
)
def test_a_bad_spec_names_the_part_and_changes_nothing(spec: str, part: str) -> None:
    faults = Faults()
    with pytest.raises(ValueError, match=r".") as caught:
        faults.load(f"job_polls=9; *: status=500; {spec}")
    assert part in str(caught.value)
    assert (faults.armed, faults.job_polls) == (False, 1)


@given(spec=st.text(alphabet="*: ;={}/'\"\\GETPOSTstatus=5035cutbody.", max_size=60) | st.text(max_size=30))
def test_no_text_breaks_the_reader(spec: str) -> None:
    faults = Faults()
    try:
        faults.load(spec)
    except ValueError:
        assert not faults.armed


@pytest.mark.parametrize("route", ["", "POST", "v2/x", "get /x", "GET x", "**"])
def test_a_route_that_selects_nothing_is_refused(route: str) -> None:
    with pytest.raises(ValueError, match="selects nothing"):
        Faults().fail(route)


async def test_a_fault_does_not_wait_for_the_token_check(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail(status=503)
    assert (await api("POST", BATCH, {}, token=server_token(secret="wrong"))).status == 503
