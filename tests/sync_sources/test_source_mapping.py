from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from source_helpers import bad, fingerprint, items, json_lines, refused

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.formats import CHATS, MEMBERS, USERS
from ethora_async.sync.sources.mapping import ColumnMapping, read_mapping
from ethora_async.sync.sources.opening import open_source

if TYPE_CHECKING:
    from pathlib import Path

EXPORT = "UID,Mail,Full Name,email\n7,ann@example.com,Ann van Lee,other\n"
MAPPING = {"id": "uid", "email": "mail", "display_name": "full name"}


def written(folder: Path, text: str, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


async def test_columns_are_found_under_other_names_and_a_display_name_is_split(tmp_path: Path) -> None:
    path = written(tmp_path, EXPORT)
    (user,) = await items(path, mapping=MAPPING)
    assert (user.id, user.email, user.first_name, user.last_name) == ("7", "ann@example.com", "Ann", "van Lee")
    assert (await open_source(path, USERS, mapping=MAPPING)).unused == ("email",)


async def test_a_complaint_names_the_column_as_it_is_called_there(tmp_path: Path) -> None:
    path = written(tmp_path, "UID,Mail,Full Name\n7,nonsense,Ann Lee\n")
    error = (await bad(path, mapping=MAPPING)).error
    assert (error.field, error.column, error.row) == ("email", "Mail", 2)
    path = written(tmp_path, "UID,Mail,Full Name\n7,a@b.c, \n")
    error = (await bad(path, mapping=MAPPING)).error
    assert (error.column, error.message) == ("Full Name", "display_name is empty")


async def test_a_default_fills_what_is_missing_or_empty(tmp_path: Path) -> None:
    mapping = ColumnMapping(defaults={"last_name": "Smith", "profile_image": "https://example.com/x.png"})
    people = [{"id": 1, "email": "a@b.c", "first_name": "Ann", "profile_image": ""}]
    (user,) = await items(json_lines(tmp_path / "p.jsonl", people), mapping=mapping)
    assert (user.last_name, user.profile_image) == ("Smith", "https://example.com/x.png")
    path = written(tmp_path, "user\nann\n")
    assert await items(path, MEMBERS, mapping=ColumnMapping(defaults={"chat": "all"})) == [("all", "ann")]


async def test_a_mapped_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    error = await refused(written(tmp_path, EXPORT), mapping={**MAPPING, "password": "pw"})
    assert "lacks the column pw, to which password is mapped: it has UID, Mail, Full Name, email" in error.message


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"mail": "email"}, ["mail is not a column of users", "id, email, first_name", "display_name"]),
        ({"display_name": "n", "first_name": "f"}, ["display_name and first_name"]),
        (ColumnMapping(defaults={"password": "canary-pass"}), ["password can have no default"]),
        (ColumnMapping(defaults={"id": "x"}), ["id can have no default"]),
    ],
)
async def test_a_mapping_that_cannot_be_meant_is_refused(
    tmp_path: Path, mapping: ColumnMapping | dict[str, str], words: list[str]
) -> None:
    error = await refused(written(tmp_path, EXPORT), mapping=mapping)
    for word in words:
        assert word in error.message
    assert "canary" not in error.message


async def test_chats_have_no_display_name(tmp_path: Path) -> None:
    error = await refused(written(tmp_path, "id,title\n"), CHATS, mapping={"display_name": "title"})
    assert "known columns are id, title, access, description" in error.message


async def test_flags_are_ours_equals_theirs() -> None:
    assert ColumnMapping.from_flags(["email=mail address", " id = uid "]).columns == {
        "email": "mail address",
        "id": "uid",
    }
    for flags in (["email"], ["=x"], ["email="], ["id=a", "id=b"]):
        with pytest.raises(InvalidInputError, match=flags[-1].split("=")[0] or "maps no column"):
            ColumnMapping.from_flags(flags)


async def test_a_mapping_file_speaks_of_all_three(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[users]\nid = "uid"\nemail = "mail"\ndisplay_name = "full name"\n'
        '[users.defaults]\nprofile_image = "u"\n[members]\nchat = "room"\n',
        "map.toml",
    )
    mappings = await read_mapping(path)
    assert mappings == {
        "users": ColumnMapping(MAPPING, {"profile_image": "u"}),
        "members": ColumnMapping({"chat": "room"}),
    }
    (user,) = await items(written(tmp_path, EXPORT), mapping=mappings["users"])
    assert (user.id, user.profile_image) == ("7", "u")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[user]\n", ["'user'", "users, chats, members"]),
        ('[users]\nmail = "x"\n', ["'mail'", "column of [users]", "id, email"]),
        ('[users.defaults]\nmail = "x"\n', ["'mail'", "column of [users.defaults]"]),
        ("[users]\nid = 5\n", ["id in [users] must be a non-empty string"]),
        ('users = "x"\n', ["write [users]"]),
        ('[users]\ndefaults = "x"\n', ["write [users.defaults]"]),
        ('[users.defaults]\npassword = "canary-pass"\n', ["password can have no default"]),
        ("[users\n", ["is not TOML", "line 1"]),
    ],
)
async def test_a_mapping_file_that_cannot_be_used_is_refused_with_its_name(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = written(tmp_path, text, "map.toml")
    with pytest.raises(InvalidInputError) as caught:
        await read_mapping(path)
    assert caught.value.file == str(path)
    for word in [str(path), *words]:
        assert word in caught.value.message
    assert "canary" not in caught.value.message


async def test_a_mapping_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        await read_mapping(tmp_path / "map.toml")


async def test_the_fingerprint_changes_with_the_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "id,email,mail,first_name,last_name\n7,a@b.c,d@e.f,Ann,Lee\n")
    assert await fingerprint(path) != await fingerprint(path, mapping={"email": "mail"})
