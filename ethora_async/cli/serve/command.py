"""``ethora serve``: the web endpoints as a separate process, behind a reverse proxy that authenticates users."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from ethora_async.cli.functions import load_function
from ethora_async.cli.observing import METRICS, log_formatter, measured
from ethora_async.cli.output import errors
from ethora_async.cli.platforms import ALL
from ethora_async.cli.runtime import DONE, INTERRUPTED, Options, run
from ethora_async.cli.serve import scim as scim_options
from ethora_async.cli.serve.proxy import (
    PROXY_SECRET,
    Gate,
    JWTRules,
    Proof,
    ProxySecret,
    SharedSecret,
    SignedIdentity,
    header_name,
    named_by_the_proxy,
)
from ethora_async.clock import SystemClock
from ethora_async.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

    from ethora_async.capabilities import MintsUserTokens
    from ethora_async.cli.platforms import AnyClient
    from ethora_async.cli.serve.connections import Connections
    from ethora_async.cli.serve.scim import ScimSettings
    from ethora_async.web.clients import AppClient
    from ethora_async.web.health import Health
    from ethora_async.web.routes import Routes
    from ethora_async.web.scim.endpoint import ScimEndpoint
    from ethora_async.web.token_endpoint import IsActive

_PREFIX = "/chat"
_HOW = (
    "ethora serve hands out tokens for the user that the proxy names, so it must be able to authenticate the proxy."
    " Set:\n"
    "  --identity-header NAME   the header in which the proxy sends the id of the user it has authenticated\n"
    "and one of\n"
    f"  --proof-header NAME      a header in which it sends the secret {PROXY_SECRET}\n"
    f"  --jwt-header NAME        a header with a JWT, signed with {PROXY_SECRET} (HS256) or a key whose public half"
    " is in --jwt-keys FILE or URL (RS256, ES256)\n"
    f"{PROXY_SECRET} is read from the environment, or from the store that --proof-secrets names. The proxy must remove"
    " these headers from visitors' requests."
)


@attrs.frozen(kw_only=True)
class ServeOptions:
    """The command line's options; see `serve`."""

    host: str
    port: int
    unix: Path | None
    unix_mode: int
    proof: Proof | None
    scim: ScimSettings | None
    users_info: str | None
    may_enter: str | None
    allowed_origins: tuple[str, ...]
    drain: float
    grace: float
    metrics: str | None = None


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8080,
    unix: Annotated[Path | None, typer.Option(help="Listen on a unix socket in place of an address.")] = None,
    unix_mode: Annotated[str, typer.Option(metavar="OCTAL", help="File mode of the socket: who may connect.")] = "660",
    identity_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="The header in which the proxy sends the user's id.")
    ] = None,
    proof_header: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"The header in which it sends the value of {PROXY_SECRET}.")
    ] = None,
    proof_secrets: Annotated[
        str | None, typer.Option(metavar="URL", help=f"Where {PROXY_SECRET} is read from; else the environment.")
    ] = None,
    jwt_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="The header in which it sends a JWT; may be the identity's.")
    ] = None,
    jwt_keys: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Public keys for RS256 and ES256: PEM, JWK or JWK set."),
    ] = None,
    jwt_keys_max_age: Annotated[
        float,
        typer.Option(
            min=600, metavar="SECONDS", help="How long keys of a URL are used while it cannot be fetched (24 hours)."
        ),
    ] = 86_400.0,
    jwt_claim: Annotated[str, typer.Option(metavar="NAME", help="The claim that holds the user's id.")] = "sub",
    jwt_audience: Annotated[str | None, typer.Option(help="Required in the claim aud.")] = None,
    jwt_issuer: Annotated[str | None, typer.Option(help="Required in the claim iss.")] = None,
    may_enter: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="async (user, room) -> bool; without it the reply has no room."),
    ] = None,
    users_info: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="ImbaChat: async (ids) -> UserInfo of each; opens /users-info."),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(help="An origin, besides the site's own, that may send requests. Repeatable."),
    ] = None,
    scim: Annotated[str | None, scim_options.DATABASE] = None,
    scim_secrets: Annotated[str | None, scim_options.SECRETS] = None,
    scim_url: Annotated[str | None, scim_options.URL] = None,
    scim_user_id: Annotated[str, scim_options.USER_ID] = "id",
    scim_room_id: Annotated[str, scim_options.ROOM_ID] = "id",
    scim_inactive: Annotated[str, scim_options.INACTIVE] = "keep",
    scim_email_domain: Annotated[str, scim_options.EMAIL] = scim_options.EMAIL_DOMAIN,
    scim_worker: Annotated[bool, scim_options.WORKER] = True,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds between /readyz answering 503 and refusing requests.")
    ] = 1,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that running requests get at the end.")] = 30,
    metrics: Annotated[str | None, METRICS] = None,
) -> None:
    """Serve POST /chat/token, /healthz and /readyz on loopback or a unix socket, behind a proxy that authenticates.

    With --scim it also serves /scim/v2 to identity providers, which authenticate with ETHORA_SCIM_TOKEN. Users whom
    they made inactive get no chat token. Without --identity-header it then serves only SCIM.

    The client's settings come from the environment, or from the store that --secrets names. SIGTERM and Ctrl-C stop it
    gracefully: /readyz answers 503, then new requests are refused, and running ones are finished.
    """
    rules = JWTRules(claim=jwt_claim, audience=jwt_audience, issuer=jwt_issuer)
    named = {
        "scim_secrets": scim_secrets,
        "scim_url": scim_url,
        "scim_user_id": scim_user_id,
        "scim_room_id": scim_room_id,
        "scim_inactive": scim_inactive,
        "scim_email_domain": scim_email_domain,
        "scim_worker": scim_worker,
    }

    async def work() -> int:
        records = scim_options.settings_of(context, scim, named)
        alone = records is not None and identity_header is None and proof_header is None and jwt_header is None
        proof = None
        if not alone:
            proof = _proof(identity_header, proof_header, jwt_header, jwt_keys, rules, proof_secrets, jwt_keys_max_age)
        settings = ServeOptions(
            host=host,
            port=port,
            unix=unix,
            unix_mode=_mode(unix_mode),
            proof=proof,
            scim=records,
            users_info=users_info,
            may_enter=may_enter,
            allowed_origins=tuple(allowed_origin or ()),
            drain=drain,
            grace=grace,
            metrics=metrics,
        )
        return await _serve(context.obj, settings)

    run(work(), serves=True)


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        msg = f"--unix-mode {text} is not a file mode: write octal digits such as 660"
        raise ConfigError(msg)
    return mode


