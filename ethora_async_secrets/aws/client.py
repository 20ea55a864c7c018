"""The boto3 client of a provider: created once, on first use, in a worker thread, with credentials that renew."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import attrs

from ethora_async_secrets.aws.quiet import hush_new_loggers

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTEMPTS: Final = 2
_SESSION_NAME: Final = "ethora-async"


@attrs.frozen
class Settings:
    """The secret to read and the AWS settings; None leaves a setting to the AWS SDK. `timeout` is in seconds."""

    name: str
    key: str
    region: str | None
    profile: str | None
    role_arn: str | None
    endpoint: str | None
    timeout: float


class Client(Protocol):
    """The methods of a boto3 Secrets Manager client that are used."""

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> Mapping[str, object]:  # noqa: N803
        """Request one version; raise botocore's errors."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class ClosedError(Exception):
    """The connection was closed before a thread could use it."""


class SharedClient:
    """One client at a time, shared by all threads. Every method blocks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._closed = False

    def client(self) -> Client:
        """Return the client, created at the first call; raise `ClosedError` after `close`, or an error of the SDK."""
        with self._lock:
            if self._closed:
                raise ClosedError
            if self._client is None:
                self._client = _make_client(self._settings)
            return self._client

    def renew(self, used: Client) -> None:
        """Let the next client load its credentials again, unless another thread has requested that since `used`."""
        with self._lock:
            if self._client is used:
                self._client = None
                used.close()

    def close(self) -> None:
        """Close the client for good; a pending call on it ends normally."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None


def _make_client(settings: Settings) -> Client:
    import boto3.session
    import botocore.session

    hush_new_loggers()
    core = botocore.session.Session(profile=settings.profile)
    # a default, so that it also applies to clients that the SDK creates itself, above all those of STS
    core.set_default_client_config(_config(settings.timeout))
    if settings.role_arn is not None:
        core = _in_role(core, settings.role_arn, settings)
    session = boto3.session.Session(botocore_session=core, region_name=settings.region)
    client: Any = session.client("secretsmanager", endpoint_url=settings.endpoint)
    hush_new_loggers()
    return cast("Client", client)


def _config(timeout: float) -> object:
    from botocore.config import Config

    return Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
    )


def _in_role(core: Any, role_arn: str, settings: Settings) -> Any:
    """Return a session whose only credentials are those of the role, renewed before they expire.

    STS is called at its own endpoint: `settings.endpoint` is that of Secrets Manager, and a private AWS endpoint serves
    nothing else.
    """
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialResolver,
        DeferredRefreshableCredentials,
    )
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    own = core.get_credentials()
    if own is None:
        raise NoCredentialsError
    region = settings.region or core.get_config_variable("region")
    fetcher = AssumeRoleCredentialFetcher(
        partial(core.create_client, region_name=region),
        own,
        role_arn,
        extra_args={"RoleSessionName": _SESSION_NAME},
    )
    assumed = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    session = Session(profile=settings.profile)
    session.set_default_client_config(_config(settings.timeout))
    session.register_component("credential_provider", CredentialResolver([_Ready(assumed)]))
    return session


class _Ready:
    """A botocore credential provider with fixed credentials."""

    METHOD: Final = "assume-role"
    CANONICAL_NAME: Final = None

    def __init__(self, credentials: object) -> None:
        self._credentials = credentials

    def load(self) -> object:
        return self._credentials
