"""Log in to Vault: by token, AppRole, Kubernetes service account or JWT."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, final

import attrs

from ethora_async_secrets.errors import SecretDeniedError, SecretMalformedError, SecretUnavailableError
from ethora_async_secrets.vault.wire import VaultCallError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ethora_async_secrets.vault.wire import Wire

_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_LARGEST: Final = 64 * 1024
# The characters that an HTTP header and a JSON string carry unchanged; requests prints a header that it rejects.
_CREDENTIAL: Final = re.compile(r"[!-~]+")


@attrs.frozen
class LoginGrant:
    """A token and its lifetime in `seconds` (0: unlimited).

    `checked` is False when the server would not describe the token.
    """

    token: str = attrs.field(repr=False)
    seconds: float
    renewable: bool
    checked: bool = True


class VaultLogin(Protocol):
    """A way to get a token. All of its work happens in a thread, one login at a time.

    One login object serves one provider.
    """

    @property
    def name(self) -> str:
        """The method, for messages: `token`, `approle`, `kubernetes`, `jwt`."""
        ...

    def login(self, wire: Wire, environ: Mapping[str, str]) -> LoginGrant:
        """Return a token; raise `VaultCallError`."""
        ...

    def superseded(self, token: str, environ: Mapping[str, str]) -> bool:
        """Return whether `token`, obtained here before, has been replaced at its origin."""
        ...


@final
class _Credential:
    """A credential given as a value, in a file, or in a variable; read again at each use, never printed."""

    __slots__ = ("_default", "_file", "_value", "_variable", "_what")

    def __init__(self, what: str, variable: str, value: str | None, file: str | None, default: str = "") -> None:
        if value is not None and file is not None:
            msg = f"A Vault {what} is given twice, as a value and as a file: keep one of them."
            raise ValueError(msg)
        self._what = what
        self._variable = variable
        self._value = value
        self._file = file
        self._default = default

    def __repr__(self) -> str:
        if self._value is not None:
            return "given"
        return f"file {self._file}" if self._file else f"${self._variable}"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Vault login cannot be pickled or copied, since that would write out its credential.")

    def there(self, environ: Mapping[str, str]) -> bool:
        """Return whether its place is configured, apart from the default file."""
        named = self._value is not None or self._file
        return bool(named or environ.get(self._variable) or environ.get(f"{self._variable}_FILE"))

    def read(self, environ: Mapping[str, str]) -> str:
        """Return it without surrounding white space."""
        value, where = self._value, "the one given"
        if value is None and not self._file:
            value, where = environ.get(self._variable) or None, f"the one in {self._variable}"
        if value is None:
            path = self._file or environ.get(f"{self._variable}_FILE") or os.path.expanduser(self._default)
            if not path:
                reason = f"was not asked: there is no {self._what}. Set {self._variable} or {self._variable}_FILE"
                raise VaultCallError(SecretUnavailableError, reason)
            value, where = self._read_file(path), f"the one in file {path}"
        value = value.strip()
        if not _CREDENTIAL.fullmatch(value):
            lacks = "has characters that none has" if value else "is empty"
            raise VaultCallError(SecretMalformedError if value else SecretUnavailableError, self._unasked(where, lacks))
        return value

    def _read_file(self, path: str) -> str:
        where = f"file {path}"
        try:
            with open(path, "rb") as file:
                content = file.read(_LARGEST + 1)
        except PermissionError:
            raise VaultCallError(SecretDeniedError, self._unasked(where, "must not be read by us")) from None
        except OSError as error:
            lacks = f"cannot be read ({type(error).__name__})"
            if isinstance(error, FileNotFoundError) and path == os.path.expanduser(self._default):
                lacks = f"does not exist. Set {self._variable} or {self._variable}_FILE"
            raise VaultCallError(SecretUnavailableError, self._unasked(where, lacks)) from None
        if len(content) > _LARGEST:
            raise VaultCallError(SecretMalformedError, self._unasked(where, "is over 64 KiB"))
        # a value that is not ASCII is rejected by the check of its characters
        return content.decode("ascii", "replace")

    def _unasked(self, where: str, lacks: str) -> str:
        return f"was not asked: its {self._what} ({where}) {lacks}"


class TokenLogin:
    """An existing token: `token`, `token_file`, or `VAULT_TOKEN`, `VAULT_TOKEN_FILE`, `~/.vault-token`.

    A file or variable is read again at each use, so a Vault Agent may replace the token at any time. A renewable token
    is renewed. When it ends and there is no other one, reads raise `SecretDeniedError`.
    """

    name = "token"

    def __init__(self, token: str | None = None, *, token_file: str | None = None) -> None:
        self._token = _Credential("token", "VAULT_TOKEN", token, token_file, "~/.vault-token")

    def __repr__(self) -> str:
        return f"TokenLogin({self._token!r})"

    def login(self, wire: Wire, environ: Mapping[str, str]) -> LoginGrant:
        """Return the token, with its lifetime as reported by the server."""
        token = self._token.read(environ)
        try:
            about = wire.call(token, lambda client: client.auth.token.lookup_self()).get("data")
        except VaultCallError as fault:
            if fault.token_refused or fault.status == 400:
                # it may be valid and still not be allowed to look itself up
                return LoginGrant(token, 0, renewable=False, checked=False)
            raise
        seconds, renewable = _terms(about, "ttl")
        return LoginGrant(token, seconds, renewable)

    def superseded(self, token: str, environ: Mapping[str, str]) -> bool:
        """Compare with the file or variable; one that cannot be read now does not replace a good token."""
        try:
            return self._token.read(environ) != token
        except VaultCallError:
            return False


class _FreshLogin:
    """The shared code of methods that exchange a credential for a token."""

    name = ""

    def superseded(self, token: str, environ: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return False: only the server ends these tokens."""
        return False

    def _exchange(self, wire: Wire, ask: Callable[[Any], object], hint: str) -> LoginGrant:
        try:
            auth = wire.call("", ask).get("auth")
        except VaultCallError as fault:
            if fault.status not in (400, 401, 403, 404):
                raise
            reason = f"refused the {self.name} login ({fault.status}{_quoted(fault)}): {hint}"
            denied = VaultCallError(SecretDeniedError, reason, status=fault.status, phrase=fault.phrase)
        else:
            token = auth.get("client_token") if isinstance(auth, dict) else None
            if isinstance(token, str) and _CREDENTIAL.fullmatch(token):
                seconds, renewable = _terms(auth, "lease_duration")
                return LoginGrant(token, seconds, renewable)
            denied = VaultCallError(
                SecretMalformedError, f"answered the {self.name} login without a token: is this a Vault?"
            )
        raise denied


