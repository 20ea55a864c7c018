"""File uploads: the form, the checks before sending, and what may be retried."""

from __future__ import annotations

import io
import os
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest
from scripted_ethora import APP, RECORD, SentRequest, ok, reply
from session_parts import Platform, Rotating, session

from ethora_async import (
    Attachment,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    ReplyLostError,
    UnauthorizedError,
    ValidationFailedError,
)
from ethora_async.attachments import CHUNK
from ethora_async.multipart import Multipart
from ethora_async.platforms.ethora.sessions import files as media

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ethora_async.testing.users import FakeClock

SEND = f"POST /v1/chats/media/{APP}_c1"
FILE = {"_id": RECORD, "originalname": "a.txt", "mimetype": "text/plain", "isPrivate": False, "ownerKey": "k", "new": 1}
TAKEN = {"success": True, "results": [FILE]}
Part = tuple[str, str | None, str, bytes]


def parts_of(sent: SentRequest) -> list[Part]:
    """Field, file name, content type and content of every part, as the standard library reads them."""
    whole = message_from_bytes(b"Content-Type: " + sent.headers["Content-Type"].encode() + b"\r\n\r\n" + sent.body)
    assert whole.is_multipart()
    assert not whole.defects
    found = []
    for part in whole.get_payload():
        assert not isinstance(part, str)
        field = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        assert isinstance(field, str)
        assert isinstance(content, bytes)
        found.append((field, part.get_filename(), part.get_content_type(), content))
    return found


async def once(*pieces: Any) -> AsyncIterator[Any]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


class Again:
    """An async iterable that starts again each time."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return once(*self.pieces)


class Uploaded:
    """A web framework's file object: `read` is a coroutine."""

    filename = "from-web.gif"

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)

    async def read(self, size: int = -1, /) -> bytes:
        return self._left.read(size)


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_bytes(b"hello")
    return path


async def sent_parts(files: Any, clock: FakeClock) -> list[Part]:
    platform = Platform(clock, {SEND: ok(TAKEN)})
    await platform.client.as_user(session()).chats.send_media("c1", files)
    return parts_of(platform.only)


async def test_every_kind_of_source_arrives_as_it_is(note: Path, clock: FakeClock) -> None:
    with note.open("rb") as file, io.FileIO(note) as raw:
        file.seek(1)
        found = [
            (await sent_parts(one, clock))[0]
            for one in (
                note,
                str(note),
                file,
                raw,
                Uploaded(b"GIF8"),
                Attachment(source=b"bytes", name="x.pdf"),
                Attachment(source=once(b"one", b"", b"two"), name="y", content_type="text/x-y; charset=utf-8"),
                Attachment(source=Again(b"again"), name="z.unknown-kind"),
                Attachment(source=note, name='q"uo\r\nte é.txt'),
                Attachment(source=b"", name="empty.txt", size=0),
            )
        ]
        assert not file.closed
    assert found == [
        ("files", "note.txt", "text/plain", b"hello"),
        ("files", "note.txt", "text/plain", b"hello"),
        ("files", "note.txt", "text/plain", b"ello"),
        ("files", "note.txt", "text/plain", b"hello"),
        ("files", "from-web.gif", "image/gif", b"GIF8"),
        ("files", "x.pdf", "application/pdf", b"bytes"),
        ("files", "y", "text/x-y", b"onetwo"),
        ("files", "z.unknown-kind", "application/octet-stream", b"again"),
        ("files", found[8][1], "text/plain", b"hello"),
        ("files", "empty.txt", "text/plain", b""),
    ]
    assert found[8][1] is not None
    assert found[8][1].startswith("q%22uo%0D%0Ate ")


async def test_a_pipe_is_sent_without_its_length_and_once(clock: FakeClock) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    platform = Platform(clock, {SEND: NotSentError("refused")})
    with os.fdopen(reading, "rb") as pipe, pytest.raises(NotSentError):
        await platform.client.as_user(session()).chats.send_media("c1", Attachment(source=pipe, name="log.txt"))
    assert parts_of(platform.only) == [("files", "log.txt", "text/plain", b"from a pipe")]


async def test_several_files_share_a_form(note: Path, clock: FakeClock) -> None:
    files = (note, Attachment(source=b"2", name="b.png"), Attachment(source=once(b"3"), name="c"))
    assert [part[1] for part in await sent_parts(files, clock)] == ["note.txt", "b.png", "c"]
    assert len(await sent_parts(iter([note] * 5), clock)) == 5


async def test_the_reply_is_read_into_records(note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: ok(TAKEN)})
    (record,) = await platform.client.as_user(session()).chats.send_media("c1", note)
    assert (record.id, record.name, record.mime_type, record.is_private) == (RECORD, "a.txt", "text/plain", False)
    assert dict(record.extra) == {"ownerKey": "k", "new": 1}
    assert platform.only.token == "JWT access-1"


