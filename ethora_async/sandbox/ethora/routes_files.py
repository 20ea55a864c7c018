"""Upload, list and delete files (docs/platforms/ethora.md#chats, #apps)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.errors import forbidden, invalid, not_found
from ethora_async.sandbox.ethora.files import StoredFile
from ethora_async.sandbox.ethora.forms import PAGE
from ethora_async.sandbox.ethora.forms_users import SECURE_FILE, SHARE_LINK
from ethora_async.sandbox.ethora.grants import WRITE
from ethora_async.sandbox.ethora.replies import TEXT, TIME, closed, listed, many, ref, result, success
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import file_record, listing, timestamp
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import Chat

ROUTES: Routes[Call] = Routes()
FILES = (1, 5)
MEDIA = "media"
"""The text of a message with a file; its metadata describe the file."""
KEPT = {200: success({"results": many(ref("File"))})}


@ROUTES.add("POST", "/v1/chats/media/{chatName}", auth=Auth.USER, section="chats", uploads=FILES, replies=KEPT)
def upload_media(call: Call) -> Reply:
    """Upload 1 to 5 files into a chat; each is a message there before this reply is sent."""
    user, _ = call.signed_in()
    chat = call.find_chat(call.params["chatName"])
    if not chat.access(user) & WRITE:
        raise forbidden()
    return _keep(call, chat=chat)


@ROUTES.add("POST", "/v1/files", "/v2/files", auth=Auth.USER, section="apps", uploads=FILES, replies=KEPT)
def upload_files(call: Call) -> Reply:
    """Upload 1 to 5 files to the platform."""
    return _keep(call)


@ROUTES.add("POST", "/v2/files/secure", auth=Auth.USER, section="apps", body=SECURE_FILE, uploads=FILES, replies=KEPT)
def upload_secure_files(call: Call) -> Reply:
    """Upload 1 to 5 files to the platform for the members of a chat."""
    chat = call.find_chat(call.form()["chatName"])
    if call.signed_in()[0] not in chat.members:
        raise forbidden()
    return _keep(call, private=True)


@ROUTES.add(
    "GET", "/v1/files", "/v2/files", auth=Auth.USER, section="apps", query=PAGE, replies=listed("files", ref("File"))
)
def list_files(call: Call) -> Reply:
    """List the user's own files."""
    asked = call.asked()
    files = call.platform.shelf.of_user(call.signed_in()[0])
    page = files[asked["offset"] : asked["offset"] + asked["limit"]]
    rows = [file_record(file, call.origin) for file in page]
    return listing("files", rows, total=len(files), limit=asked["limit"], offset=asked["offset"])


@ROUTES.add(
    "GET",
    "/v1/files/{fileId}",
    "/v2/files/{fileId}",
    auth=Auth.USER,
    section="apps",
    replies={200: success({"result": ref("File"), "file": ref("File")})},
)
def read_file(call: Call) -> Reply:
    """Return a file of the user, or of one of the user's chats."""
    file = _visible_file(call, call.params["fileId"])
    row = file_record(file, call.origin)
    return json_reply({"ok": True, "success": True, "result": row, "file": row})


@ROUTES.add(
    "POST",
    "/v1/sharelink",
    auth=Auth.USER,
    section="apps",
    body=SHARE_LINK,
    replies=result(closed({"_id": TEXT, "fileId": TEXT, "link": TEXT, "createdAt": TIME})),
)
def share_file(call: Call) -> Reply:
    """Create a link that opens a file without a token."""
    file = _visible_file(call, call.form()["fileId"])
    ids = call.platform.store.ids
    link = file_record(file, call.origin)["location"]
    shared = {"_id": ids.text(ids.next()), "fileId": file.id, "link": link, "createdAt": timestamp(call.now)}
    return json_reply({"ok": True, "success": True, "result": shared})


def _visible_file(call: Call, file_id: str) -> StoredFile:
    """Return a file that the user may see; raises the 404."""
    user, file = call.signed_in()[0], call.platform.shelf.find(file_id)
    if file is None or not (file.owner is user or (file.chat is not None and user in file.chat.members)):
        raise not_found("File")
    return file


@ROUTES.add("DELETE", "/v1/files/{fileId}", "/v2/files/{fileId}", auth=Auth.USER, section="apps")
def delete_file(call: Call) -> Reply:
    """Delete a file of the user."""
    file = call.platform.shelf.find(call.params["fileId"])
    if file is None or file.owner is not call.signed_in()[0]:
        raise not_found("File")
    call.platform.shelf.remove(file)
    return json_reply({"ok": True, "success": True})


@ROUTES.add(
    "GET", "/files/{filename}", auth=Auth.NONE, section="shapes-of-the-sandbox", replies={200: TEXT}, kinds=("*/*",)
)
def download(call: Call) -> Reply:
    """Serve what a file record's `location` points at."""
    filename = call.params["filename"]
    file = call.platform.shelf.find(filename.partition(".")[0])
    if file is None or file.filename != filename:
        raise not_found("File")
    return Reply(200, b"", file.content.mimetype, path=file.content.path)


def _keep(call: Call, *, chat: Chat | None = None, private: bool = False) -> Reply:
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
            shown = {key: value for key, value in row.items() if key not in ("_id", "expiresAt", "isPrivate")}
            metadata = {"isMediafile": True, "attachmentId": file.id, **shown}
            platform.store.post(chat, MEDIA, call.now, sender=user, metadata=metadata)
    return json_reply({"ok": True, "success": True, "results": rows})
