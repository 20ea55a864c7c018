"""``ethora --platform rocketchat plan|apply|resume|verify``: the same commands, another platform."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from command_processes import Command

from ethora_async.sandbox import RocketChatSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def sandbox() -> AsyncIterator[RocketChatSandbox]:
    async with RocketChatSandbox(rate_limit=None) as sandbox:
        yield sandbox


Done = subprocess.CompletedProcess[str]


async def ethora(sandbox: RocketChatSandbox, folder: Path, *words: str, **changed: str) -> Done:
    """Run one command in a separate process."""
    env = {**os.environ, **sandbox.environment, "COLUMNS": "200", **changed}
    with Command(*words, env=env, cwd=folder, text=True) as process:
        out, err = await asyncio.to_thread(process.communicate)
    assert process.returncode is not None
    return Done(words, process.returncode, out, err)


@pytest.mark.slow
async def test_a_server_is_planned_applied_and_verified(sandbox: RocketChatSandbox, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,email,first_name,last_name\nann,a@b.io,Ann,Lee\n", "utf-8")
    (tmp_path / "rooms.csv").write_text("id,title\norder-7,Order 7\n", "utf-8")
    (tmp_path / "members.csv").write_text("chat,user\norder-7,ann\n", "utf-8")
    lists = ("--users", "people.csv", "--chats", "rooms.csv", "--members", "members.csv")
    chosen = ("--platform", "rocketchat")

    planned = await ethora(sandbox, tmp_path, *chosen, "plan", *lists, "--out", "plan.json", "--json")
    assert planned.returncode == 0, planned.stderr
    assert "ethora --platform rocketchat apply plan.json" in planned.stderr
    assert json.loads(planned.stdout)["platform"] == f"RocketChatClient(url='{sandbox.url}')"
    assert (await ethora(sandbox, tmp_path, *chosen, "verify", *lists)).returncode == 4
    applied = await ethora(sandbox, tmp_path, *chosen, "apply", "plan.json", "--yes")
    assert applied.returncode == 0, applied.stderr
    assert sandbox.store.users.with_username("ann") is not None
    verified = await ethora(sandbox, tmp_path, *chosen, "verify", *lists)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert sandbox.admin_password not in planned.stdout + planned.stderr + applied.stdout + applied.stderr


async def test_the_people_of_a_platform_are_listed(sandbox: RocketChatSandbox, tmp_path: Path) -> None:
    listed = await ethora(sandbox, tmp_path, "--platform", "rocketchat", "users", "list")
    assert (listed.returncode, listed.stdout.split("\t")[0]) == (0, "admin")


async def test_a_command_for_ethora_alone_says_so(sandbox: RocketChatSandbox, tmp_path: Path) -> None:
    refused = await ethora(sandbox, tmp_path, "--platform", "rocketchat", "reset")
    assert refused.returncode == 2
    assert "reset does not support --platform rocketchat; it supports ethora" in refused.stderr


async def test_a_missing_setting_is_named(sandbox: RocketChatSandbox, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,email,first_name,last_name\nann,a@b.io,Ann,Lee\n", "utf-8")
    words = ("--platform", "rocketchat", "plan", "--users", "people.csv")
    refused = await ethora(sandbox, tmp_path, *words, ROCKETCHAT_URL="")
    assert refused.returncode == 2
    assert "ROCKETCHAT_URL" in refused.stderr