async def test_a_form_knows_its_length_exactly_unless_a_part_does_not(note: Path) -> None:
    for files, known in (
        ([note, io.BytesIO(b"12")], True),
        ([Attachment(source=once(b"12"), name="a", size=2)], True),
        ([Attachment(source=once(b"12"), name="a")], False),
    ):
        named = [Attachment(source=one, name="n") if isinstance(one, io.BytesIO) else one for one in files]
        form = await Multipart.of([("files", file) for file in named], fields={"chatName": "é"})
        whole = b"".join([piece async for piece in form.chunks()])
        assert form.length == (len(whole) if known else None)


async def test_a_large_file_comes_in_small_pieces(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    content = os.urandom(CHUNK * 3 + 17)
    path.write_bytes(content)
    for source in (path, io.BytesIO(content), content):
        form = await Multipart.of([("files", Attachment(source=source, name="large.bin"))])
        pieces = [piece async for piece in form.chunks()]
        assert max(map(len, pieces)) <= CHUNK
        assert content in b"".join(pieces)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: [], "empty"),
        (lambda path: [b"x"] * 6, "too many"),
        (lambda path: b"x", "no name"),
        (lambda path: once(b"x"), "no name"),
        (lambda path: path / "missing.txt", "could not be read"),
        (lambda path: path, "not a regular file"),
        (lambda path: str(path / "a\x00b"), "NUL"),
        (lambda path: Attachment(source=b"x", name=" "), "name is empty"),
        (lambda path: Attachment(source=b"xyz", name="a", size=2), "3 bytes, not the 2"),
        (lambda path: Attachment(source=5, name="a"), "is a int"),  # type: ignore[arg-type]
        (lambda path: 5, "no name"),
        (lambda path: Attachment(source=once(), name="a", size=51 * 2**20), "larger than 50 MB"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_sending(
    make: Any, what: str, tmp_path: Path, clock: FakeClock
) -> None:
    platform = Platform(clock, {})
    with pytest.raises(InvalidInputError, match=what) as caught:
        await platform.client.as_user(session()).chats.send_media("c1", make(tmp_path))
    assert caught.value.field in ("files", "name")
    assert not platform.sent


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"content_type": "text/plain\r\nX-Evil: 1"}, "content_type"),
        ({"content_type": "image"}, "content_type"),
        ({"size": -1}, "size"),
    ],
)
def test_an_attachment_that_cannot_be_right_is_refused(settings: Any, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Attachment(source=b"", name="a", **settings)
    assert caught.value.field == field


async def test_a_file_over_the_limit_is_refused_before_its_content_is_read(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.truncate(media.LARGEST_FILE + 1)
    platform = Platform(clock, {})
    with pytest.raises(InvalidInputError, match=r"'huge\.bin' is larger than 50 MB"):
        await platform.client.as_user(session()).chats.send_media("c1", path)
    assert not platform.sent


async def test_a_stream_over_the_limit_is_broken_off(clock: FakeClock) -> None:
    platform = Platform(clock, {})
    endless = Attachment(source=once(*[b"x" * 2**20] * 60), name="endless")
    with pytest.raises(InvalidInputError, match="larger than 50 MB"):
        await platform.client.as_user(session()).chats.send_media("c1", endless)
    assert not platform.sent


@pytest.mark.parametrize(
    ("source", "size", "what"),
    [
        (once(b"x", KeyError("k")), None, "could not be read .KeyError."),
        (once(b"x", OSError("disk")), None, "could not be read .OSError."),
        (once("text"), None, "gives str, not bytes"),
        (once(b"12"), 3, "ended after 2 of 3"),
        (once(b"12", b"34"), 3, "longer than the 3 bytes"),
        (io.StringIO("text"), None, "gives str, not bytes"),
    ],
)
async def test_a_source_that_breaks_is_the_callers_error(source: Any, size: Any, what: str, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: ok(TAKEN)})
    file = Attachment(source=source, name="broken", size=size)
    with pytest.raises(InvalidInputError, match=what) as caught:
        await platform.client.as_user(session()).chats.send_media("c1", file)
    error = caught.value
    assert (error.field, error.operation, error.effect) == ("files", "me.chats.send_media", "none")
    assert "'broken'" in str(error)
    assert not platform.sent


async def test_a_file_that_changes_meanwhile_is_noticed(note: Path) -> None:
    form = await Multipart.of([("files", note)])
    note.write_bytes(b"hello and more")  # noqa: ASYNC240
    with pytest.raises(InvalidInputError, match="changed while"):
        [piece async for piece in form.chunks()]


async def test_an_upload_that_did_not_arrive_is_sent_again_from_its_start(note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: [NotSentError("refused"), ok(TAKEN)]})
    with note.open("rb") as file:
        files = [note, file, Attachment(source=b"b", name="b"), Attachment(source=Again(b"c"), name="c")]
        await platform.client.as_user(session()).chats.send_media("c1", files)
    first, second = (parts_of(sent) for sent in platform.sent)
    assert first == second
    assert [part[3] for part in second] == [b"hello", b"hello", b"b", b"c"]


