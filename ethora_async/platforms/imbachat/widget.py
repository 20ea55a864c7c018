"""The widget's snippet for a page, safe to embed in HTML (docs/platforms/imbachat.md#widget)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from ethora_async import codec
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}
"""Headers for the page with the snippet: its token is as powerful as the user's password until it expires."""

_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}").fullmatch
_OWN = frozenset({"user_id", "token"})


class Html(str):
    """Text that is already HTML: Jinja, Django and MarkupSafe do not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _json(value: Any) -> str:
    try:
        return codec.script_json(value)
    except (TypeError, ValueError) as error:
        msg = f"options must be JSON values ({type(error).__name__})"
    # Raised outside the handler: the error holds the values.
    raise InvalidInputError(msg, field="options")


def snippet(
    script_url: str, *, user_id: int | None, token: str | None, options: Mapping[str, Any], nonce: str | None
) -> Html:
    """Return the two script elements that load the widget, for a user, or for a guest without a token.

    Raises:
        InvalidInputError: the nonce is invalid, or the options contain a reserved key.
    """
    if nonce is not None and not _NONCE(nonce):
        msg = "nonce must be base64 text, as in the page's Content-Security-Policy"
        raise InvalidInputError(msg, field="nonce")
    if _OWN & options.keys():
        msg = "user_id and token come from the token: leave them out of the options"
        raise InvalidInputError(msg, field="options")
    who = {"user_id": user_id, "token": token} if token is not None else {}
    parameters = {**who, **options}
    mark = f' nonce="{nonce}"' if nonce is not None else ""
    return Html(
        f'<script src="{html.escape(script_url)}"{mark} async></script>\n'
        f"<script{mark}>(function start(){{"
        "if(!window.ImbaChat){return setTimeout(start,50)}"
        f"window.ImbaChat.load({_json(parameters) if parameters else ''})"
        "})()</script>"
    )
