"""``ethora token``: a chat token for one user."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.platforms import ALL, Platform, check_only_on
from ethora_async.cli.runtime import DONE, run_with_client
from ethora_async.errors import InvalidInputError

if TYPE_CHECKING:
    from ethora_async.capabilities import MintsUserTokens

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 3650 * _UNITS["d"]
_WITH_TTL = (Platform.ethora, Platform.avaya, Platform.imbachat)


def token(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="Your own id of the user.")],
    ttl: Annotated[
        str | None,
        typer.Option(help="The lifetime: seconds, or 90s, 15m, 12h, 2d. Default 1h. Not for Rocket.Chat."),
    ] = None,
    allow_privileged: Annotated[
        bool,
        typer.Option(
            "--allow-privileged",
            help="Also for administrators, bots, apps and the client's own account. Rocket.Chat only.",
        ),
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Mint a chat token for one user and print it. Anyone who has it can act as that user until it expires."""

    async def work(client: MintsUserTokens) -> int:
        options: dict[str, Any] = {}
        if ttl is not None:
            check_only_on("--ttl", context.obj.platform, *_WITH_TTL)
            options["ttl"] = duration(ttl)
        if allow_privileged:
            check_only_on("--allow-privileged", context.obj.platform, Platform.rocketchat)
            options["allow_privileged"] = True
        minted = await client.tokens.for_user(user, **options)
        if as_json:
            expires = datetime.fromtimestamp(minted.expires_at, UTC)
            print_json({"token": str(minted.value), "user_id": minted.user_id, "expires_at": expires})
        else:
            typer.echo(minted.value)
        return DONE

    run_with_client(context.obj, ALL, work)


def duration(text: str) -> int:
    """Parse ``90``, ``90s``, ``15m``, ``12h`` or ``2d`` to seconds.

    Raises:
        InvalidInputError: It is none of these, or not greater than 0, or above ten years.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not seconds:
        msg = f"--ttl {text!r} is not a duration: write seconds, or 90s, 15m, 12h, 2d"
        raise InvalidInputError(msg, field="ttl")
    if seconds > _LONGEST:
        msg = f"--ttl {text!r} is too long: the maximum is 3650d"
        raise InvalidInputError(msg, field="ttl")
    return seconds
