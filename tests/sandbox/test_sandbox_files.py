"""Uploads (docs/platforms/ethora.md#chats, #apps)."""

from __future__ import annotations

import asyncio
import hashlib
import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sandbox_helpers import APP, Api, Reply

from ethora_async.sandbox.ethora import uploads
from ethora_async.sandbox.ethora.files import Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from ethora_async.sandbox import EthoraSandbox

    Upload = Callable[..., Awaitable[Reply]]

MEDIA = "/v1/chats/media/app123_c1"


@pytest.fixture
async def token(api: Api) -> str:
    await api.make_users("u1", "u2")
    await api.make_chat("c1", "u1")
    return (await api.log_in("u1"))["token"]


@pytest.fixture
async def upload(sandbox: EthoraSandbox, token: str) -> AsyncIterator[Upload]:
    async with aiohttp.ClientSession(sandbox.url) as session:

        async def send(path: str, *files: bytes, token: str = token, **values: str) -> Reply:
            form = aiohttp.FormData(values, default_to_multipart=True)
            for index, content in enumerate(files):
                form.add_field("files", io.BytesIO(content), filename=f"f{index}.txt", content_type="text/plain")
            async with session.post(path, data=form, headers={"Authorization": token}) as reply:
                return Reply(reply.status, await reply.json(), reply.headers)

        yield send


def on_disk(sandbox: EthoraSandbox) -> list[Path]:
    directory = sandbox._platform.shelf._directory
    return [] if directory is None else sorted(directory.iterdir())


async def test_each_file_is_a_message_in_the_chat_before_the_reply(
    upload: Upload, api: Api, sandbox: EthoraSandbox
) -> None:
    reply = await upload(MEDIA, b"one", b"two!")
    records = reply.body["results"]
    assert [(record["originalname"], record["size"], record["mimetype"]) for record in records] == [
        ("f0.txt", 3, "text/plain"),
        ("f1.txt", 4, "text/plain"),
    ]
    messages = (await api("GET", f"/v2/apps/{APP}/chats/c1/messages")).body["results"]
    assert [message["metadata"]["location"] for message in messages] == [record["location"] for record in records]
    assert {(message["body"], message["metadata"]["isMediafile"]) for message in messages} == {("media", True)}
    assert {message["from"] for message in messages} == {"app123_u1"}
    stored = sandbox._platform.shelf.find(records[0]["_id"])
    assert stored is not None
    assert stored.content.digest == hashlib.sha256(b"one").hexdigest()


async def test_a_location_serves_the_content(upload: Upload, sandbox: EthoraSandbox) -> None:
    content = bytes(range(256)) * 5000
    record = (await upload("/v2/files", content)).body["results"][0]
    async with aiohttp.ClientSession() as session, session.get(record["location"]) as reply:
        assert (reply.status, reply.content_type, await reply.read()) == (200, "text/plain", content)
        async with session.get(record["location"] + "x") as other:
            assert (other.status, (await other.json())["code"]) == (404, "FILE_NOT_FOUND")


async def test_files_are_listed_and_deleted_by_their_owner_alone(
    upload: Upload, token: str, api: Api, sandbox: EthoraSandbox
) -> None:
    made = (await upload("/v1/files", b"a", b"b", b"c")).body["results"]
    listed = (await api("GET", "/v2/files?limit=2&offset=1", token=token)).body
    assert (listed["items"], listed["total"]) == (made[1:], 3)
    other = (await api.log_in("u2"))["token"]
    assert (await api("GET", "/v2/files", token=other)).body["total"] == 0
    path = f"/v1/files/{made[0]['_id']}"
    assert (await api("DELETE", path, token=other)).body["code"] == "FILE_NOT_FOUND"
    assert (await api("DELETE", path, token=token)).status == 200
    assert (await api("DELETE", path, token=token)).status == 404
    assert len(on_disk(sandbox)) == 2
    apps = (await api("GET", "/v2/apps")).body["apps"]
    assert apps[0]["totalFiles"] == 2


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 200), (5, 200), (6, 422)])
async def test_one_to_five_files_at_once(count: int, status: int, upload: Upload, sandbox: EthoraSandbox) -> None:
    assert (await upload(MEDIA, *[b"x"] * count, note="hi")).status == status
    assert len(on_disk(sandbox)) == (count if status == 200 else 0)


