"""Asynchronous user batches (docs/platforms/ethora.md#users, #jobs-and-delays)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_helpers import APP, Api, row, server_token

if TYPE_CHECKING:
    from still_clock import Clock

    from ethora_async.sandbox import EthoraSandbox

BATCH = "/v2/users/batch"


async def post(api: Api, *rows: dict, path: str = BATCH) -> str:
    reply = await api("POST", path, {"usersList": list(rows)})
    assert reply.status == 202, reply
    assert reply.body["statusUrl"] == f"{path}/{reply.body['jobId']}"
    return reply.body["statusUrl"]


@pytest.mark.parametrize("path", [BATCH, "/v2/apps/app123/users/batch"])
async def test_users_exist_at_once_while_the_job_is_still_pending(path: str, api: Api, sandbox: EthoraSandbox) -> None:
    url = await post(api, row("u1"), path=path)
    assert sandbox.store.app(APP).users.find("u1") is not None
    assert (await api("GET", url)).body["state"] == "pending"
    body = (await api("GET", url)).body
    assert body["state"] == "completed"
    (result,) = body["result"]["results"]
    assert (result["status"], result["xmppUsername"]) == ("created", "app123_u1")
    assert result["user"]["xmppUsername"] == "app123_u1"


@pytest.mark.parametrize(
    ("polls", "states"),
    [(0, ["completed"]), (1, ["pending", "completed"]), (3, ["pending", "running", "running", "completed"])],
)
async def test_the_knob_says_how_many_polls_see_the_job_unfinished(
    polls: int, states: list[str], api: Api, sandbox: EthoraSandbox
) -> None:
    sandbox.faults.job_polls = polls
    url = await post(api, row("u1"))
    assert [(await api("GET", url)).body["state"] for _ in states] == states


async def test_a_job_delay_runs_by_the_sandboxs_clock(api: Api, sandbox: EthoraSandbox, clock: Clock) -> None:
    sandbox.faults.job_polls, sandbox.faults.job_delay = 0, 5.0
    url = await post(api, row("u1"))
    assert (await api("GET", url)).body["state"] == "pending"
    assert (await api("GET", url)).body["state"] == "running"
    clock.now += 5
    assert (await api("GET", url)).body["state"] == "completed"


async def test_rows_that_are_there_already_are_reported_not_refused(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.job_polls = 0
    await api.make_users("u1", "u2")
    url = await post(
        api,
        row("u1"),
        row("u9", email="U2@example.com"),
        row("u1", email="new@example.com"),
        row("u3"),
        row("u4", email="u3@example.com"),
        row("u3", email="u5@example.com"),
    )
    results = (await api("GET", url)).body["result"]["results"]
    assert [(result["status"], result["xmppUsername"]) for result in results] == [
        ("exists", "app123_u1"),
        ("exists", "app123_u2"),
        ("uuid_exists", "app123_u1"),
        ("created", "app123_u3"),
        ("exists", "app123_u3"),
        ("uuid_exists", "app123_u3"),
    ]
    assert sandbox.store.app(APP).users.find("u9") is None


async def test_a_job_is_read_with_the_app_that_made_it(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.add_app("shop", app_id="child1", secret="child-secret", parent=APP)
    childs = server_token(app="child1", secret="child-secret")
    own = await post(api, row("u1"))
    job = own.rsplit("/", 1)[1]
    in_child = await post(api, row("u1"), path="/v2/apps/child1/users/batch")
    assert (await api("GET", in_child)).status == 200
    assert (await api("GET", in_child, token=childs)).status == 200
    for path, token in (
        (f"{BATCH}/{job}", childs),
        (f"/v2/apps/child1/users/batch/{job}", "server"),
        (in_child.replace("/apps/child1", ""), "server"),
        (f"{BATCH}/nothing", "server"),
    ):
        assert (await api("GET", path, token=token)).status == 404


async def test_a_failing_job_reports_its_error_and_leaves_nothing(api: Api, sandbox: EthoraSandbox) -> None:
    sandbox.faults.job_polls = 0
    sandbox.faults.fail_jobs(error="Redis is away")
    body = (await api("GET", await post(api, row("u1")))).body
    assert (body["state"], body["error"], "result" in body) == ("failed", "Redis is away", False)
    assert sandbox.store.app(APP).users.find("u1") is None
    assert (await api("GET", await post(api, row("u1")))).body["state"] == "completed"


async def test_old_jobs_make_room(api: Api, sandbox: EthoraSandbox, monkeypatch) -> None:
    monkeypatch.setattr("ethora_async.sandbox.ethora.jobs.KEPT", 2)
    urls = [await post(api, row(f"u{index}")) for index in range(3)]
    assert [(await api("GET", url)).status for url in urls] == [404, 200, 200]
