"""Secrets in AWS Secrets Manager (extra `aws`, which brings boto3)."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ethora_async_secrets.aws.client import Settings, SharedClient
from ethora_async_secrets.aws.errors import ReadFailure
from ethora_async_secrets.aws.read import close_connection, read_stages
from ethora_async_secrets.concurrency import run_blocking
from ethora_async_secrets.errors import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async_secrets.aws.read import StagedRead
    from ethora_async_secrets.bundle import SecretBundle

_log = logging.getLogger(__name__)

DEFAULT_KEY: Final = "ETHORA_CHAT_APP_SECRET"
_NAME: Final = re.compile(r"(?:arn:[A-Za-z0-9-]+:secretsmanager:[a-z0-9-]+:\d+:secret:)?[A-Za-z0-9/_+=.@!-]{1,519}")
_REGION: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_PROFILE: Final = re.compile(r"[^\x00-\x1f\x7f\[\]]{1,128}")
_ROLE: Final = re.compile(r"arn:[A-Za-z0-9-]+:iam::\d+:role/[A-Za-z0-9/_+=,.@-]{1,512}")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PATIENCE: Final = 6


class AwsSecretsManagerProvider:
    """Reads one secret of AWS Secrets Manager, by name or ARN, on every call. Wrap it in a `CachedProvider`.

    * A JSON object gives one value for each name. Values that are not strings, such as the numeric `port` of a secret
      that RDS manages, are left out (`SecretBundle.unusable`), since their text form would be a guess. A secret that
      does not begin with `{` is the plain value of `key`. Binary secrets are read as UTF-8 text.
    * `previous` and `pending` are the stages AWSPREVIOUS and AWSPENDING; AWSPENDING on the current version is ignored.
      `version` is the current version's id. A read makes three `GetSecretValue` calls, one for each stage, and needs no
      other permission: `DescribeSecret` would save some calls and need one more. If another stage than the current one
      is denied or invalid, it is left out; if it is temporarily unavailable, its value from the last read of the same
      version is used. Either is logged once.
    * `region` defaults to that in the ARN, then to the AWS configuration's; `profile` is a profile of the AWS
      configuration; `role_arn` is a role to assume with the credentials found, renewed before they expire; `endpoint`
      is for Secrets Manager alone (STS has `AWS_ENDPOINT_URL_STS`). Credentials come from boto3's usual sources:
      environment variables, web identity (`AWS_ROLE_ARN` with `AWS_WEB_IDENTITY_TOKEN_FILE`), files, container,
      instance. Expired or unknown credentials are loaded again, once per read.
    * Connecting and answering may take `timeout` seconds each (default 3.0), in two attempts; a whole read at most six
      times as long.

    Raises `ValueError` for an invalid argument, without quoting it. Reads raise `SecretUnavailableError` (no such
    secret, scheduled for deletion, throttled, expired credentials or none, no region, unreachable, boto3 not
    installed), `SecretDeniedError` (no permission, wrong credentials, a KMS key that does not decrypt, an invalid
    request) or `SecretMalformedError` (an invalid value). Errors name AWS's code and quote nothing else of its answer.
    boto3's own log records of these calls are dropped below WARNING, since at DEBUG they contain the secret.
    """

    __slots__ = ("_connections", "_last", "_problems", "_settings")

    def __init__(
        self,
        name_or_arn: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        role_arn: str | None = None,
        endpoint: str | None = None,
        key: str = DEFAULT_KEY,
        timeout: float = 3.0,
    ) -> None:
        _match(_NAME, name_or_arn, "this is not the name or ARN of a secret: it has letters, digits and /_+=.@!- only.")
        if region is None and name_or_arn.startswith("arn:"):
            region = name_or_arn.split(":")[3]
        _match(_REGION, region, "region does not look like eu-west-1.")
        _match(_PROFILE, profile, "profile is empty or holds control characters or brackets.")
        _match(_ROLE, role_arn, "role_arn does not look like arn:aws:iam::123456789012:role/reader.")
        _match(_KEY, key, "key does not look like ETHORA_CHAT_APP_SECRET.")
        if endpoint is not None:
            _check_endpoint(endpoint)
        if not 0 < timeout < float("inf"):
            msg = f"timeout is {timeout!r}; it must be a number of seconds above 0."
            raise ValueError(msg)
        self._settings = Settings(name_or_arn, key, region, profile, role_arn, endpoint, timeout)
        self._connections: dict[int, SharedClient] = {}
        self._last: SecretBundle | None = None
        self._problems: Mapping[str, ReadFailure] = {}

    def __repr__(self) -> str:
        return f"AwsSecretsManagerProvider({self._settings.name!r})"

    @property
    def source(self) -> str:
        """`aws-sm:` and the name or ARN."""
        return f"aws-sm:{self._settings.name}"

    async def fetch(self) -> SecretBundle:
        """Call Secrets Manager, as `refresh` does: there is no cache here."""
        return await self.refresh()

    async def refresh(self) -> SecretBundle:
        """Read the three stages from Secrets Manager."""
        reading = await self._read()
        if reading is None:
            limit = self._settings.timeout * _PATIENCE
            msg = f"{self.source} did not answer within {limit:g} s: check the network, the region and the endpoint."
            raise SecretUnavailableError(msg, self.source)
        if isinstance(reading, ReadFailure):
            msg = f"{self.source} cannot be read: {reading}."
            raise reading.error(msg, self.source)
        self._warn(reading.problems, reading.bundle)
        self._last = reading.bundle
        return reading.bundle

    def invalidate(self, version: str) -> None:
        """Do nothing: there is no cache here."""

    async def aclose(self) -> None:
        """Close the connections; a later `fetch` opens new ones."""
        self._last = None
        connection = self._connections.pop(os.getpid(), None)
        if connection is not None:
            await run_blocking(close_connection, connection)

    async def _read(self) -> StagedRead | ReadFailure | None:
        """Return the result of a read, or None after its time limit; the thread then finishes and its result is
        dropped.
        """
        read = run_blocking(read_stages, self._connection(), self._settings, self.source, self._last)
        try:
            return await asyncio.wait_for(read, self._settings.timeout * _PATIENCE)
        except TimeoutError:
            return None

    def _connection(self) -> SharedClient:
        # by process: a forked child must not use its parent's sockets; setdefault, since two event loops may race
        return self._connections.setdefault(os.getpid(), SharedClient(self._settings))

    def _warn(self, problems: Mapping[str, ReadFailure], bundle: SecretBundle) -> None:
        for stage, problem in problems.items():
            if problem != self._problems.get(stage):
                _log.warning(
                    "%s: %s was not read: %s. Serving version %s.", self.source, stage, problem, bundle.version
                )
        self._problems = problems


def _match(pattern: re.Pattern[str], value: str | None, otherwise: str) -> None:
    # never quoted: a misplaced value may be a secret
    if value is not None and not pattern.fullmatch(value):
        raise ValueError(otherwise)


def _check_endpoint(endpoint: str) -> None:
    fine = False
    try:
        parts = urlsplit(endpoint)
        bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
        fine = bare and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not endpoint.isprintable() or " " in endpoint:
        msg = "endpoint does not look like https://host:8443."
        raise ValueError(msg)
