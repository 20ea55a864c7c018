"""The attempt loop: every request of every platform goes through `Engine.call`."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from ethora_async import codec, engine
from ethora_async.clock import LARGEST_SKEW
from ethora_async.config import Limits, RetryPolicy, Seconds, seconds
from ethora_async.engine.call_state import Call
from ethora_async.engine.emitter import Emitter
from ethora_async.engine.limiter import Limiter
from ethora_async.engine.lost_attempts import note_lost_attempt
from ethora_async.engine.patience import LONGEST_PAUSE, in_bulk, is_patient, shared_by_callers, tell_waiting
from ethora_async.engine.retry import backoff, drawn, read_date, time_to_wait, wait_before_retry
from ethora_async.engine.time_limit import call_time_limit
from ethora_async.engine.urls import fill, with_query
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConfigError,
    ConflictError,
    Effect,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    ReplyLostError,
    TransportError,
    ValidationFailedError,
    WrongLoopError,
)
from ethora_async.protocols import SignsWithTime
from ethora_async.redaction import request_id, scrub, sensitive_values
from ethora_async.request import Operation, Reply, Request, Response, Upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from ethora_async.engine.retry import Draw
    from ethora_async.engine.urls import QueryValue
    from ethora_async.protocols import Clock, Credential, Credentials, Dialect, Transport

T = TypeVar("T")

_A_SLOT = "a free slot"
_THE_SECRET = "the secret store"  # noqa: S105  a name for messages
_AFTER_THE_TOKEN = (ForbiddenError, NotFoundError, ConflictError, ValidationFailedError)
"""Rejections that can only come after the token was accepted. Others may come from a proxy that never checked it."""

_OVERLOADED = frozenset({429, 503})
"""Statuses that mean that too much was sent."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OPAQUE = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w~+=-]{16,}")
"""A part of a path that may be a token, such as that of a webhook's URL; names of routes have no digits, or dots."""
_SHORTEST_SECRET = 8
"""In characters: shorter header values ("Bearer", "1") are ordinary words, and masking them would garble the message.
"""


