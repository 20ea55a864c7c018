"""Users that a sandbox starts with, and the command that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_helpers import APP, Api

from ethora_async.errors import InvalidInputError
from ethora_async.sandbox import EthoraSandbox, SeedRefusedError

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "id,email,first_name,last_name,password,profile_image\n"
ROW = {"id": "u1", "email": "Ada@Example.com", "first_name": "Ada", "last_name": "Byron"}


def write(path: Path, *lines: str) -> Path:
    file = path / "users.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return file


async def test_a_file_makes_users_who_can_log_in(api: Api, sandbox: EthoraSandbox, tmp_path: Path) -> None:
    file = write(tmp_path, "u1,ada@example.com,Ada,Byron,open sesame,https://x.y/a.png", "2,bob@example.com,Bob,Dobb,,")
    assert await sandbox.seed(file) == 2
    users = sandbox.store.app(APP).users
    assert [(user.uuid, user.email, user.profile_image) for user in users if not user.platform_owned] == [
        ("u1", "ada@example.com", "https://x.y/a.png"),
        ("2", "bob@example.com", None),
    ]
    login = {"email": "ada@example.com", "password": "open sesame", "appId": APP}
    assert (await api("POST", "/v2/users/login-with-email", login, token=None)).status == 200


async def test_bad_rows_are_named_by_line_and_nothing_is_made(sandbox: EthoraSandbox, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "u1,ada@example.com,Ada,Byron,,",
        "u2,no address,Bob,Dobb,,",
        "u1,eve@example.com,Eve,Evans,,",
        "u3,ada@example.com,Ada,Again,,",
        "u4,d@example.com,D,Dee,,",
        "u5,e@example.com",
        "u6,f@example.com,Eff,Eff,abc,",
    )
    with pytest.raises(SeedRefusedError) as caught:
        await sandbox.seed(file)
    assert [problem.row for problem in caught.value.problems] == [3, 4, 5, 6, 7, 8]
    for part in ("line 3:", "already used on line 2", '"firstName" length must be at least 2', "line 8:"):
        assert part in str(caught.value)
    assert len(sandbox.store.app(APP).users) == 1


async def test_a_file_that_cannot_be_read_says_why(sandbox: EthoraSandbox, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        await sandbox.seed(tmp_path / "missing.csv")
    (tmp_path / "half.csv").write_text("id,email\n")
    with pytest.raises(InvalidInputError, match="lacks the column first_name"):
        await sandbox.seed(tmp_path / "half.csv")


async def test_rows_make_users_of_any_app(sandbox: EthoraSandbox) -> None:
    child = sandbox.add_app("child", parent=APP)
    assert await sandbox.seed_users([ROW], app_id=child.id) == 1
    assert child.users.find("u1") is not None
    assert sandbox.store.app(APP).users.find("u1") is None
    assert await sandbox.seed_users([]) == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"email": None}, "email is missing"),
        ({"email": "nowhere"}, "email"),
        ({"id": "a b"}, "holds a space"),
        ({"email": "u0@example.com"}, "already used by a user of the app"),
        ({"id": "u0"}, "already used by a user of the app"),
    ],
)
async def test_a_bad_row_is_named_by_its_place(row: dict[str, Any], reason: str, sandbox: EthoraSandbox) -> None:
    await sandbox.seed_users([{**ROW, "id": "u0", "email": "u0@example.com"}])
    with pytest.raises(SeedRefusedError, match="line 2: ") as caught:
        await sandbox.seed_users([{**ROW, "id": "ok", "email": "ok@example.com"}, {**ROW, **row}])
    assert reason in str(caught.value)
    assert len(sandbox.store.app(APP).users) == 2


async def test_a_refusal_names_twenty_lines_and_counts_the_rest(sandbox: EthoraSandbox) -> None:
    with pytest.raises(SeedRefusedError, match="and 5 more") as caught:
        await sandbox.seed_users([{**ROW, "email": ""}] * 25)
    assert len(caught.value.problems) == 25


async def test_passwords_are_shown_nowhere(sandbox: EthoraSandbox) -> None:
    with pytest.raises(SeedRefusedError) as caught:
        await sandbox.seed_users([{**ROW, "password": "canary-password", "email": "bad"}])
    assert "canary" not in f"{caught.value!r}{caught.value}{caught.value.problems}"


async def prepared(sandbox: EthoraSandbox, seed: Path | None, *faults: str) -> bool:
    from ethora_async.cli.sandbox import _prepare

    return await _prepare(sandbox, seed, list(faults))


async def test_the_command_seeds_and_sets_every_fault(
    sandbox: EthoraSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "u1,ada@example.com,Ada,Byron,,")
    assert await prepared(sandbox, file, "POST /v2/chats: status=503 times=2; job_polls=3", "*: latency=0.01")
    assert (sandbox.faults.job_polls, len(sandbox.faults.active)) == (3, 2)
    assert "seeded 1 users" in capsys.readouterr().err


async def test_the_command_names_each_bad_line_and_a_bad_fault(
    sandbox: EthoraSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "u1,bad,Ada,Byron,,", "u2,worse,Ada,Byron,,")
    assert not await prepared(sandbox, file)
    lines = capsys.readouterr().err
    assert "line 2: " in lines
    assert "line 3: " in lines
    assert not await prepared(sandbox, None, "POST /v2/chats: colour=red")
    assert "colour=red" in capsys.readouterr().err
    assert not await prepared(sandbox, tmp_path / "missing.csv")
    assert "cannot be read" in capsys.readouterr().err
