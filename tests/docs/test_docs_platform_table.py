"""The table of operations by platform names what the clients have, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ethora_async import AvayaClient, EthoraClient, ImbaChatClient, RocketChatClient

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "platforms.md"
CLIENTS: dict[str, Any] = {
    "EthoraClient": lambda: EthoraClient(
        app_id="app", secret="a-secret-that-is-long-enough", api_url="https://ethora.example.com"
    ),
    "RocketChatClient": lambda: RocketChatClient(url="https://rocket.example.com", user="admin", password="secret"),
    "AvayaClient": lambda: AvayaClient(
        account_id="ABCDEF",
        app_key="key",
        client_id="client",
        secret="a-secret-that-is-long-enough",
        integration_id="0cb4e7a4-6a25-4a5c-9d0d-5d1d5f7f9a01",
        host="https://avaya.example.com",
    ),
    "ImbaChatClient": lambda: ImbaChatClient,
}


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_name_in_a_column_is_there(name: str) -> None:
    header, *body = rows()
    column = [cell.strip("`") for cell in header].index(name)
    client = CLIENTS[name]()
    missing = []
    for row in body:
        words = re.findall(r"`([^`]+)`", row[column])
        for word in words:
            found: Any = client
            path = re.sub(r"\(\)", "", word).split(".")
            if path[0] == "as_user":
                assert callable(client.as_user)
                continue
            for part in path:
                found = getattr(found, part, None)
            if found is None:
                missing.append(word)
    assert missing == []


async def test_shared_operations_are_there_where_the_table_says_yes() -> None:
    header, *body = rows()
    names = [cell.strip("`") for cell in header]
    for row in body:
        for name, make in CLIENTS.items():
            cell = row[names.index(name)]
            path = re.fullmatch(r"`([a-z_]+\.[a-z_]+)`", row[0])
            if path is None or name == "ImbaChatClient":
                continue
            found: Any = make()
            for part in path[1].split("."):
                found = getattr(found, part, None)
            assert (found is not None) is (cell != "–"), (row[0], name)
