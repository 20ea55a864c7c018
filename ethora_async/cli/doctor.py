"""``ethora doctor``: check every step from the secret store to the platform."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
import typer

from ethora_async.capabilities import AnswersPing, KnowsWhetherReady
from ethora_async.cli.output import JSON_OPTION, print_json
from ethora_async.cli.platforms import ALL, REGISTRY, Platform
from ethora_async.cli.runtime import DONE, PLATFORM, USAGE, Options, run
from ethora_async.errors import ChatError, ConfigError, ForbiddenError
from ethora_async_secrets import ChainProvider, SecretError, provider_from_url
from ethora_async_secrets.chain import Attempt

if TYPE_CHECKING:
    from ethora_async.capabilities import PingAnswer
    from ethora_async.pages import Pages
    from ethora_async.platforms.ethora.client import EthoraClient

TOLERATED_SKEW = 30.0
"""In seconds. A front end refreshes its session this long before it expires, so a larger skew breaks sessions.

See docs/platforms/ethora.md#tokens-of-the-platform.
"""
_TIMEOUT = 10.0

Verdict = Literal["ok", "warning", "failed", "skipped"]


@attrs.frozen
class Check:
    """The result of one check."""

    name: str
    verdict: Verdict
    detail: str


def doctor(context: typer.Context, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Check the secret store, settings, reachability, clocks, credentials and permissions. Changes nothing."""
    run(_doctor(context.obj, as_json=as_json))


async def _doctor(options: Options, *, as_json: bool) -> int:
    checks: list[Check] = []
    async for check in _checks(options):
        checks.append(check)
        if not as_json:
            typer.echo(f"{check.verdict:8} {check.name}: {check.detail}")
    if as_json:
        print_json({"ok": not _failed(checks), "checks": checks})
    failed = _failed(checks)
    if not failed:
        return DONE
    return USAGE if failed[0].name in ("secret", "settings") else PLATFORM


def _failed(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.verdict == "failed"]


async def _checks(options: Options) -> AsyncGenerator[Check, None]:
    secret = REGISTRY[options.platform].secret
    # Rocket.Chat also accepts a token in place of a password; its client checks that itself.
    if options.secrets is not None or options.platform is not Platform.rocketchat:
        required = () if options.platform is Platform.rocketchat else (secret,)
        async for check in _secret_sources(options.secrets or f"env:?names={secret}", required):
            yield check
            if check.verdict == "failed":
                return
    try:
        async with options.client(ALL) as client:
            yield Check("settings", "ok", repr(client))
            async for check in _platform(client):
                yield check
    except ConfigError as error:
        yield Check("settings", "failed", str(error))


async def _secret_sources(urls: str, required: tuple[str, ...]) -> AsyncGenerator[Check, None]:
    try:
        provider = provider_from_url(urls, required=required)
    except SecretError as error:
        yield Check("secret", "failed", str(error))
        return
    chain = provider if isinstance(provider, ChainProvider) else ChainProvider([provider], required=required)
    answered = False
    attempts = await chain.diagnose()
    await chain.aclose()
    for attempt in attempts:
        if attempt.outcome == "answered":
            yield Check("secret", "ok", _answer(attempt, "also has it" if answered else "answered"))
            answered = True
        elif not answered and attempt.outcome != "unavailable":
            # Such a source ends the search: see docs/architecture.md#secrets-and-rotation.
            yield Check("secret", "failed", f"{attempt.source}: {attempt.outcome}: {attempt.detail}")
            return
        elif not answered:
            yield Check("secret", "warning", f"{attempt.source} did not answer: {attempt.detail}")
    if not answered:
        yield Check("secret", "failed", "no source has the app secret")


def _answer(attempt: Attempt, verb: str) -> str:
    parts = [f"{attempt.source} {verb} ({', '.join(attempt.names)})", f"version {attempt.version}"]
    if attempt.created_at is not None:
        parts.append(f"{_age(time.time() - attempt.created_at)} old")
    if attempt.has_previous:
        parts.append("with a previous secret")
    if attempt.has_pending:
        parts.append("with a pending one")
    return ", ".join(parts)


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"


async def _platform(client: object) -> AsyncGenerator[Check, None]:
    from ethora_async.platforms.ethora.client import EthoraClient

    answer: PingAnswer | None = None
    if isinstance(client, AnswersPing):
        try:
            answer = await client.ping(timeout=_TIMEOUT)
        except ChatError as error:
            yield Check("reachable", "failed", str(error))
            return
        yield Check("reachable", "ok", f"answered in {answer.latency * 1000:.0f} ms")
    if isinstance(client, EthoraClient):
        yield _clock(getattr(answer, "server_time", None))
        async for check in _rights(client):
            yield check
    elif isinstance(client, KnowsWhetherReady):
        ready = await _ready(client)
        yield ready
        if ready.verdict == "ok":
            async for check in _listings(client):
                yield check


async def _rights(client: EthoraClient) -> AsyncGenerator[Check, None]:
    accepted = False
    for name, read in (("may list users", client.users.list), ("may list chats", client.chats.list)):
        refusal, found = await _tried(read(limit=1))
        # A permission can be missing only if the token was accepted.
        if not accepted and refusal is not None and not isinstance(refusal, ForbiddenError):
            yield Check("token", "failed", found)
            return
        if not accepted:
            accepted = True
            yield Check("token", "ok", f"the platform accepts what we sign with the {client.signing_secret} secret")
        yield Check(name, "ok" if refusal is None else "failed", found)


async def _ready(client: KnowsWhetherReady) -> Check:
    try:
        await client.ready()
    except ConfigError:
        raise
    except ChatError as error:
        return Check("token", "failed", str(error))
    return Check("token", "ok", "the client can authenticate")


async def _listings(client: object) -> AsyncGenerator[Check, None]:
    from ethora_async.platforms.rocketchat.client import RocketChatClient

    if not isinstance(client, RocketChatClient):
        return
    for name, read in (("may list users", client.users.list), ("may list chats", client.chats.channels)):
        refusal, found = await _tried(read(limit=1))
        yield Check(name, "ok" if refusal is None else "failed", found)


def _clock(server_time: float | None) -> Check:
    if server_time is None:
        return Check("clock", "skipped", "the platform does not tell its time")
    skew = time.time() - server_time
    # The platform's time has whole seconds.
    if abs(skew) <= TOLERATED_SKEW + 1:
        return Check("clock", "ok", f"within {max(1, round(abs(skew)))} s of the platform's")
    way = "ahead of" if skew > 0 else "behind"
    return Check("clock", "warning", f"{abs(skew):.0f} s {way} the platform's: tokens may be refused; set the clock")


async def _tried(pages: Pages[Any]) -> tuple[ChatError | None, str]:
    try:
        page = await pages
    except ChatError as error:
        return error, str(error)
    return None, f"{page.total if page.total is not None else 'an unknown number'} there"
