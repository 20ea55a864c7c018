"""Files: into a chat, or onto the platform (docs/platforms/ethora.md#chats, #apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.errors import forbidden, invalid, not_found
from ethora_async.sandbox.ethora.files import StoredFile
from ethora_async.sandbox.ethora.forms import PAGE
from ethora_async.sandbox.ethora.forms_users import SECURE_FILE
from ethora_async.sandbox.ethora.grants import WRITE
from ethora_async.sandbox.ethora.replies import TEXT, listed, many, ref, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import file_record, listing
from ethora_async.sandbox.wire import Answer, json_answer

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat

ROUTES: Routes[Call] = Routes()
FILES = (1, 5)
KEPT = {200: success({"results": many(ref("File"))})}


@ROUTES.add("POST", "/v1/chats/media/{chatName}", auth=Auth.USER, section="chats", uploads=FILES, replies=KEPT)
def upload_media(call: Call) -> Answer:
    """Put 1 to 5 files into a chat; each is a message there before this reply is sent."""
    user, _ = call.signed_in()
    chat = call.find_chat(call.params["chatName"])
    if not chat.access(user) & WRITE:
        raise forbidden()
    return _keep(call, chat=chat)


@ROUTES.add("POST", "/v1/files", "/v2/files", auth=Auth.USER, section="apps", uploads=FILES, replies=KEPT)
def upload_files(call: Call) -> Answer:
    """Put 1 to 5 files onto the platform."""
    return _keep(call)


@ROUTES.add("POST", "/v2/files/secure", auth=Auth.USER, section="apps", body=SECURE_FILE, uploads=FILES, replies=KEPT)
def upload_secure_files(call: Call) -> Answer:
    """Put 1 to 5 files onto the platform for the members of a chat."""
    chat = call.find_chat(call.form()["chatName"])
    if call.signed_in()[0] not in chat.members:
        raise forbidden()
    return _keep(call, private=True)


@ROUTES.add(
    "GET", "/v1/files", "/v2/files", auth=Auth.USER, section="apps", query=PAGE, replies=listed("files", ref("File"))
)
def list_files(call: Call) -> Answer:
    """List one's own files."""
    asked = call.asked()
    files = call.platform.shelf.of_user(call.signed_in()[0])
    page = files[asked["offset"] : asked["offset"] + asked["limit"]]
    rows = [file_record(file, call.origin) for file in page]
    return listing("files", rows, total=len(files), limit=asked["limit"], offset=asked["offset"])


@ROUTES.add("DELETE", "/v1/files/{fileId}", "/v2/files/{fileId}", auth=Auth.USER, section="apps")
def delete_file(call: Call) -> Answer:
    """Delete one of one's own files."""
    file = call.platform.shelf.find(call.params["fileId"])
    if file is None or file.owner is not call.signed_in()[0]:
        raise not_found("File")
    call.platform.shelf.remove(file)
    return json_answer({"ok": True, "success": True})


@ROUTES.add(
    "GET", "/files/{filename}", auth=Auth.NONE, section="shapes-of-the-sandbox", replies={200: TEXT}, kinds=("*/*",)
)
def download(call: Call) -> Answer:
    """Serve what a file record's `location` points at."""
    filename = call.params["filename"]
    file = call.platform.shelf.find(filename.partition(".")[0])
    if file is None or file.filename != filename:
        raise not_found("File")
    return Answer(200, b"", file.content.mimetype, path=file.content.path)


def _keep(call: Call, *, chat: Chat | None = None, private: bool = False) -> Answer:
    if not call.upload.files:
        raise invalid('"files" must contain at least 1 items', "files")
    user, platform = call.signed_in()[0], call.platform
    ids = platform.store.ids
    kept = [
        StoredFile(ids.text(ids.next()), user, content, call.now, private=private, chat=chat)
        for content in call.upload.files
    ]
    rows = [file_record(file, call.origin) for file in kept]
    for file, row in zip(kept, rows, strict=True):
        platform.shelf.add(file)
        if chat is not None:
            metadata = {key: row[key] for key in ("location", "mimetype", "originalname", "size")}
            platform.store.post(chat, row["location"], call.now, sender=user, metadata=metadata)
    return json_answer({"ok": True, "success": True, "results": rows})