def _proof(
    identity: str | None,
    header: str | None,
    jwt: str | None,
    keys: str | None,
    rules: JWTRules,
    urls: str | None,
    max_age: float,
) -> Proof:
    if identity is None or (header is None) == (jwt is None):
        raise ConfigError(_HOW)
    name = header_name(identity, "--identity-header")
    if header is not None:
        if keys is not None or rules != JWTRules():
            msg = "--jwt-… needs --jwt-header"
            raise ConfigError(msg)
        proof = header_name(header, "--proof-header")
        if proof == name:
            msg = "--proof-header and --identity-header name the same header: the secret is no user's id"
            raise ConfigError(msg)
        return SharedSecret(name, proof, _secret(urls))
    from ethora_async.cli.serve.keys import Keys, PublicKeys, RemoteKeys

    if keys is not None and urls is not None:
        msg = "--jwt-keys and --proof-secrets exclude each other: JWTs are signed with a key, or with a shared secret"
        raise ConfigError(msg)
    clock = SystemClock()
    source: Keys
    if keys is None:
        source = _secret(urls)
    else:
        remote = "://" in keys
        source = RemoteKeys(keys, clock=clock, max_age=max_age) if remote else PublicKeys(Path(keys), clock=clock)
    return SignedIdentity(name, header_name(jwt or "", "--jwt-header"), source, rules, clock=clock)


def _secret(urls: str | None) -> ProxySecret:
    from ethora_async_secrets import SecretError, provider_from_url

    names = ",".join(PROXY_SECRET + suffix for suffix in ("", "_PREVIOUS", "_PENDING"))
    try:
        return ProxySecret(provider_from_url(urls or f"env:?names={names}", required=(PROXY_SECRET,)))
    except SecretError as error:
        msg = f"--proof-secrets: {error}"
        raise ConfigError(msg) from None


async def _serve(options: Options, settings: ServeOptions) -> int:
    from ethora_async.cli.serve.connections import Connections
    from ethora_async.web.clients import AppClient
    from ethora_async.web.health import Health

    _log_to_stderr()
    async with AsyncExitStack() as stack:
        checks: dict[str, Any] = {}
        if settings.proof is not None:
            stack.push_async_callback(settings.proof.aclose)
            await _check_proof(settings.proof)
            checks["proof"] = settings.proof.check
        watching = stack.enter_context(measured(settings.metrics))
        chat: AppClient[AnyClient] = AppClient(partial(options.client, ALL, on_event=watching))
        client = await stack.enter_async_context(chat)
        directory, endpoint = None, None
        if settings.scim is not None:
            directory, endpoint = await scim_options.opened(settings.scim, chat, stack, watching)
            checks["scim"] = endpoint.check
        health = Health(chat, checks=checks)
        is_active = None if directory is None else directory.is_active
        routes = _routes(chat, client, options, settings, health=health, scim=endpoint, is_active=is_active)
        listener = stack.enter_context(_listening(settings))
        connections = Connections()
        runner = _runner(routes, settings.grace, connections)
        name = _name(listener, settings.unix)
        return await _until_told(runner, connections, listener, name, health.drain, settings.drain)


