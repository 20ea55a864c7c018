"""``ethora.sessions``: log-in, sign-up, refresh and log-out (docs/platforms/ethora.md#sessions)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakSet

from ethora_async.bulk.outcome import Outcome
from ethora_async.engine.patience import joined
from ethora_async.errors import ChatError, InvalidInputError, UnauthorizedError
from ethora_async.platforms.ethora import operations
from ethora_async.platforms.ethora.sessions.credentials import OnRenewed, SessionCredentials
from ethora_async.platforms.ethora.sessions.mfa import MfaRequiredError
from ethora_async.platforms.ethora.sessions.session import (
    Session,
    authorization,
    read_renewed,
    read_session,
    token_secret,
)
from ethora_async.records import ChatToken, email_text, id_text, optional_text, required_text
from ethora_async.redaction import Secret, scrub, sealed, wrapped
from ethora_async.tokens.cache import TokenCache
from ethora_async.tokens.fixed import FixedCredentials
from ethora_async_secrets.concurrency import SingleFlight

if TYPE_CHECKING:
    from ethora_async.platforms.ethora.context import AppContext
    from ethora_async.platforms.ethora.open_app import App
    from ethora_async.protocols import Credentials
    from ethora_async.request import Operation

LogoutScope = Literal["current", "all", "others"]
"""The sessions of a user to end: this one, all, or all but this one."""

_WIRE_SCOPE = {"current": "current", "all": "all", "others": "except-current"}
_REMEMBERED = 1_000
_GRACE = 120.0
"""In seconds; the cache hands out an entry for half of this time."""


class Sessions:
    """Sessions of users, as front ends open them. `EthoraClient.as_user` acts in one."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._flights: dict[Secret, SingleFlight[Session]] = {}
        self._successors: TokenCache[Session] = TokenCache(context.clock, _REMEMBERED)
        self._signers: WeakSet[SessionCredentials] = WeakSet()

    async def exchange(self, token: ChatToken | Secret | str) -> Session:
        """Exchange a user's chat token for a session, as the front end does on start: proof that the token works.

        Raises:
            InvalidInputError: the token is empty, or contains a control character.
            NotFoundError: the token is valid, but its user does not exist (the platform never creates users here).
            UnauthorizedError: the platform rejects the token.
        """
        token = wrapped(token)
        token = token_secret(token.secret if isinstance(token, ChatToken) else token)
        app = await self._context.open()
        credentials = FixedCredentials({"x-custom-token": token.reveal()})
        reply = await app.engine.call(operations.EXCHANGE, credentials=credentials)
        return read_session(reply.data, app.app_id, origin=reply.origin)

    async def login(
        self, email: str, password: str | Secret, *, app_id: str | None = None, app_token: str | Secret | None = None
    ) -> Session:
        """Log a user in by e-mail address and password.

        The app is named in the body, for which no token is needed; an `app_token` is sent in addition, unchanged. After
        a 429 the call waits as long as requested, within the client's timeout.

        Args:
            app_id: the app that the user belongs to, by default the client's own; with an `app_token`, the token's.
            app_token: an app's token, such as ``get-config`` returns.

        Raises:
            MfaRequiredError: the platform requires a second factor.
            UnauthorizedError: the address or the password is wrong (code ``AUTH_FAILED``, if the platform says so).
            RateLimitedError: too many attempts from this address.
        """
        password, app_token = wrapped(password), wrapped(app_token)
        body = {"email": email_text(email), "password": _given(password, "password")}
        return await self._enter(operations.LOGIN, body, app_id, app_token)

    async def complete_mfa(
        self, mfa_token: str | Secret, code: str, *, app_id: str | None = None, app_token: str | Secret | None = None
    ) -> Session:
        """Complete a log-in that raised `MfaRequiredError`, when the code arrives in another request than the password.

        Raises:
            UnauthorizedError, ValidationFailedError: the code is wrong, or came too late.
        """
        mfa_token, app_token = wrapped(mfa_token), wrapped(app_token)
        secret_code = Secret(required_text(code, "code"))
        del code
        body = {"mfaToken": _given(mfa_token, "mfa_token"), "code": secret_code}
        try:
            return await self._enter(operations.COMPLETE_MFA, body, app_id, app_token)
        except ChatError as error:
            # The engine masks values under names such as "password"; this name does not reveal that it is a secret.
            error.args = (scrub(error.message, [secret_code]),)
            error.code = scrub(error.code, [secret_code]) if error.code else None
            error.request_id = scrub(error.request_id, [secret_code]) if error.request_id else None
            raise

    async def sign_up(
        self,
        email: str,
        first_name: str,
        *,
        last_name: str | None = None,
        password: str | Secret | None = None,
        captcha_token: str | None = None,
        utm: str | None = None,
        app_id: str | None = None,
        app_token: str | Secret | None = None,
    ) -> Outcome[str]:
        """Register a user who will log in by e-mail address. It opens no session, and is never retried.

        Args:
            password: without one the platform generates one and mails it, by its older route
                (docs/platforms/ethora.md#sessions).
            captcha_token: Turnstile's token, if the platform requires one (``cfToken``).
            utm: the user's campaign parameters.
            app_id, app_token: as for `login`.

        Returns:
            An outcome ``created``; its key is the address.

        Raises:
            ConflictError: the address has an account already.
            ValidationFailedError: the platform rejects a name, the password or the captcha.
        """
        password, captcha_token, app_token = wrapped(password), wrapped(captcha_token), wrapped(app_token)
        address = email_text(email)
        body: dict[str, Any] = {"email": address, "firstName": required_text(first_name, "first_name")}
        if last_name is not None:
            body["lastName"] = optional_text(last_name, "last_name")
        if password is not None:
            body["password"] = _given(password, "password")
        if captcha_token is not None:
            body["cfToken"] = captcha_token
        if utm is not None:
            body["utm"] = utm
        operation = operations.SIGN_UP_BY_MAIL if password is None else operations.SIGN_UP
        app = await self._context.open()
        credentials = _app_credentials(body, app, app_id, app_token)
        reply = await app.engine.call(operation, data=body, credentials=credentials)
        return Outcome(address, address, "created", attempts=reply.attempts, request_id=reply.request_id)

    async def refresh(self, session: Session) -> Session:
        """Return the next session: new tokens, the rest unchanged. Keep it in place of the old one.

        Concurrent calls for one session share one request; and for a minute afterwards the old session is answered with
        the same new one, for requests that were already in flight (refresh tokens may work only once).

        Raises:
            UnauthorizedError: it has ended; code ``REFRESH_RECORD_NOT_FOUND``.
            InvalidInputError: it has no refresh token.
        """
        token = session.refresh_token
        if token is None:
            msg = "the session has no refresh token: log in again"
            raise InvalidInputError(msg, field="session")
        if (successor := self._successors.get(token)) is not None:
            return successor
        flight = self._flights.get(token)
        if flight is None:
            flight = self._flights[token] = SingleFlight(partial(self._refresh, session, token))
        return await joined(flight, self._context.clock, operations.REFRESH.name)

    async def me(self, session: Session) -> Session:
        """Return the current user of a session, as a session with the tokens of the reply.

        An expired session is renewed: continue with the returned one.

        Raises:
            UnauthorizedError: it has ended.
        """
        credentials = self.signer(session)
        app = await self._context.open()
        reply = await app.engine.call(operations.ME, credentials=credentials)
        before = credentials.session
        app_id = before.app_id or app.app_id
        return read_session(reply.data, app_id, origin=reply.origin, before=before)

    async def logout(self, session: Session, scope: LogoutScope = "current") -> Outcome[str]:
        """End sessions of the user: this one, ``"all"`` of them, or all the ``"others"``.

        An expired session is renewed first, since its refresh token would stay valid.

        Returns:
            An outcome ``deleted``, or ``absent`` when the session had already ended; its key is the user's id.

        Raises:
            UnauthorizedError: the session has ended, and was to end others.
        """
        return await self.end(self.signer(session), scope)

    def signer(self, session: Session, on_renewed: OnRenewed | None = None) -> SessionCredentials:
        """Return credentials that sign requests with a session, and renew it."""
        context = self._context
        signer = SessionCredentials(
            session, self.refresh, clock=context.clock, emitter=context.emitter, on_renewed=on_renewed
        )
        self._signers.add(signer)
        return signer

    async def end(self, signer: SessionCredentials, scope: LogoutScope) -> Outcome[str]:
        """Log out with a session that is in use: unless only others end, it is not renewed any more."""
        if scope not in _WIRE_SCOPE:
            msg = f"scope must be 'current', 'all' or 'others', not {scope!r}"
            raise InvalidInputError(msg, field="scope")
        key = signer.session.user.id
        app = await self._context.open()
        try:
            reply = await app.engine.call(operations.LOGOUT, query={"type": _WIRE_SCOPE[scope]}, credentials=signer)
        except UnauthorizedError as error:
            if scope != "current":
                raise
            signer.end()
            return Outcome(key, key, "absent", attempts=error.attempts, request_id=error.request_id)
        if scope != "others":
            signer.end()
        return Outcome(key, key, "deleted", attempts=reply.attempts, request_id=reply.request_id)

    async def aclose(self) -> None:
        """Cancel pending renewals; the client calls it when it is closed."""
        for signer in list(self._signers):
            await signer.aclose()
        for flight in list(self._flights.values()):
            await flight.aclose()

    async def _enter(
        self, operation: Operation, body: dict[str, Any], app_id: str | None, app_token: str | Secret | None
    ) -> Session:
        app = await self._context.open()
        credentials = _app_credentials(body, app, app_id, app_token)
        reply = await app.engine.call(operation, data=body, credentials=credentials)
        data = sealed(reply.data) if isinstance(reply.data, dict) else {}
        entered = body.get("appId", app.app_id)
        if not data.get("mfaRequired"):
            return read_session(data, entered, origin=reply.origin)
        token = data.get("mfaToken")
        if not isinstance(token, Secret) or not token:
            msg = "the platform asks for a second factor, and its reply names no mfaToken"
            raise reply.origin.lost(msg)
        raise MfaRequiredError(
            "the platform asks for a second factor: call complete(code) on this error",
            mfa_token=token,
            finish=lambda code: self.complete_mfa(token, code, app_id=app_id, app_token=app_token),
            operation=operation.name,
            attempts=reply.attempts,
        )

    async def _refresh(self, session: Session, token: Secret) -> Session:
        try:
            app = await self._context.open()
            credentials = FixedCredentials(authorization(token))
            reply = await app.engine.call(operations.REFRESH, credentials=credentials)
            renewed = read_renewed(reply.data, session, origin=reply.origin)
            self._successors.put(token, renewed, _GRACE)
            return renewed
        finally:
            self._flights.pop(token, None)


def _app_credentials(body: dict[str, Any], app: App, app_id: str | None, app_token: str | Secret | None) -> Credentials:
    """Name the app in the body, unless a token does; and return the token's credentials, if there is one."""
    if app_id is not None or app_token is None:
        body["appId"] = app.app_id if app_id is None else id_text(app_id, "app_id")
    if app_token is None:
        return FixedCredentials()
    return FixedCredentials({"Authorization": token_secret(app_token, "app_token").reveal()})


def _given(value: Any, field: str) -> Secret:
    if not isinstance(value, Secret):
        msg = f"{field} must be text, not {type(value).__name__}"
        raise InvalidInputError(msg, field=field)
    if not value:
        msg = f"{field} is empty"
        raise InvalidInputError(msg, field=field)
    return value


__all__ = ["LogoutScope", "Session", "Sessions"]
