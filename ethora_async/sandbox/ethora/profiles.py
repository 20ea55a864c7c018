"""Changes to a user's profile, shared by all routes (docs/platforms/ethora.md#users, #sessions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ethora_async.sandbox.ethora.files import StoredFile
from ethora_async.sandbox.ethora.shapes import file_record

if TYPE_CHECKING:
    from ethora_async.sandbox.ethora.call import Call
    from ethora_async.sandbox.ethora.records import User

NAMES = {
    "firstName": "first_name",
    "lastName": "last_name",
    "username": "username",
    "profileImage": "profile_image",
}
FURTHER = {
    "description": "description",
    "phone": "phone",
    "address": "address",
    "homeScreen": "home_screen",
    "isProfileOpen": "open",
    "isAssetsOpen": "assets_open",
}


def change_profile(call: Call, user: User, form: dict[str, Any]) -> None:
    """Apply a form to a user; the first file of the body becomes the picture."""
    for key, field in NAMES.items():
        if key in form:
            setattr(user, field, form[key])
    further = {field: form[key] for key, field in FURTHER.items() if key in form}
    if further:
        user.profile = attrs.evolve(user.profile, **further)
    if call.upload.files:
        ids = call.platform.store.ids
        file = StoredFile(ids.text(ids.next()), user, call.upload.files[0], call.now)
        call.platform.shelf.add(file)
        user.profile_image = file_record(file, call.origin)["location"]
    user.updated_at = call.now
    user.app.users.renamed()
    call.platform.store.user_changed(user)
