"""``ethora token``: what one user's front end logs in with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.runtime import DONE, run_with_client
from ethora_async.errors import InvalidInputError
from ethora_async.platforms.ethora.client import EthoraClient

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 3650 * _UNITS["d"]


def token(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user.")],
    ttl: Annotated[str, typer.Option(help="How long it is good for: seconds, or 90s, 15m, 12h, 2d.")] = "1h",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Print a chat token for one user. It is as good as their password until it ends: mind where it goes."""

    async def work(client: EthoraClient) -> int:
        lifetime = duration(ttl)
        minted = await client.tokens.for_user(user, ttl=lifetime)
        if as_json:
            expires = datetime.fromtimestamp(minted.expires_at, UTC)
            print_json({"token": str(minted.value), "user_id": minted.user_id, "expires_at": expires})
        else:
            typer.echo(minted.value)
        return DONE

    run_with_client(context.obj, work)


def duration(text: str) -> int:
    """Seconds from ``90``, ``90s``, ``15m``, ``12h`` or ``2d``.

    Raises:
        InvalidInputError: it is none of these, or not greater than 0, or above ten years.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not seconds:
        msg = f"--ttl {text!r} is not a duration: write seconds, or 90s, 15m, 12h, 2d"
        raise InvalidInputError(msg, field="ttl")
    if seconds > _LONGEST:
        msg = f"--ttl {text!r} is too long: a token is good for 3650d at most"
        raise InvalidInputError(msg, field="ttl")
    return seconds
