"""Calls through hvac, one at a time, with errors that hold nothing of hvac, requests or the server.

Their exceptions hold the request with its token, and the server's text may echo it: neither leaves this module.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from ethora_async_secrets.errors import SecretDeniedError, SecretError, SecretMalformedError, SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_FOUND: Final = 404

# The server's text is never quoted as such; only the first of these phrases that it contains is.
_PHRASES: Final = (
    "past the max ttl",
    "wrapping token is not valid",
    "invalid role or secret id",
    "invalid role_id",
    "namespace not found",
    "no handler for route",
    "service account name not authorized",
    "namespace not authorized",
    "invalid audience",
    "invalid issuer",
    "token is expired",
    "token not yet valid",
    "could not be found",
    "error validating token",
    "http request to an https server",
    "sealed",
    "not initialized",
)
_BY_STATUS: Final[dict[str, tuple[int, str]]] = {
    "InvalidRequest": (400, "refused the request (400)"),
    "Unauthorized": (401, "refused the request (401)"),
    "Forbidden": (403, "refused the request (403)"),
    "InvalidPath": (NOT_FOUND, "has nothing there (404)"),
    "RateLimitExceeded": (429, "asks us to slow down (429)"),
    "InternalServerError": (500, "failed inside (500)"),
    "VaultNotInitialized": (501, "is not initialised (501)"),
    "BadGateway": (502, "is behind a gateway that does not reach it (502)"),
    "VaultDown": (503, "is sealed, starting or down (503)"),
}


class VaultCallError(Exception):
    """A failed call: `status` is the server's (0 without an answer), `reason` describes it, `phrase` quotes the server.

    `kind` is the class of error that callers will see; it never holds a credential.
    """

    def __init__(self, kind: type[SecretError], reason: str, *, status: int = 0, phrase: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.phrase = phrase

    @property
    def token_refused(self) -> bool:
        """Whether another token may help: 401, 403, and 500 past a token's max TTL."""
        return self.status in (401, 403) or (self.status == 500 and "max ttl" in self.phrase)


@attrs.frozen
class Target:
    """The server, and how to reach it: `ca` is a PEM file or directory, `timeout` in seconds."""

    address: str
    namespace: str
    ca: str
    timeout: float
    trust_env: bool
    skip_verify_set: bool


class Wire:
    """Calls to one server through one `requests` session, which several threads may use at once.

    Raises `VaultCallError` when hvac is not installed or the CA file is missing.
    """

    __slots__ = ("_closed", "_hvac", "_session", "target")

    def __init__(self, target: Target) -> None:
        self.target: Target = target
        try:
            self._hvac: Any = import_module("hvac")
            requests: Any = import_module("requests")
        except ImportError:
            reason = "needs hvac, which is not installed: pip install 'ethora-async[vault]'"
            raise VaultCallError(SecretUnavailableError, reason) from None
        if target.ca and not os.path.exists(target.ca):
            reason = f"cannot be checked: its CA file {target.ca} does not exist. Fix VAULT_CACERT or ca="
            raise VaultCallError(SecretUnavailableError, reason)
        self._session = requests.Session()
        # a path given to hvac is ignored when the session has its own default
        self._session.verify = target.ca or True
        # a proxy must not see requests to this machine
        self._session.trust_env = target.trust_env
        # otherwise requests adds a password from ~/.netrc
        self._session.auth = _as_it_is
        self._closed = False

    def close(self) -> None:
        """Close the connections; a pending call closes its own when it ends."""
        self._closed = True
        self._session.close()

    def call(self, token: str, ask: Callable[[Any], object]) -> dict[str, Any]:
        """Return the result of `ask(client)`; `client` is an hvac client with `token` ("" for none)."""
        if self._closed:
            raise VaultCallError(SecretUnavailableError, "was not asked: its provider is closed")
        target = self.target
        client = self._hvac.Client(
            url=target.address,
            token=token,
            session=self._session,
            verify=target.ca or True,
            namespace=target.namespace or None,
            timeout=target.timeout,
            # requests would send the token wherever a standby redirects
            allow_redirects=False,
        )
        fault: VaultCallError | None = None
        reply: object = None
        try:
            reply = ask(client)
        except Exception as error:  # noqa: BLE001  any error holds the token
            fault = self._fault(error)
        finally:
            # closed after the check above: the connection that this call has opened would stay open
            if self._closed:
                self._session.close()
        # outside the handler, so that the fault has no context
        if fault is not None:
            raise fault
        return self._body(reply)

    def _fault(self, error: Exception) -> VaultCallError:
        names = {kind.__name__ for kind in type(error).__mro__}
        if "VaultError" in names:
            return _refusal(error, type(error).__name__)
        if "SSLError" in names:
            return VaultCallError(SecretUnavailableError, self._distrust(error))
        if "Timeout" in names:
            return VaultCallError(SecretUnavailableError, f"did not answer within {self.target.timeout:g} s")
        if "ConnectionError" in names:
            return VaultCallError(SecretUnavailableError, "cannot be reached")
        return VaultCallError(SecretUnavailableError, f"could not be asked ({type(error).__name__})")

    def _distrust(self, error: Exception) -> str:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            return "does not speak TLS as expected: check that its address begins with the right http:// or https://"
        hint = " VAULT_SKIP_VERIFY is set and not honoured." if self.target.skip_verify_set else ""
        return (
            "shows a certificate that is not trusted for this address. This is a matter of configuration: name the "
            f"CA that signed it in VAULT_CACERT or ca=.{hint}"
        )

    def _body(self, reply: object) -> dict[str, Any]:
        if isinstance(reply, dict):
            return cast("dict[str, Any]", reply)
        status = int(getattr(reply, "status_code", 0))
        if 300 <= status < 400:
            reason = (
                f"is a standby that points elsewhere ({status}), which is not followed: a token goes to no other "
                "host. Use the address of the active node or of the load balancer"
            )
            raise VaultCallError(SecretUnavailableError, reason, status=status)
        raise VaultCallError(SecretMalformedError, f"did not answer with a JSON object ({status}): is this a Vault?")


def _refusal(error: Exception, name: str) -> VaultCallError:
    status, reason = _BY_STATUS.get(name, (0, "answered with a status that is not known"))
    said = f"{getattr(error, 'errors', '')} {getattr(error, 'text', '')}".lower()
    phrase = next((known for known in _PHRASES if known in said), "")
    if phrase:
        reason = f'{reason}, saying "{phrase}"'
    denied = status in (400, 401, 403)
    return VaultCallError(SecretDeniedError if denied else SecretUnavailableError, reason, status=status, phrase=phrase)


def _as_it_is(request: object) -> object:
    return request