class Engine:
    """Sends the operations of one platform for one client.

    It is bound to the event loop in which the first call is made.

    Args:
        base_url: the origin, without a trailing slash.
        transport: sends the requests; closed by `aclose`.
        dialect: reads the platform's error replies.
        credentials: sign requests that name no others.
        timeout: seconds for one call: queueing, signing, all attempts and the waits between them. For a request of a
            bulk run the clock stops while it queues behind others; for a patient one (see `engine.patience`), also
            while it waits as long as the platform asked.
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        dialect: Dialect,
        credentials: Credentials,
        *,
        clock: Clock,
        timeout: float = 30.0,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        emitter: Emitter | None = None,
        draw: Draw = drawn,
        user_agent: str = "ethora-async",
    ) -> None:
        self._base_url = base_url
        self._transport = transport
        self._dialect = dialect
        self._credentials = credentials
        self._clock = clock
        self._monotonic = clock.monotonic
        self._timeout = timeout
        self._emitter = emitter or Emitter()
        limits = limits or Limits()
        self._reply_limit = limits.reply_bytes
        self._limiter = Limiter(limits, clock=clock, emitter=self._emitter)
        self._retry = retry or RetryPolicy()
        self._draw = draw
        self._loop: asyncio.AbstractEventLoop | None = None
        self._common = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": user_agent,
        }
        self._signed: tuple[Credential | None, Mapping[str, str]] = (None, self._common)
        self._closed = False

    @property
    def limiter(self) -> Limiter:
        """The slots for requests in flight."""
        return self._limiter

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, QueryValue] | None = None,
        data: Any = None,
        upload: Upload | None = None,
        credentials: Credentials | None = None,
        timeout: Seconds | None = None,
        decode: Callable[[bytes], Any] | None = codec.loads,
    ) -> Reply:
        """Carry out one operation.

        Args:
            operation: the operation.
            path: values for the path template's named parts.
            query: values for the query string.
            data: the JSON body; None sends none.
            upload: a body that is read while it is sent, in place of `data`. It is retried, as far as the operation
                allows that, only if it can be read again.
            credentials: in place of the client's own.
            timeout: in place of the client's own.
            decode: reads the reply's body, and raises `ValueError` if it is not JSON. None returns the body as bytes,
                for routes that need not answer JSON.

        Raises:
            NotSentError, ReplyLostError, ApiError: as `ethora_async.errors` describes them, after all attempts.
            InvalidInputError: a part of the path is ``.`` or ``..``, the body holds something that JSON has no form
                for, or the upload cannot be read to its end.
            WrongLoopError: the client belongs to another event loop.
        """
        if self._loop is not asyncio.get_running_loop() or self._closed:
            self._check_usable(operation)
        budget = self._timeout if timeout is None else seconds(timeout, "timeout")
        limit = call_time_limit()
        if limit is not None and limit < budget:
            budget = limit
        call = Call(
            operation,
            self._url(operation, path, query),
            None if data is None else _body(data),
            budget,
            self._monotonic() + budget,
            credentials or self._credentials,
            upload,
            in_bulk(),
            is_patient(),
            self._emitter.wanted,
        )
        if call.told:
            self._emitter.emit(engine.RequestStarted(operation.name, operation.method, operation.path, self._base_url))
        try:
            reply = await self._until_done(call, decode)
        except ChatError as error:
            self._tell_finished(call, error)
            raise self._complete(error, call)  # noqa: B904  it is the same error
        except BaseException as error:  # cancelled, or a bug of ours: report the end too
            self._tell_finished(call, error)
            _forget(call)
            raise
        if call.told:
            self._tell_finished(call)
        return reply

    def _url(self, operation: Operation, path: Mapping[str, str] | None, query: Mapping[str, QueryValue] | None) -> str:
        # Separate from `call`, whose frame appears in tracebacks: a literal path and a query may hold secrets.
        if operation.literal is not None:
            url = self._base_url + operation.literal.reveal()
        else:
            url = self._base_url + (fill(operation.path, path) if path else operation.path)
        return with_query(url, query) if query else url

    async def aclose(self) -> None:
        """Close the transport. Pending calls fail with `NotSentError` or `ReplyLostError`. Idempotent."""
        self._closed = True
        await self._transport.aclose()

    def _check_usable(self, operation: Operation) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            msg = (
                f"this client belongs to event loop {id(self._loop):#x} and was used from {id(loop):#x}: "
                "make one client per event loop"
            )
            raise WrongLoopError(msg)
        if self._closed:
            msg = "the client is closed"
            raise NotSentError(msg, operation=operation.name)

    async def _until_done(self, call: Call, decode: Callable[[bytes], Any] | None) -> Reply:
        credential = call.credentials.peek() or await self._acquired(call)
        while True:
            try:
                response = await self._attempt(call, credential)
                if response.status < 300:
                    reply = self._reply(call, response, decode)
                    call.credentials.accepted(credential)
                    return reply
                error: ChatError
                error, rejected = self._failure(call, response, credential)
                rejection = response if rejected else None
            except TransportError as lost:
                error, rejection = lost, None
            if error.effect == "unknown":
                call.effect = "unknown"
                if call.operation.method != "GET":
                    note_lost_attempt()
            call.last_error = error
            if rejection is not None:
                credential = self._resigned(call, rejection, credential, error) or await self._another(
                    call, credential, error
                )
                continue
            if isinstance(error, _AFTER_THE_TOKEN):
                call.credentials.accepted(credential)
            await self._pause(call, error)
            # The token may have expired, or the secret been rotated, during the pause.
            credential = call.credentials.peek() or await self._acquired(call)

    async def _acquired(self, call: Call) -> Credential:
        return await self._signing(call, call.credentials.acquire)

    async def _signing(self, call: Call, ask: Callable[[], Awaitable[T]]) -> T:
        """Return a credential. A patient call waits, and asks again, when a request for it is rejected for a time."""
        while True:
            try:
                with shared_by_callers():
                    return await self._in_time(call, ask(), _THE_SECRET)
            except ChatError as error:
                if not call.patient or error.retry_after is None:
                    raise
                refusal = error
            await self._pause(call, refusal, sent=False)

    async def _in_time(self, call: Call, waiting: Awaitable[T], what: str) -> T:
        """Await the result, if it comes before the deadline.

        Waiting is rare. The request itself needs no timer here: the transport receives its time limit.
        """
        timer = asyncio.timeout(call.deadline - self._clock.monotonic())
        try:
            async with timer:
                return await waiting
        except TimeoutError:
            if not timer.expired():
                raise
            raise self._too_late(call, what) from None

    def _too_late(self, call: Call, what: str) -> ChatError:
        return call.last_error or NotSentError(f"the deadline of {call.budget:g} s passed while waiting for {what}")

    async def _attempt(self, call: Call, credential: Credential) -> Response:
        limiter = self._limiter
        if not limiter.try_acquire(bulk=call.bulk):
            await self._queue(call)
        try:
            started = call.started = self._monotonic()
            left = call.deadline - started
            if left <= 0:
                raise self._too_late(call, _A_SLOT)
            request = self._request(call, credential, left)
            call.attempts += 1
            try:
                response = await self._transport.send(request)
            except (TransportError, OSError, TimeoutError) as error:
                _check_upload(request)
                if isinstance(error, TransportError):
                    raise
                # A third-party transport that did not translate its errors: assume the worst.
                msg = f"the transport failed ({type(error).__name__})"
                raise ReplyLostError(msg) from None
            now = self._monotonic()
            # Before the slot is released: the next request in line must not meet the same rejection.
            if response.status in _OVERLOADED:
                failure = self._dialect.read_failure(response)
                limiter.refused(response.status, time_to_wait(failure, response.headers, self._clock.now()))
            elif call.upload is None:  # the duration of an upload says how large it is
                limiter.learn(call.operation.name, now - started, now)
        except TransportError as error:
            if call.told:
                self._tell_attempt(call, self._monotonic() - call.started, error)
            raise
        finally:
            limiter.release(bulk=call.bulk)
        if call.told:
            self._tell_attempt(call, now - started, response)
        return response

    async def _queue(self, call: Call) -> None:
        if not call.bulk:
            await self._in_time(call, self._limiter.acquire(), _A_SLOT)
            return
        queued = self._clock.monotonic()
        try:
            await self._limiter.acquire(bulk=True)
        except NotSentError as refusal:
            raise call.last_error or refusal from None
        call.deadline += self._clock.monotonic() - queued

    def _request(self, call: Call, credential: Credential, left: float) -> Request:
        # Separate from `_attempt`, whose frame appears in tracebacks: there the headers would be in clear.
        headers = self._headers(credential)
        if call.upload is not None:
            headers = {**headers, "Content-Type": call.upload.content_type}
        return Request(call.operation.method, call.url, headers, call.body, left, call.upload, self._reply_limit)

    def _headers(self, credential: Credential) -> Mapping[str, str]:
        if self._signed[0] is not credential:
            if not _fit_for_headers(credential):
                # Raised while no variable of this frame holds a header: the value is a secret.
                msg = "a token, key or id holds a line break or another control character, which no header may hold"
                raise ConfigError(msg)
            # The same object for as long as the token lives, so that the transport can prepare it once.
            self._signed = (credential, {**self._common, **credential.headers})
        return self._signed[1]

    def _reply(self, call: Call, response: Response, decode: Callable[[bytes], Any] | None) -> Reply:
        if decode is None:
            return Reply(response.status, None, response.headers, call.attempts, response.body, call.operation.name)
        try:
            data = decode(response.body)
        except ValueError as error:
            msg = f"the platform's reply is {error}"
            stated = request_id(response.headers.get("x-request-id"))
            raise ReplyLostError(msg, status=response.status, request_id=stated) from None
        return Reply(response.status, data, response.headers, call.attempts, operation=call.operation.name)

    def _failure(self, call: Call, response: Response, credential: Credential) -> tuple[ApiError, bool]:
        failure = self._dialect.read_failure(response)
        known = [
            part for value in credential.headers.values() for part in value.split() if len(part) >= _SHORTEST_SECRET
        ]
        known += _secrets_sent(call)
        error = failure.kind(
            scrub(failure.message, known),
            status=response.status,
            code=scrub(failure.code, known) if failure.code else None,
            request_id=scrub(failure.request_id, known) if failure.request_id else None,
            retry_after=time_to_wait(failure, response.headers, self._clock.now()),
        )
        return error, failure.token_rejected

    def _resigned(self, call: Call, response: Response, rejected: Credential, error: ChatError) -> Credential | None:
        """Return a credential with the platform's time, if a wrong clock may be why the token was rejected.

        It is tried once for each secret. A difference that is not corrected is named in the error.
        """
        stated = read_date(response.headers.get("date"))
        offset = 0.0 if stated is None else stated - self._clock.now()
        if abs(offset) <= LARGEST_SKEW:
            return None
        ahead = "behind" if offset > 0 else "ahead of"
        error.args = (f"{error.message}; this machine's clock is {abs(offset):.0f} s {ahead} the platform's",)
        if call.spent or rejected.key in call.resigned or not isinstance(call.credentials, SignsWithTime):
            return None
        call.resigned |= {rejected.key}
        return call.credentials.resign(offset, rejected)

    async def _another(self, call: Call, rejected: Credential, error: ChatError) -> Credential:
        """Return the next credential to try after `rejected`, or raise `error` when there is none."""
        if call.spent:
            raise error
        call.tried |= {rejected.key}
        while True:
            replacement = await self._signing(call, partial(call.credentials.replace, rejected, call.tried))
            if replacement is not None:
                if replacement.version != rejected.version:
                    call.rounds = 0  # the store has a newer version: the wait is over
                return replacement
            call.rounds += 1
            wait = backoff(call.rounds, self._retry, self._draw)
            if not call.credentials.may_change() or wait >= call.deadline - self._clock.monotonic():
                raise error
            await self._announce_and_sleep(call, wait, "waiting for a newer secret")
            # The platform may also have changed: if the store was changed first, it may now accept a credential that it
            # rejected.
            call.tried = call.resigned = frozenset()

    async def wait_as_asked(self, operation: Operation, wait: float) -> None:
        """Wait before a call that the platform would reject until then. An event and the `patience` block tell it."""
        self._emitter.emit(engine.RetryScheduled(operation.name, 0, wait, RateLimitedError.__name__))
        tell_waiting(operation.name, wait)
        await self._clock.sleep(wait)

    async def _pause(self, call: Call, error: ChatError, *, sent: bool = True) -> None:
        """Wait before the next attempt, or raise `error` when there must not be one.

        Args:
            sent: False says that the error is not about the operation, but about a request that it depends on.
        """
        call.failures += 1
        patient = call.patient and error.retry_after is not None
        wait = wait_before_retry(
            error,
            repeatable=call.operation.repeatable or not sent,
            failures=call.failures,
            policy=self._retry,
            remaining=LONGEST_PAUSE if patient else call.deadline - self._clock.monotonic(),
            draw=self._draw,
        )
        if wait is None or self._closed or call.spent:
            raise error
        if patient:
            call.deadline += wait
            tell_waiting(error.operation or call.operation.name, wait)
        await self._announce_and_sleep(call, wait, type(error).__name__)

    async def _announce_and_sleep(self, call: Call, wait: float, reason: str) -> None:
        if call.told:
            self._emitter.emit(engine.RetryScheduled(call.operation.name, call.attempts, wait, reason))
        await self._in_time(call, self._clock.sleep(wait), "the next attempt")

    def _tell_attempt(self, call: Call, taken: float, ended: Response | TransportError) -> None:
        status: int | None = None
        error = stated = None
        effect: Effect | None = None
        if isinstance(ended, TransportError):
            error, effect = type(ended).__name__, ended.effect
        else:
            status, stated = ended.status, request_id(ended.headers.get("x-request-id"))
            if status >= 300:
                effect = "unknown" if status >= 500 else "none"
        what = call.operation
        self._emitter.emit(
            engine.AttemptFinished(
                what.name,
                call.attempts,
                taken,
                status,
                error,
                effect,
                stated,
                what.method,
                what.path,
                self._base_url,
            )
        )

    def _tell_finished(self, call: Call, error: BaseException | None = None) -> None:
        if call.told:
            taken = self._clock.monotonic() - (call.deadline - call.budget)
            name = None if error is None else type(error).__name__
            self._emitter.emit(engine.RequestFinished(call.operation.name, call.attempts, taken, name))

    def _complete(self, error: ChatError, call: Call) -> ChatError:
        error.operation = call.operation.name
        error.attempts = call.attempts
        _forget(call)
        if call.effect == "unknown":
            # An earlier attempt may have taken effect, whatever happened to the last one.
            error.effect = "unknown"
        return error


def _body(data: Any) -> bytes:
    with suppress(TypeError, RecursionError):
        return codec.dumps_revealed(data)
    msg = "the call holds half of a surrogate pair, or something else that JSON has no form for"
    raise InvalidInputError(msg)


def _fit_for_headers(credential: Credential) -> bool:
    return not any(_CONTROL.search(value) for value in credential.headers.values())


def _forget(call: Call) -> None:
    """Drop what was sent: the frames of the traceback hold the call."""
    call.url, call.body = "", None


def _secrets_sent(call: Call) -> Iterator[str]:
    """Yield what an error must not repeat of a request's body, query and literal path."""
    if call.body is not None:
        yield from sensitive_values(codec.loads(call.body))
    if query := urlsplit(call.url).query:
        yield from sensitive_values(parse_qs(query))
    if call.operation.literal is not None:
        yield from (part for part in unquote(call.operation.literal.reveal()).split("/") if _OPAQUE.fullmatch(part))


def _check_upload(request: Request) -> None:
    """Raise the error that interrupted reading the upload: it says more than the transport's."""
    if request.upload is not None and request.upload.error is not None:
        raise request.upload.error from request.upload.error.__cause__


__all__ = ["Engine"]
