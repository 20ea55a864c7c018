from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import dotenv.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethora_async_secrets import (
    FileProvider,
    SecretDeniedError,
    SecretError,
    SecretMalformedError,
    SecretUnavailableError,
    _snapshot,
)
from ethora_async_secrets._formats import parse_dotenv
from ethora_async_secrets.text import without_newline

CANARY = "canary-77aa10"
OLD = {"ETHORA_A": "old-a", "ETHORA_B": "old-b"}
NEW = {"ETHORA_A": f"{CANARY}-a", "ETHORA_B": f"{CANARY}-b"}


def as_json(values: dict[str, str]) -> bytes:
    return json.dumps(values).encode()


def as_dotenv(values: dict[str, str]) -> bytes:
    return "".join(f"{name}='{value}'\n" for name, value in values.items()).encode()


def age(path: Path, seconds: float = 3600.0) -> None:
    """Make a change look long past."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def values_of(path: Path) -> dict[str, str]:
    bundle = await FileProvider(path).fetch()
    return {name: bundle.reveal(name) for name in bundle.names()}


async def refused(path: Path, error: type[SecretError]) -> str:
    provider = FileProvider(path)
    with pytest.raises(error) as caught:
        await provider.fetch()
    assert caught.value.source == f"file:{path}"
    assert str(path) in str(caught.value)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY not in shown
    return str(caught.value)


async def test_a_number_too_long_to_read_is_malformed_and_shows_nothing_of_the_file(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text(f'{{"ETHORA_A": "{CANARY}", "n": {"1" * 5000}}}')
    assert "number too long" in await refused(path, SecretMalformedError)


async def test_names_that_no_text_can_hold_are_malformed(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text(f'{{"ETHORA_A": "{CANARY}", "\\ud800": "x"}}')
    assert "a key is not text" in await refused(path, SecretMalformedError)
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "ETHORA_A").write_text(CANARY)
    put(folder / os.fsdecode(b"\xff"), b"x")
    assert r"file '\udcff' is not UTF-8" in await refused(folder, SecretMalformedError)


def test_a_megabyte_of_white_space_is_read_at_once(tmp_path: Path):
    """Quadratic, as it once was, this takes an hour and holds every thread up: hence a process of its own."""
    (tmp_path / "x.env").write_text(f"ETHORA_A=a{' ' * 1_000_000}b\nETHORA_B=b   # comment\n")
    code = (
        "import sys; from ethora_async_secrets._formats import parse_dotenv;"
        "print(sorted(map(len, parse_dotenv(open(sys.argv[1]).read()).values.values())))"
    )
    read = subprocess.run([sys.executable, "-c", code, tmp_path / "x.env"], capture_output=True, text=True, timeout=60)
    assert read.stdout == "[1, 1000002]\n", read.stderr


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("  spaced  ", "spaced"),
        ("plain # comment", "plain"),
        ("a#b", "a#b"),
        ("a=b==", "a=b=="),
        ("$HOME", "$HOME"),
        ("'single # $x \\n'", "single # $x \\n"),
        ("' kept '", " kept "),
        ('"two\\nlines \\"q\\" \\\\ \\$ \\d"', 'two\nlines "q" \\ $ \\d'),
        ('"quoted" # comment', "quoted"),
        ("# comment", None),
        ("'it\\'s \\\\'", "it's \\"),
        ("'C:\\keys\\'", "C:\\keys\\"),
        (
            "\"-----BEGIN KEY-----\nAb/+c==\n'x' # y\n-----END KEY-----\n\"",
            "-----BEGIN KEY-----\nAb/+c==\n'x' # y\n-----END KEY-----",
        ),
        ("'one\r\ntwo'  # comment", "one\ntwo"),
    ],
)
async def test_dotenv_values(tmp_path: Path, written: str, value: str | None):
    path = tmp_path / "x.env"
    path.write_text(f"# head\n\n  export ETHORA_A = {written}\r\nB=1\nBLANK=\n")
    assert await values_of(path) == {"B": "1"} | ({} if value is None else {"ETHORA_A": value})


@pytest.mark.parametrize(
    ("foreign", "unusable"),
    [
        ("PEM='-----BEGIN\nQUJD==\n-----END'", set()),
        ("MOTD=\"say 'hi'\nNOT_A_NAME=inside\"", set()),
        ("PS1='it's'", {"PS1"}),
        ('PS1="$ ', {"PS1"}),
        ("HOST=a\nHOST=b", {"HOST"}),
        ("1A=x\nx/y.z=1\n'quoted name'=1\n=nothing", set()),
        ("export HOME\nexport PATH=/bin", set()),
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_a_foreign_neighbour_in_a_dotenv_file_does_not_hide_the_others(
    tmp_path: Path, foreign: str, unusable: set[str], *, first: bool
):
    path = tmp_path / "x.env"
    path.write_text(f"{foreign}\nETHORA_A=a\n" if first else f"ETHORA_A=a\n{foreign}\n")
    bundle = await FileProvider(path).fetch()
    assert bundle.reveal("ETHORA_A") == "a"
    assert set(bundle.unusable) == unusable
    for name in unusable:
        with pytest.raises(SecretMalformedError, match="line"):
            bundle.reveal(name)


_WRITTEN = st.one_of(
    st.text("ab #'\"\\\n\t=$", max_size=8),
    st.text('ab #"\\\n=', max_size=8).map(lambda text: "'" + text.replace("\\", "\\\\") + "'"),
    st.text("ab #'\n=", max_size=8).map('"{}"'.format),
)


@given(st.lists(st.tuples(st.sampled_from(["", "export ", "  "]), st.sampled_from("ABC"), _WRITTEN), max_size=4))
def test_what_python_dotenv_reads_is_read_alike(assignments: list[tuple[str, str, str]]):
    text = "".join(f"{before}{name}={written}\n" for before, name, written in assignments)
    theirs = list(dotenv.parser.parse_stream(io.StringIO(text)))
    names = [one.key for one in theirs if one.key is not None]
    if any(one.error or (one.key is not None and one.value is None) for one in theirs) or len(names) > len(set(names)):
        return
    expected = {one.key: without_newline(one.value) for one in theirs if one.key and one.value and one.value.strip()}
    assert parse_dotenv(text).values == {name: value for name, value in expected.items() if name in "ABC"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'A="{CANARY}\nB="x\nno assignment\n', "the double quote of B on line 2"),
        (f"A=1\n{CANARY}\n", "line 2 is not of the form KEY=value"),
        (f"1A={CANARY}\n", "line 1 is not"),
        (f'A="{CANARY}\n', "double quote of A on line 1"),
        (f"A='{CANARY}\n", "single quote of A on line 1"),
        (f"A='{CANARY}'x\n", "single quote of A on line 1"),
        (f"A={CANARY}\nA=2\n", "line 2 gives A a second time"),
        (f"A=1\nB={CANARY}", "line 2 does not end with a newline"),
        (" \n", "is empty"),
    ],
)
async def test_malformed_dotenv_names_line_and_key_but_no_value(tmp_path: Path, text: str, said: str):
    path = tmp_path / ".env"
    path.write_text(text)
    assert said in await refused(path, SecretMalformedError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"A": "{CANARY}"', "line 1 column"),
        (f'["{CANARY}"]', "JSON list"),
        (f'{{"A": {{"B": "{CANARY}"}}}}', "key 'A' is not a string"),
        (f'{{"A": "{CANARY}\\ud800"}}', "key 'A' is not a string of text"),
        (f'{{"A": "{CANARY}", "A": "2"}}', "key 'A' is given twice"),
        (f'{{"": "{CANARY}"}}', "a key is empty"),
        ("[" * 100_000, "nested too deeply"),
        ("", "is empty"),
    ],
)
async def test_malformed_json_names_place_and_key_but_no_value(tmp_path: Path, text: str, said: str):
    path = tmp_path / "x.json"
    path.write_text(text)
    assert said in await refused(path, SecretMalformedError)


@pytest.mark.parametrize("name", ["x.json", "x.env", "directory/A"])
async def test_bytes_that_are_not_utf8_are_malformed(tmp_path: Path, name: str):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"A=" + CANARY.encode() + b"\xff\n")
    assert "not UTF-8 (byte" in await refused(path.parent if "/" in name else path, SecretMalformedError)


async def test_a_byte_order_mark_and_blank_json_values_are_skipped(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"A": "1", "B": " "}')
    assert await values_of(path) == {"A": "1"}


async def test_what_is_no_known_kind_of_file_is_malformed(tmp_path: Path):
    path = tmp_path / "secret.txt"
    path.write_text(CANARY)
    assert "neither in .json nor in .env" in await refused(path, SecretMalformedError)
    os.mkfifo(tmp_path / "pipe.json")
    assert "regular file" in await refused(tmp_path / "pipe.json", SecretMalformedError)
    path = tmp_path / "big.json"
    path.write_bytes(b" " * (_snapshot.SIZE_LIMIT + 1))
    assert "larger than" in await refused(path, SecretMalformedError)


@pytest.mark.parametrize("content", [b"{}", b"# nothing yet\n"])
async def test_a_source_that_holds_nothing_is_unavailable(tmp_path: Path, content: bytes):
    path = tmp_path / ("x.json" if content == b"{}" else "x.env")
    path.write_bytes(content)
    await refused(path, SecretUnavailableError)
    (tmp_path / "empty").mkdir()
    await refused(tmp_path / "empty", SecretUnavailableError)


async def test_missing_paths_are_unavailable(tmp_path: Path):
    assert "does not exist" in await refused(tmp_path / "absent.json", SecretUnavailableError)
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in await refused(tmp_path / "file" / "x.json", SecretUnavailableError)


async def test_no_permission_is_denied_and_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("A", "B"):
        (tmp_path / name).write_text(CANARY)

    def guarded(path, *args, **kwargs):
        if str(path).endswith("B"):
            raise PermissionError(13, "Permission denied", str(path))
        return open(path, *args, **kwargs)

    # root, as in many containers, may read anything: chmod would not do
    monkeypatch.setattr(_snapshot, "open", guarded, raising=False)
    assert f"no permission to read {tmp_path / 'B'}" in await refused(tmp_path, SecretDeniedError)


async def test_a_directory_holds_a_file_per_name(tmp_path: Path):
    (tmp_path / "A").write_bytes(b"one\r\n")
    (tmp_path / "B").write_bytes(b" two\nlines \n\n")
    (tmp_path / "A_PREVIOUS").write_bytes(b"zero")
    (tmp_path / ".hidden").write_bytes(b"\xff")
    (tmp_path / "sub").mkdir()
    bundle = await FileProvider(tmp_path).fetch()
    assert bundle.names() == {"A", "B"}
    assert (bundle.reveal("A"), bundle.reveal("B")) == ("one", " two\nlines ")
    assert bundle.previous is not None
    assert bundle.previous.reveal("A") == "zero"


async def test_an_empty_file_in_a_directory_is_malformed(tmp_path: Path):
    (tmp_path / "A").touch()
    assert "file A is empty" in await refused(tmp_path, SecretMalformedError)


def k8s_write(root: Path, generation: str, values: dict[str, str]) -> None:
    """Update a mounted Kubernetes secret the way the kubelet does."""
    real = root / f"..{generation}"
    real.mkdir()
    for name, value in values.items():
        (real / name).write_text(value)
    (root / "..data_tmp").symlink_to(real.name)
    (root / "..data_tmp").rename(root / "..data")
    for name in values:
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"..data/{name}")


async def test_a_kubernetes_symlink_swap_is_one_step(tmp_path: Path):
    k8s_write(tmp_path, "2024_1", OLD)
    provider = FileProvider(tmp_path)
    old = await provider.fetch()
    assert old.names() == OLD.keys()
    k8s_write(tmp_path, "2024_2", NEW)
    new = await provider.fetch()
    assert {name: new.reveal(name) for name in new.names()} == NEW
    assert new.version != old.version


async def test_a_swap_in_the_middle_of_a_read_never_mixes_old_and_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    k8s_write(tmp_path, "2024_1", OLD)
    swapped: list[str] = []

    def swapping(path, *args, **kwargs):
        if str(path).endswith("ETHORA_B") and not swapped:
            swapped.append(path)
            k8s_write(tmp_path, "2024_2", NEW)
        return open(path, *args, **kwargs)

    monkeypatch.setattr(_snapshot, "open", swapping, raising=False)
    assert await values_of(tmp_path) == NEW
    assert swapped


async def test_a_key_removed_from_a_kubernetes_secret_leaves_a_dangling_link(tmp_path: Path):
    k8s_write(tmp_path, "2024_1", OLD)
    k8s_write(tmp_path, "2024_2", {"ETHORA_A": "a"})
    assert (tmp_path / "ETHORA_B").is_symlink()
    assert await values_of(tmp_path) == {"ETHORA_A": "a"}


async def test_a_file_that_never_stops_changing_is_malformed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.json"
    path.write_bytes(as_json(OLD))
    reads: list[int] = []

    def growing(*args, **kwargs):
        reads.append(1)
        path.write_bytes(as_json(OLD) + b" " * len(reads))
        return open(*args, **kwargs)

    monkeypatch.setattr(_snapshot, "open", growing, raising=False)
    assert "kept changing" in await refused(path, SecretMalformedError)
    assert len(reads) == _snapshot.READ_TRIES


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
async def test_every_change_is_seen_whatever_the_time_stamp_says(tmp_path: Path, seconds: float):
    path = tmp_path / "x.json"
    path.write_bytes(as_json({"A": "1"}))
    age(path, seconds)
    provider = FileProvider(path)
    stamp = path.stat().st_mtime_ns
    assert (await provider.fetch()).reveal("A") == "1"
    path.write_bytes(as_json({"A": "2"}))
    os.utime(path, ns=(stamp, stamp))
    assert (await provider.fetch()).reveal("A") == "2"


async def test_a_settled_file_is_not_read_again_until_invalidated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.json"
    path.write_bytes(as_json(OLD))
    age(path)
    opened: list[object] = []

    def counting(*args, **kwargs):
        opened.append(args)
        return open(*args, **kwargs)

    monkeypatch.setattr(_snapshot, "open", counting, raising=False)
    provider = FileProvider(path)
    bundle = await provider.fetch()
    assert await provider.fetch() is bundle
    provider.invalidate("another")
    assert await provider.fetch() is bundle
    assert len(opened) == 1
    provider.invalidate(bundle.version)
    assert (await provider.fetch()).version == bundle.version
    await provider.refresh()
    assert len(opened) == 3


@pytest.mark.parametrize(("name", "write"), [("x.json", as_json), ("x.env", as_dotenv)])
@given(cut=st.integers(min_value=0, max_value=80), settled=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_file_cut_at_any_byte_is_never_accepted(name: str, write, cut: int, settled: bool):
    async def scenario(path: Path) -> None:
        put(path, write(OLD))
        provider = FileProvider(path)
        old = await provider.fetch()
        whole = write(NEW)
        put(path, whole[:cut])
        # A cut between two lines of a .env file looks like a deliberate removal once nobody writes any more.
        if settled and not (name == "x.env" and whole[:cut].endswith(b"\n")):
            age(path)
        held = await provider.fetch()
        if cut >= len(whole):
            assert held.version != old.version
            assert held.reveal("ETHORA_B") == NEW["ETHORA_B"]
        else:
            assert held is old
            with pytest.raises(SecretMalformedError) as caught:
                await provider.refresh()
            assert CANARY not in str(caught.value)
        put(path, whole)
        assert (await provider.fetch()).reveal("ETHORA_A") == NEW["ETHORA_A"]

    with tempfile.TemporaryDirectory() as place:
        asyncio.run(scenario(Path(place) / name))


async def test_a_name_removed_for_good_is_accepted_once_the_file_has_settled(tmp_path: Path):
    path = tmp_path / "x.env"
    path.write_bytes(as_dotenv(OLD))
    provider = FileProvider(path)
    await provider.fetch()
    path.write_bytes(as_dotenv({"ETHORA_A": "a"}))
    assert "ETHORA_B" in await provider.fetch()
    with pytest.raises(SecretMalformedError, match="ETHORA_B was there moments ago"):
        await provider.refresh()
    age(path)
    assert "ETHORA_B" not in await provider.fetch()


async def test_emptied_content_is_never_accepted_however_old(tmp_path: Path):
    path = tmp_path / "x.env"
    path.write_bytes(as_dotenv(OLD))
    provider = FileProvider(path)
    old = await provider.fetch()
    path.write_text("# all gone\n")
    age(path)
    assert await provider.fetch() is old
    with pytest.raises(SecretMalformedError):
        await provider.refresh()


async def test_serving_the_last_good_bundle_is_logged_once_per_change(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "x.json"
    path.write_bytes(as_json(OLD))
    provider = FileProvider(path)
    old = await provider.fetch()
    path.write_text(f'{{"A": "{CANARY}')
    for _ in range(3):
        await provider.fetch()
    assert len(caplog.records) == 1
    assert f"Still serving version {old.version}" in caplog.text
    assert CANARY not in caplog.text
    path.write_text(f'{{"A": "{CANARY}"')
    await provider.fetch()
    assert len(caplog.records) == 2


async def test_a_relative_path_is_fixed_when_the_provider_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "x.json").write_bytes(as_json(OLD))
    monkeypatch.chdir(tmp_path)
    provider = FileProvider("x.json")
    monkeypatch.chdir("/")
    assert provider.source == f"file:{tmp_path}/x.json"
    assert (await provider.fetch()).names() == OLD.keys()


async def test_a_neighbour_that_holds_no_text_is_left_out_until_it_is_asked_for(tmp_path: Path):
    (tmp_path / "A").write_text(CANARY)
    (tmp_path / "binary").write_bytes(b"\x80\xff")
    (tmp_path / "empty").touch()
    bundle = await FileProvider(tmp_path).fetch()
    assert bundle.names() == {"A"}
    assert bundle.reveal("A") == CANARY
    for name in ("binary", "empty"):
        for ask in (bundle.reveal, bundle.get):
            with pytest.raises(SecretMalformedError, match=name):
                ask(name)
    assert bundle.get("absent") is None


@pytest.mark.parametrize("value", ["5", "null", "true", "1.5", '{"B": "x"}', "[1]", '"\\ud800"'])
async def test_a_json_value_that_is_no_text_is_left_out_until_it_is_asked_for(tmp_path: Path, value: str):
    path = tmp_path / "x.json"
    path.write_text(f'{{"A": "{CANARY}", "PORT": {value}, "A_PREVIOUS": {value}}}')
    bundle = await FileProvider(path).fetch()
    assert bundle.names() == {"A"}
    assert bundle.previous is None
    with pytest.raises(SecretMalformedError, match=r"PORT in file:.*not a string"):
        bundle.reveal("PORT")


async def test_a_value_that_was_good_and_is_spoilt_is_not_taken_for_removed(tmp_path: Path):
    for name in ("A", "B"):
        (tmp_path / name).write_text("good")
    provider = FileProvider(tmp_path)
    good = await provider.fetch()
    (tmp_path / "B").write_bytes(b"")
    for name in ("A", "B"):
        age(tmp_path / name)
    assert await provider.fetch() is good
