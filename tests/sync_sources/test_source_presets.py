"""User exports of other products, in the shapes in which they come; the people are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ethora_async.sync.sources.formats import USERS
from ethora_async.sync.sources.opening import ReadOptions, open_source
from ethora_async.sync.sources.presets import PRESETS, named_preset
from ethora_async.sync.sources.source import Row

EXPORTS = Path(__file__).parent / "exports"
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "presets.md"

IDS = {
    "entra.csv": ("0f3a2b10-1111-4c4c-9d9d-000000000001", "0f3a2b10-1111-4c4c-9d9d-000000000002"),
    "google.csv": ("ines", "jo"),
    "okta.json": ("00u1made0upIDAAAA0h7", "00u1made0upIDBBBB0h7"),
    "auth0.json": ("auth0|65aa000000000000000000a1", "auth0|65aa000000000000000000a2"),
    "keycloak.json": ("5d8c0001-0000-4000-8000-000000000001", "5d8c0001-0000-4000-8000-000000000002"),
    "slack.json": ("U0MADEUP01", "U0MADEUP02"),
    "slack.csv": ("U0MADEUP01", "U0MADEUP02"),
    "rocketchat.json": ("ines", "jo"),
}


@pytest.mark.parametrize("name", IDS)
async def test_an_export_gives_its_active_people_and_nobody_else(name: str) -> None:
    preset = named_preset(name.partition(".")[0])
    options = ReadOptions(optional_where=preset.where, lists=preset.lists)
    source = await open_source(EXPORTS / name, USERS, mapping=preset.mapping, options=options)
    found: list[Any] = [row async for row in source.rows()]
    assert all(isinstance(row, Row) for row in found)
    assert [(row.item.id, row.item.first_name, row.item.last_name) for row in found] == [
        (IDS[name][0], "Inès", "Moreau"),
        (IDS[name][1], "Jo", "Park"),
    ]
    assert [row.item.email.partition("@")[2] for row in found] == ["example.com"] * 2


def test_every_preset_has_an_export_to_be_tried_on_and_is_documented() -> None:
    assert {name.partition(".")[0] for name in IDS} == set(PRESETS)
    document = DOCUMENT.read_text("utf-8")
    for name, preset in PRESETS.items():
        assert f"## {name}" in document
        for theirs in (*preset.mapping.columns.values(), preset.mapping.full_name or ""):
            for part in theirs.split("|"):
                assert f"`{part.strip()}`" in document or not part.strip(), (name, part)


async def test_google_accounts_that_are_suspended_or_archived_are_left_out(tmp_path: Path) -> None:
    names = ("ines", "sus", "arc")
    flags: tuple[dict[str, bool], ...] = (
        {"suspended": False, "archived": False},
        {"suspended": True},
        {"archived": True},
    )
    users = [
        {"primaryEmail": f"{name}@example.com", "name": {"givenName": "Jo", "familyName": "Park"}, **flag}
        for name, flag in zip(names, flags, strict=True)
    ]
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"users": users}))
    preset = named_preset("google")
    options = ReadOptions(optional_where=preset.where, lists=preset.lists)
    source = await open_source(path, USERS, mapping=preset.mapping, options=options)
    assert [row.item.id async for row in source.rows() if isinstance(row, Row)] == ["ines"]
