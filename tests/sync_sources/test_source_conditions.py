"""Conditions that choose rows, and values that are derived from others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_helpers import ANN, BOB, HEADER, bad, items, json_lines, person, refused

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.formats import MEMBERS, USERS
from ethora_async.sync.sources.mapping import ColumnMapping, read_mapping
from ethora_async.sync.sources.opening import ReadOptions, open_source
from ethora_async.sync.sources.template import Template
from ethora_async.sync.sources.where import Condition

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        (["status=active"], "ac"),
        (["Status == ACTIVE "], "ac"),
        (["status!=active"], "bd"),
        (["status in active,gone"], "abc"),
        (["status not in (gone, )"], "ac"),
        (["status="], "d"),
        (["status!=gone", "team=x"], "a"),
        (["status in 'active','gone'"], "abc"),
        (['status IN ("active", "gone")'], "abc"),
        (["status  not  in ('gone', \"\")"], "ac"),
        (["status='active'"], "ac"),
        (['status != "gone"'], "acd"),
        (["status in 'no''one','a,b',gone"], "b"),
        (["status in 'a=b','gone'"], "b"),
    ],
)
async def test_conditions_choose_rows(tmp_path: Path, conditions: list[str], taken: str) -> None:
    path = tmp_path / "p.csv"
    lines = [("a", "Active", "x"), ("b", "gone", "x"), ("c", "active", "y"), ("d", "", "y")]
    path.write_text(HEADER[:-1] + ",status,team\n" + "".join(f"{i},{i}@example.com,A,B,{s},{t}\n" for i, s, t in lines))
    found = await items(path, options=ReadOptions(where=tuple(conditions)))
    assert "".join(user.id for user in found) == taken


@pytest.mark.parametrize("text", ["s in 'a", "s in 'a'b,c", "s='a", "s=\"it's", "s='t Hooft", "s in a,'b', \"c"])
def test_a_quote_that_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="a quote that is not closed"):
        Condition.of(text)


async def test_how_many_rows_satisfy_the_conditions_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + ANN + BOB + "broken,row\n")
    told: list[str] = []
    warned: list[str] = []
    for condition in ("id=ann", "id!=nobody", "id='Ann Lee'"):
        options = ReadOptions(where=(condition,))
        source = await open_source(path, USERS, options=options, on_warning=warned.append, on_selected=told.append)
        for _ in range(2):
            async for _row in source.rows():
                pass
    assert told == [f"{path}: 1 of 2 rows satisfy id=ann", f"{path}: 2 of 2 rows satisfy id!=nobody"]
    assert warned == [f"{path}: none of 2 rows satisfy id='Ann Lee'"]


@pytest.mark.parametrize("name", ["p.csv", "p.json", "p.jsonl"])
@pytest.mark.parametrize(
    "mapping",
    [
        {"id": "{email.foo}"},
        {"id": "{email.locale}", "first_name": "{id.lower}"},
        {"last_name": "x-{first_name.uper}"},
        {"email": "{mail.localpart}@example.com"},
    ],
)
async def test_a_misspelt_part_is_told_once_before_anything_is_read(
    tmp_path: Path, name: str, mapping: dict[str, str]
) -> None:
    path = tmp_path / name
    record = person("a", mail="a@example.com")
    if name == "p.csv":
        path.write_text(",".join(record) + "\n" + ",".join(record.values()) + "\n")
    else:
        path.write_text(json.dumps([record] if name == "p.json" else record))
    error = await refused(path, mapping=ColumnMapping(mapping))
    assert "its parts are local, domain, lower, upper" in error.message
    assert f"{path}: " in error.message


async def test_paths_into_the_texts_of_a_csv_file_are_missing_columns(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + ANN)
    assert "lacks the column email.address" in (await refused(path, mapping={"email": "email.address"})).message
    error = await refused(path, options=ReadOptions(where=("email.domain=example.com",)))
    assert "has no column email.domain" in error.message


async def test_a_misspelt_path_into_json_is_noted_once(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "p.jsonl", [person("a", profile={"mail": "a@example.com"})] * 2)
    source = await open_source(path, USERS, mapping={"email": "profile.email"})
    assert [note.partition(": ")[2] for note in source.notes] == [
        "its first row has no profile.email, to which email is mapped: is that its name?"
    ]
    people = json_lines(tmp_path / "q.jsonl", [person("a", profile={"mail": "b@example.com", "nick": "b"})])
    (user,) = await items(people, mapping={"id": "{profile.nick}", "last_name": "{profile.mail.local}"})
    assert (user.id, user.last_name) == ("b", "b")


async def test_conditions_read_json_by_path_and_its_types(tmp_path: Path) -> None:
    records = [person("a", on=True, p={"tags": ["x", "y"]}), person("b", on=False, p={"tags": []}), person("c")]
    path = json_lines(tmp_path / "p.jsonl", records)
    assert [user.id for user in await items(path, options=ReadOptions(where=("on=true",)))] == ["a"]
    assert [user.id for user in await items(path, options=ReadOptions(where=("p.tags=y",)))] == ["a"]
    assert [user.id for user in await items(path, options=ReadOptions(where=("on!=true",)))] == ["b", "c"]


async def test_a_condition_on_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEADER + ANN)
    error = await refused(path, options=ReadOptions(where=("statsu=active",)))
    assert "has no column statsu" in error.message
    for text in ("", "status", "=x", "status active", "!=x"):
        with pytest.raises(InvalidInputError, match="is not a condition"):
            Condition.of(text)


async def test_what_is_left_out_is_not_in_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    prints = []
    for other in ("gone", "lost"):
        path.write_text(HEADER[:-1] + ",s\n" + ANN[:-1] + ",on\n" + BOB[:-1] + f",{other}\n")
        prints.append(await (await open_source(path, USERS, options=ReadOptions(where=("s=on",)))).fingerprint())
    assert prints[0] == prints[1]


async def test_values_are_derived_from_others(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[users]\nid = "{email.local}"\nemail = "mail"\nlast_name = "{first_name}"\n'
        '[users.defaults]\nprofile_image = "https://example.com/{id}.png"\n'
        '[members]\nchat = "{team.lower}"\nuser = "{mail.local}"\n'
    )
    path = tmp_path / "p.csv"
    path.write_text("mail,first_name,team\nann.lee@example.com,Ann,RED\n")
    found = await read_mapping(mapping)
    (user,) = await items(path, mapping=found["users"])
    assert (user.id, user.last_name, user.profile_image) == ("ann.lee", "Ann", "https://example.com/ann.lee.png")
    assert await items(path, MEMBERS, mapping=found["members"]) == [("red", "ann.lee")]
    path.write_text("mail,first_name\n,Ann\n")
    assert (
        await bad(path, mapping=found["users"])
    ).error.message == "id is empty: pass your own id of the user or chat"


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ('last_name = "{nickname}"', "nickname, which last_name is made of"),
        ('last_name = "{last_name|first_name}"', r"last_name\|first_name, which last_name is made of"),
        ('id = "{mail.local}"', "mail, which id is made of"),
        ('profile_image = "https://example.com/{avatar}"', "avatar, which profile_image is made of"),
        ('[users.defaults]\nprofile_image = "{avatar}"', "avatar, which profile_image is made of"),
        ('display_name = "name"\nid = "{nmae.lower}"', "nmae, which id is made of"),
    ],
)
async def test_a_template_of_a_column_that_the_table_lacks_is_refused(
    columns: str, missing: str, tmp_path: Path
) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(f"[users]\n{columns}\n")
    path = tmp_path / "p.csv"
    path.write_text("name," + HEADER + "Ann Lee," + ANN)
    with pytest.raises(InvalidInputError, match=f"lacks the column {missing}"):
        await items(path, mapping=(await read_mapping(mapping))["users"])


async def test_a_template_may_use_what_another_field_or_a_full_name_gives(tmp_path: Path) -> None:
    mapping = ColumnMapping({"display_name": "name", "id": "{last_name.lower}", "email": "{id}@{Company}.example"})
    path = tmp_path / "p.csv"
    path.write_text("name,company\nAnn Lee,acme\n")
    (user,) = await items(path, mapping=mapping)
    assert (user.id, user.email, user.first_name) == ("lee", "lee@acme.example", "Ann")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": "{email.local", "email": "e"}, "not a template"),
        ({"id": "{}"}, "not a template"),
        ({"id": "{email.local}", "email": "{id}@example.com"}, "made of the other"),
        ({"id": "{id}"}, "made of the other"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(columns: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        ColumnMapping(columns).check(USERS)


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=20))
def test_any_text_is_a_template_or_none_or_refused(text: str) -> None:
    try:
        template = Template.of(text)
    except InvalidInputError:
        return
    assert template is None or template.filled(lambda _: "x")