@pytest.mark.parametrize("answer", [ReplyLostError("cut"), reply(500), reply(503), reply(408)])
async def test_an_upload_that_may_have_arrived_is_not_sent_again(answer: Any, note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: answer})
    with pytest.raises(Exception, match=r".") as caught:
        await platform.client.as_user(session()).chats.send_media("c1", note)
    assert len(platform.sent) == 1
    assert getattr(caught.value, "attempts", None) == 1


async def test_a_stream_that_was_begun_is_not_sent_again(clock: FakeClock) -> None:
    for answer, kind in (
        (NotSentError("refused"), NotSentError),
        (reply(429, None, **{"Retry-After": "1"}), Exception),
    ):
        platform = Platform(clock, {SEND: answer})
        with pytest.raises(kind):
            await platform.client.as_user(session()).chats.send_media("c1", Attachment(source=once(b"1"), name="a"))
        assert len(platform.sent) == 1
    assert clock.slept == []


@pytest.mark.parametrize("restartable", [True, False])
async def test_a_session_that_ran_out_costs_a_stream_and_not_a_file(
    restartable: bool, note: Path, clock: FakeClock
) -> None:
    logins = Rotating()
    platform = Platform(clock, {SEND: logins.guarded(TAKEN), "POST /v2/users/login/refresh": logins.refresh})
    user = platform.client.as_user(session("JWT old"))
    if restartable:
        assert len(await user.chats.send_media("c1", note)) == 1
        assert [parts_of(sent)[0][3] for sent in platform.sent[::2]] == [b"hello"] * 2
    else:
        with pytest.raises(UnauthorizedError, match="jwt expired"):
            await user.chats.send_media("c1", Attachment(source=once(b"1"), name="a"))
        assert len(platform.sent) == 1


async def test_a_form_refuses_to_read_a_spent_stream_again() -> None:
    form = await Multipart.of([("files", Attachment(source=once(b"1"), name="a"))])
    assert form.can_restart()
    assert [piece async for piece in form.chunks()]
    assert not form.can_restart()
    with pytest.raises(InvalidInputError, match="only once"):
        [piece async for piece in form.chunks()]


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (413, {"error": "File too large"}, ValidationFailedError),
        (413, b"<html><title>413 Request Entity Too Large</title></html>", ValidationFailedError),
        (404, {"error": "no", "code": "CHAT_NOT_FOUND"}, NotFoundError),
        (422, {"error": '"files" is required', "code": "VALIDATION_ERROR"}, ValidationFailedError),
    ],
)
async def test_a_refused_upload_says_why(status: int, data: Any, kind: Any, note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: reply(status, data, **{"x-request-id": "r-4"})})
    with pytest.raises(kind) as caught:
        await platform.client.as_user(session()).chats.send_media("c1", note)
    assert (caught.value.status, caught.value.request_id) == (status, "r-4")


async def test_an_upload_has_its_own_deadline(note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: ok(TAKEN)})
    await platform.client.as_user(session()).chats.send_media("c1", note)
    await platform.client.as_user(session()).chats.send_media("c1", note, timeout=7)
    assert [request.timeout for request in platform.transport.requests] == [media.UPLOAD_TIMEOUT, 7]


async def test_files_go_to_the_user_or_behind_a_chats_door(note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {"POST /v2/files": ok(TAKEN), "POST /v2/files/secure": ok(TAKEN)})
    files = platform.client.as_user(session()).files
    assert (await files.upload(note))[0].id == RECORD
    assert (await files.upload([note, note], chat="c1"))[0].id == RECORD
    assert [part[0] for part in parts_of(platform.sent[0])] == ["files"]
    first, *others = parts_of(platform.sent[1])
    assert (first[0], first[3], len(others)) == ("chatName", f"{APP}_c1".encode(), 2)
    with pytest.raises(InvalidInputError, match="files is empty"):
        await files.upload([])


async def test_requests_after_an_upload_say_json_again(note: Path, clock: FakeClock) -> None:
    platform = Platform(clock, {SEND: ok(TAKEN), "GET /v1/chats/my": ok([])})
    user = platform.client.as_user(session())
    await user.chats.send_media("c1", note)
    await user.chats.list()
    assert platform.sent[0].headers["Content-Type"].startswith("multipart/form-data")
    assert platform.sent[1].headers["Content-Type"] == "application/json"