async def _check_proof(proof: Proof) -> None:
    try:
        await proof.check()
    except ConfigError as error:
        msg = f"{error}\n{_HOW}"
        raise ConfigError(msg) from None


def _routes(
    chat: AppClient[AnyClient],
    client: MintsUserTokens,
    options: Options,
    settings: ServeOptions,
    *,
    health: Health,
    scim: ScimEndpoint | None,
    is_active: IsActive | None,
) -> Routes:
    from ethora_async.capabilities import AnswersUserInfo
    from ethora_async.web.rooms import address_for
    from ethora_async.web.routes import Routes
    from ethora_async.web.token_endpoint import TokenEndpoint
    from ethora_async.web.user_info import UserInfoEndpoint

    may_enter = _function(settings.may_enter, "--may-enter")
    if may_enter is not None:
        address_for(client)
    token: Gate | None = None
    if settings.proof is not None:
        endpoint: TokenEndpoint[MintsUserTokens] = TokenEndpoint(
            chat,
            named_by_the_proxy,
            is_active=is_active,
            may_enter=may_enter,
            allowed_origins=settings.allowed_origins,
        )
        token = Gate(settings.proof, endpoint)
    lookup = _function(settings.users_info, "--users-info")
    answers = None
    if lookup is not None:
        if not isinstance(client, AnswersUserInfo):
            msg = f"--users-info does not apply: {options.platform.value} never asks who the users are"
            raise ConfigError(msg)
        answers = UserInfoEndpoint(client.user_info(lookup))
    # Users-info has its own password, and SCIM its own token: their callers are not users of the proxy.
    return Routes(token=token, user_info=answers, health=health, scim=scim, prefix=_PREFIX)


def _function(name: str | None, option: str) -> Any:
    """Return the function for ``MODULE:FUNCTION``; None without a name."""
    return None if name is None else load_function(name, option)


def _listening(settings: ServeOptions) -> Any:
    # Imported here: it requires Unix, and the other commands do not.
    from ethora_async.cli.serve.socket import tcp_socket, unix_socket

    if settings.unix is not None:
        return unix_socket(settings.unix, settings.unix_mode)
    return tcp_socket(settings.host, settings.port)


def _name(listener: socket.socket, path: Path | None) -> str:
    if path is not None:
        return f"unix:{path}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _runner(routes: Routes, grace: float, connections: Connections) -> web.AppRunner:
    from aiohttp import web

    from ethora_async.cli.serve.log import AccessLogger
    from ethora_async.web.aiohttp import chat_app

    app = chat_app(routes)
    app.middlewares.insert(0, connections.middleware)
    return web.AppRunner(app, access_log_class=AccessLogger, handler_cancellation=True, shutdown_timeout=grace)


async def _until_told(
    runner: web.AppRunner,
    connections: Connections,
    listener: socket.socket,
    name: str,
    drain: Callable[[], None],
    delay: float,
) -> int:
    """Serve until a signal comes; a second one stops the server at once."""
    told: list[int] = []
    first, second = asyncio.Event(), asyncio.Event()

    def tell(number: int) -> None:
        told.append(number)
        (second if first.is_set() else first).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number)
    server: asyncio.Server | None = None
    try:
        await runner.setup()
        server = await connections.listen(runner, listener)
        errors.print(f"listening on {name}; Ctrl-C stops it", markup=False)
        await first.wait()
        drain()
        errors.print("stopping: finishing running requests", markup=False)
        with suppress(TimeoutError):
            await asyncio.wait_for(second.wait(), delay)
    finally:
        if server is not None:
            server.close()
        await _ended(runner, second)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return INTERRUPTED if told[:1] == [signal.SIGINT] else DONE


async def _ended(runner: web.AppRunner, hurry: asyncio.Event) -> None:
    """Stop the server after its running requests, or at once after the grace period."""
    ending = asyncio.ensure_future(runner.cleanup())
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait((ending, hurried), return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not ending.done():
        ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending


def _log_to_stderr() -> None:
    if logging.getLogger().handlers:
        return  # --verbose has already set up logging
    handler = logging.StreamHandler()
    handler.setFormatter(log_formatter())
    for name, level in (
        ("aiohttp.access", logging.INFO),
        ("aiohttp.server", logging.ERROR),
        ("ethora_async", logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
