"""The server's rules for names of new users and rooms, which administrators set.

See docs/platforms/rocketchat.md#users.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ethora_async.capabilities import NameRule
from ethora_async.errors import ApiError
from ethora_async.platforms.rocketchat.server_info import public_setting

if TYPE_CHECKING:
    from ethora_async.platforms.rocketchat.context import ServerContext

USER_NAMES = "UTF8_User_Names_Validation"
ROOM_NAMES = "UTF8_Channel_Names_Validation"

# One class of characters, repeated: this is matched in linear time, and means the same in JavaScript. Anything else
# comes from the server and could take forever.
_SIMPLE = re.compile(r"\^?(\[(?:[^\\\[\]]|\\[-\\.^\[\]wds])+\][+*])\$?")


async def name_rule(context: ServerContext, setting: str) -> NameRule | None:
    """Return the rule in a public setting; None if the server does not show it, or if it is not one class of letters.

    The server itself checks every name again.
    """
    try:
        value = await public_setting(await context.open(), setting)
    except ApiError:
        return None
    found = _SIMPLE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return NameRule(re.compile(found[1], re.ASCII), f"the server's setting {setting}")
    except re.error:
        return None