async def test_a_file_that_is_too_large_leaves_nothing(
    upload: Upload, sandbox: EthoraSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE", 100)
    reply = await upload(MEDIA, b"small", b"x" * 101)
    assert (reply.status, reply.body["code"], on_disk(sandbox)) == (413, "PAYLOAD_TOO_LARGE", [])
    assert (await upload(MEDIA, b"x" * 100)).status == 200


async def test_a_value_that_is_too_long_is_refused(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FIELD", 10)
    assert (await upload(MEDIA, b"small", note="x" * 11)).status == 413


async def test_a_large_upload_goes_to_disk_in_pieces(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    append = Shelf.append

    async def noted(self: Shelf, path: Path, piece: bytes) -> None:
        pieces.append(len(piece))
        await append(self, path, piece)

    monkeypatch.setattr(Shelf, "append", noted)
    assert (await upload(MEDIA, b"x" * 9 * 1024 * 1024)).status == 200
    assert sum(pieces) == 9 * 1024 * 1024
    assert max(pieces) <= uploads.PIECE


async def test_who_may_not_write_in_a_chat_puts_no_files_there(
    upload: Upload, api: Api, sandbox: EthoraSandbox
) -> None:
    other = (await api.log_in("u2"))["token"]
    assert (await upload(MEDIA, b"x", token=other)).status == 403
    await api("POST", "/chat-access", {"chatUuid": "c1", "userUuid": "u1", "accessCode": "0001"})
    assert (await upload(MEDIA, b"x")).status == 403
    assert (await upload("/v1/chats/media/nowhere", b"x")).body["code"] == "CHAT_NOT_FOUND"
    assert on_disk(sandbox) == []


async def test_a_secure_file_is_for_the_members_of_a_chat(upload: Upload, api: Api) -> None:
    record = (await upload("/v2/files/secure", b"x", chatName="app123_c1")).body["results"][0]
    assert record["isPrivate"] is True
    other = (await api.log_in("u2"))["token"]
    assert (await upload("/v2/files/secure", b"x", token=other, chatName="app123_c1")).status == 403
    assert (await upload("/v2/files/secure", b"x")).status == 422


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="\x04"\r\n\r\nv\r\n--x--'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
        ),
        ("multipart/form-data", b"--x--"),
    ],
)
async def test_a_broken_multipart_body_is_a_bad_request(
    kind: str, body: bytes, token: str, sandbox: EthoraSandbox
) -> None:
    headers: dict[str, Any] = {"Authorization": token, "Content-Type": kind}
    async with (
        aiohttp.ClientSession(sandbox.url) as session,
        session.post("/v2/files", data=body, headers=headers) as reply,
    ):
        assert (reply.status, (await reply.json())["code"]) in ((400, "INVALID_MULTIPART"), (422, "VALIDATION_ERROR"))
    assert on_disk(sandbox) == []


async def test_the_first_bytes_of_a_file_may_arrive_alone(
    sandbox: EthoraSandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every warning an error: aiohttp then calls a deprecated method of its own."""
    monkeypatch.setattr(uploads, "PIECE", 64)
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="f.txt"\r\n\r\n'

    async def pieces() -> AsyncIterator[bytes]:
        for first in (part + b"a", b"a"):
            yield first
            for _ in range(100):  # until the sandbox has read it
                await asyncio.sleep(0)
        yield b"b" * 200 + b"\r\n--x--\r\n"

    headers = {"Authorization": token, "Content-Type": "multipart/form-data; boundary=x"}
    async with (
        aiohttp.ClientSession(sandbox.url) as session,
        session.post(MEDIA, data=pieces(), headers=headers) as reply,
    ):
        assert reply.status == 200, await reply.text()
        assert [record["size"] for record in (await reply.json())["results"]] == [202]


async def test_a_fault_on_an_upload_takes_the_body_whatever_its_size(upload: Upload, sandbox: EthoraSandbox) -> None:
    sandbox.faults.fail("POST /v1/chats/media/{chatName}", status=503)
    assert (await upload(MEDIA, b"x" * 9 * 1024 * 1024)).status == 503


async def test_the_files_go_when_the_sandbox_does() -> None:
    shelf = Shelf()
    path = await shelf.new_path()
    assert path.exists()
    del shelf
    assert not path.parent.exists()