class AppRoleLogin(_FreshLogin):
    """An AppRole: a role id and a secret id, each given as a value, in a file, or in the environment.

    Variables: `VAULT_ROLE_ID` and `VAULT_SECRET_ID`, or with `_FILE` a file's path. Files are read at each login. With
    `wrapped` the given secret id is a wrapping token; `VAULT_WRAPPED_SECRET_ID` (`_FILE`) also holds one. It is
    unwrapped once, after a check that it was created by this mount's `role/…/secret-id` (of `role`, if that is given),
    and the secret id stays in memory; a new wrapping token in the file is unwrapped at the next login.
    """

    name = "approle"

    def __init__(
        self,
        role_id: str | None = None,
        secret_id: str | None = None,
        *,
        role_id_file: str | None = None,
        secret_id_file: str | None = None,
        wrapped: bool = False,
        role: str | None = None,
        mount: str = "approle",
    ) -> None:
        self._role_id = _Credential("role id", "VAULT_ROLE_ID", role_id, role_id_file)
        plain = (None, None) if wrapped else (secret_id, secret_id_file)
        sealed = (secret_id, secret_id_file) if wrapped else (None, None)
        self._secret_id = _Credential("secret id", "VAULT_SECRET_ID", *plain)
        self._wrapped_id = _Credential("wrapped secret id", "VAULT_WRAPPED_SECRET_ID", *sealed)
        self._wrapped = wrapped
        self._role = role
        self._mount = mount.strip("/")
        self._unwrapped = _Unwrapped("", "")

    def __repr__(self) -> str:
        secret = f"wrapped {self._wrapped_id!r}" if self._wrapped else repr(self._secret_id)
        return f"AppRoleLogin({self._role_id!r}, {secret}, mount={self._mount!r})"

    def login(self, wire: Wire, environ: Mapping[str, str]) -> LoginGrant:
        """Unwrap the secret id if necessary, and log in."""
        role_id = self._role_id.read(environ)
        wrapped = self._wrapped or (not self._secret_id.there(environ) and self._wrapped_id.there(environ))
        secret_id = self._unwrap(wire, environ) if wrapped else self._secret_id.read(environ)
        return self._exchange(
            wire,
            lambda client: client.auth.approle.login(role_id, secret_id, use_token=False, mount_point=self._mount),
            "its role id or secret id is wrong, expired or used up. Issue a new secret id",
        )

    def _unwrap(self, wire: Wire, environ: Mapping[str, str]) -> str:
        token = self._wrapped_id.read(environ)
        if self._unwrapped.wrapping == token:
            return self._unwrapped.secret_id
        try:
            self._check_origin(wire, token)
            data = wire.call(token, lambda client: client.sys.unwrap()).get("data")
        except VaultCallError as fault:
            if fault.kind is SecretUnavailableError or not fault.status:
                raise
            reason = (
                f"does not unwrap the secret id ({fault.status}{_quoted(fault)}): it has expired or was unwrapped "
                "already. If not by us, somebody else has it: revoke it, and issue a new one"
            )
            raise VaultCallError(SecretDeniedError, reason, status=fault.status) from None
        secret_id = data.get("secret_id") if isinstance(data, dict) else None
        if not isinstance(secret_id, str) or not secret_id:
            raise VaultCallError(SecretMalformedError, "unwrapped something that holds no secret id")
        self._unwrapped = _Unwrapped(token, secret_id)
        return secret_id

    def _check_origin(self, wire: Wire, token: str) -> None:
        reply = wire.call("", lambda client: client.adapter.post("/v1/sys/wrapping/lookup", json={"token": token}))
        data = reply.get("data")
        path = data.get("creation_path") if isinstance(data, dict) else None
        role = re.escape(self._role) if self._role else "[^/]+"
        expected = rf"(?:.+/)?auth/{re.escape(self._mount)}/role/{role}/(?:custom-)?secret-id"
        if not isinstance(path, str) or not re.fullmatch(expected, path):
            reason = (
                f"says that the wrapped secret id was not made by auth/{self._mount}/role/{self._role or '…'}/secret-id"
                ": it may have been replaced in transit, and was not unwrapped. Issue a new one"
            )
            raise VaultCallError(SecretDeniedError, reason)


