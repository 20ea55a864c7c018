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
    """Read one secret of AWS Secrets Manager, by name or ARN, anew at each call: put it into a `CachedProvider`.

    * A JSON object is taken name by name. Values that are not strings, such as the numeric `port` of a secret that RDS
      manages, are left out (`SecretBundle.unusable`): their spelling as text would be a guess.
      Anything that does not begin with `{` is the plain value of `key`. Binary secrets are read as UTF-8 text.
    * `previous` and `pending` are the stages AWSPREVIOUS and AWSPENDING; AWSPENDING on the current version counts as
      none. `version` is the current version's id. A read is three `GetSecretValue` calls, one a stage, and needs no
      other permission: `DescribeSecret` would save some and need one more. A stage other than the current one
      that is denied or unreadable is left out, one that cannot be had now is taken over from the last read of the same
      version; either is logged once.
    * `region` defaults to that in the ARN, then the AWS configuration's; `profile` is one of the AWS configuration's;
      `role_arn` is a role to assume with the credentials found, renewed before they expire; `endpoint` is
      Secrets Manager's alone (STS has `AWS_ENDPOINT_URL_STS`). Credentials come from boto3's usual places:
      variables, web identity (`AWS_ROLE_ARN` with `AWS_WEB_IDENTITY_TOKEN_FILE`), files, container, machine. Expired or
      unknown ones are looked for afresh, once a read.
    * Connecting and answering may take `timeout` seconds each (default 3.0), in two attempts; a whole read, six times
      as long.

    Raises `ValueError` for an argument that cannot be right, repeating none. Reads raise `SecretUnavailableError` (no
    such secret, scheduled for deletion, throttled, expired credentials or none, no region, unreachable, boto3 not
    installed), `SecretDeniedError` (no permission, wrong credentials, a KMS key that does not decrypt, an invalid
    request),
    `SecretMalformedError` (an unfit value). Errors name AWS's code and repeat nothing else of its answer. boto3's
    own log records of these calls are dropped below WARNING, since at DEBUG they hold the secret.
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
        _match(_NAME, name_or_arn, "the secret is no name or ARN of one: it has letters, digits and /_+=.@!- only.")
        if region is None and name_or_arn.startswith("arn:"):
            region = name_or_arn.split(":")[3]
        _match(_REGION, region, "region does not look like eu-west-1.")
        _match(_PROFILE, profile, "profile is empty or holds control characters or brackets.")
        _match(_ROLE, role_arn, "role_arn does not look like arn:aws:iam::123456789012:role/reader.")
        _match(_KEY, key, "key does not look like ETHORA_CHAT_APP_SECRET.")
        if endpoint is not None:
            _check_endpoint(endpoint)
        if not 0 < timeout < float("inf"):
            msg = f"timeout is {timeout!r}; it is a number of seconds above 0."
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
        """Ask Secrets Manager, as `refresh` does: nothing is cached here."""
        return await self.refresh()

    async def refresh(self) -> SecretBundle:
        """Ask Secrets Manager for the three stages."""
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
        """Do nothing: nothing is cached here."""

    async def aclose(self) -> None:
        """Close the connections; a later `fetch` opens new ones."""
        self._last = None
        connection = self._connections.pop(os.getpid(), None)
        if connection is not None:
            await run_blocking(close_connection, connection)

    async def _read(self) -> StagedRead | ReadFailure | None:
        """Return what came of a read, or None when the time for it is over; it then ends unheard in its thread."""
        read = run_blocking(read_stages, self._connection(), self._settings, self.source, self._last)
        try:
            return await asyncio.wait_for(read, self._settings.timeout * _PATIENCE)
        except TimeoutError:
            return None

    def _connection(self) -> SharedClient:
        # by process: a forked child must not talk on its parent's sockets; setdefault, as two loops may come at once
        return self._connections.setdefault(os.getpid(), SharedClient(self._settings))

    def _warn(self, problems: Mapping[str, ReadFailure], bundle: SecretBundle) -> None:
        for stage, problem in problems.items():
            if problem != self._problems.get(stage):
                _log.warning(
                    "%s: %s was not read: %s. Serving version %s.", self.source, stage, problem, bundle.version
                )
        self._problems = problems


def _match(pattern: re.Pattern[str], value: str | None, otherwise: str) -> None:
    # never repeated: what stands in the wrong place may be a secret
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