@attrs.frozen
class _Unwrapped:
    """A secret id and the wrapping token that held it."""

    wrapping: str = attrs.field(repr=False)
    secret_id: str = attrs.field(repr=False)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Vault login cannot be pickled or copied, since that would write out its credential.")


class _BearerLogin(_FreshLogin):
    """A signed token of another issuer, exchanged for one of Vault's; read again at each login."""

    _else = ""

    def __init__(self, role: str, jwt: _Credential, mount: str) -> None:
        if not role:
            msg = f"A {self.name} login needs a role."
            raise ValueError(msg)
        self._role = role
        self._jwt = jwt
        self._mount = mount.strip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._role!r}, {self._jwt!r}, mount={self._mount!r})"

    def login(self, wire: Wire, environ: Mapping[str, str]) -> LoginGrant:
        """Read the token and exchange it."""
        jwt = self._jwt.read(environ)
        return self._exchange(
            wire,
            lambda client: self._ask(client, jwt),
            f"role {self._role!r} at auth/{self._mount} does not exist or does not accept this token{self._else}",
        )

    def _ask(self, client: Any, jwt: str) -> object:
        return client.auth.jwt.jwt_login(self._role, jwt, use_token=False, path=self._mount)


class KubernetesLogin(_BearerLogin):
    """The pod's service account, for `role`; `token_file` defaults to the path where Kubernetes mounts its token."""

    name = "kubernetes"
    _else = ", or the server could not ask the cluster about it, which it reports in the same words"

    def __init__(self, role: str, *, token_file: str | None = None, mount: str = "kubernetes") -> None:
        account = _Credential("service account token", "VAULT_KUBERNETES_TOKEN", None, token_file, _SERVICE_ACCOUNT)
        super().__init__(role, account, mount)

    def _ask(self, client: Any, jwt: str) -> object:
        return client.auth.kubernetes.login(self._role, jwt, use_token=False, mount_point=self._mount)


class JWTLogin(_BearerLogin):
    """A JWT for `role`: `jwt`, `jwt_file`, or `VAULT_JWT`, `VAULT_JWT_FILE`."""

    name = "jwt"

    def __init__(self, role: str, jwt: str | None = None, *, jwt_file: str | None = None, mount: str = "jwt") -> None:
        super().__init__(role, _Credential("JWT", "VAULT_JWT", jwt, jwt_file), mount)


def login_named(auth: str, role: str | None, mount: str | None) -> VaultLogin:
    """Return the login named `auth`, with credentials from the environment; raise `ValueError`."""
    if auth == "token":
        if role or mount:
            raise ValueError("auth=token takes no role or auth_mount. Leave them out, or choose another auth.")
        return TokenLogin()
    if auth == "approle":
        return AppRoleLogin(role=role, mount=mount or "approle")
    if auth not in ("kubernetes", "jwt"):
        raise ValueError("auth is not known. Known: token, approle, kubernetes, jwt.")
    if not role:
        raise ValueError(f"auth={auth} lacks a role. Write role=NAME.")
    return KubernetesLogin(role, mount=mount or auth) if auth == "kubernetes" else JWTLogin(role, mount=mount or auth)


def _quoted(fault: VaultCallError) -> str:
    return f', "{fault.phrase}"' if fault.phrase else ""


def _terms(about: object, ttl: str) -> tuple[float, bool]:
    """Return a token's lifetime in seconds (0: unlimited), and whether it can be renewed."""
    if not isinstance(about, dict):
        raise VaultCallError(SecretMalformedError, "did not return the token's lifetime: is this a Vault?")
    seconds = about.get(ttl)
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return (float(seconds) if good and seconds else 0.0), about.get("renewable") is True
