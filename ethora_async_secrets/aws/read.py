"""Blocking reads of a secret's stages from AWS Secrets Manager.

Nothing here raises: a failure is returned as data, so that no traceback holds a frame with values in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

import attrs

from ethora_async_secrets._formats import FormatError, Parsed, parse_json
from ethora_async_secrets.aws.client import ClosedError
from ethora_async_secrets.aws.errors import ReadFailure, explain
from ethora_async_secrets.aws.quiet import quiet_botocore
from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.errors import SecretMalformedError, SecretUnavailableError
from ethora_async_secrets.text import is_text, without_newline

if TYPE_CHECKING:
    from ethora_async_secrets.aws.client import Client, Settings, SharedClient

CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
PENDING: Final = "AWSPENDING"

_ROUNDS: Final = 3


@attrs.frozen
class StagedRead:
    """One read: the bundle, and by stage why another one than the current could not be read."""

    bundle: SecretBundle
    problems: Mapping[str, ReadFailure]


@attrs.frozen
class _Version:
    bundle: SecretBundle
    labels: frozenset[str]


def read_stages(
    connection: SharedClient, settings: Settings, source: str, last: SecretBundle | None
) -> StagedRead | ReadFailure:
    """Read the current version, then the previous and the pending one.

    A stage that is temporarily unavailable is taken from `last`, if that has the same current version.
    """
    with quiet_botocore():
        return _Reader(connection, settings, source, last).read()


def close_connection(connection: SharedClient) -> None:
    """Close the connection without logging secrets."""
    with quiet_botocore():
        connection.close()


class _Reader:
    """The calls of one read; credentials are loaded again at most once."""

    def __init__(self, connection: SharedClient, settings: Settings, source: str, last: SecretBundle | None) -> None:
        self._connection = connection
        self._settings = settings
        self._source = source
        self._last = last
        self._renewed = False

    def read(self) -> StagedRead | ReadFailure:
        """Read until no stage moved during a whole round, three times at most."""
        reading, settled = self._round()
        for _ in range(_ROUNDS - 1):
            if settled:
                break
            reading, settled = self._round()
        return reading

    def _round(self) -> tuple[StagedRead | ReadFailure, bool]:
        current = self._ask(CURRENT)
        if isinstance(current, ReadFailure):
            return current, True
        if not current.bundle.names():
            if current.bundle.unusable:
                reason = next(iter(current.bundle.unusable.values()))
                return ReadFailure(SecretMalformedError, "", f"its {CURRENT} value is unfit: {reason}"), True
            return ReadFailure(SecretUnavailableError, "", "it holds no value: add one"), True
        sides, problems, settled = self._sides(current)
        bundle = current.bundle
        values = {name: bundle.reveal(name) for name in bundle.names()}
        whole = SecretBundle(
            values,
            version=bundle.version,
            source=self._source,
            created_at=bundle.created_at,
            previous=sides.get(PREVIOUS),
            pending=sides.get(PENDING),
            unusable=bundle.unusable,
        )
        return StagedRead(whole, problems), settled

    def _sides(self, current: _Version) -> tuple[dict[str, SecretBundle], dict[str, ReadFailure], bool]:
        """Return the other stages' values, why any of them could not be read, and whether no stage moved in the
        meantime.
        """
        sides: dict[str, SecretBundle] = {}
        problems: dict[str, ReadFailure] = {}
        down: ReadFailure | None = None
        settled = True
        for stage in (PREVIOUS, PENDING):
            # a finished rotation may leave AWSPENDING on the version that it made current
            if stage in current.labels:
                continue
            answer = down or self._ask(stage)
            if isinstance(answer, ReadFailure):
                if answer.absent:
                    continue
                problems[stage] = answer
                if answer.error is SecretUnavailableError:
                    down = answer
                    sides.update(self._taken_over(stage, current))
            elif answer.bundle.version == current.bundle.version or CURRENT in answer.labels:
                settled = False
            elif answer.bundle.names():
                sides[stage] = answer.bundle
        return sides, problems, settled

    def _taken_over(self, stage: str, current: _Version) -> dict[str, SecretBundle]:
        last = self._last
        if last is None or last.version != current.bundle.version:
            return {}
        side = last.previous if stage == PREVIOUS else last.pending
        return {} if side is None else {stage: side}

    def _ask(self, stage: str) -> _Version | ReadFailure:
        answer, used = self._ask_once(stage)
        if isinstance(answer, ReadFailure) and answer.renewable and used is not None and not self._renewed:
            self._renewed = True
            self._connection.renew(used)
            answer, _ = self._ask_once(stage)
        return answer

    def _ask_once(self, stage: str) -> tuple[_Version | ReadFailure, Client | None]:
        client: Client | None = None
        try:
            client = self._connection.client()
            response = client.get_secret_value(SecretId=self._settings.name, VersionStage=stage)
            return self._version(response), client
        except ClosedError:
            return ReadFailure(SecretUnavailableError, "", "its provider was closed meanwhile"), None
        except (FormatError, _UnfitError) as problem:
            return ReadFailure(SecretMalformedError, "", f"its {stage} value is unfit: {problem}"), client
        except Exception as error:  # noqa: BLE001  no error of the SDK may escape: its frames hold secrets
            return explain(error), client

    def _version(self, response: Mapping[str, object]) -> _Version:
        version, created = response.get("VersionId"), response.get("CreatedDate")
        if not isinstance(version, str) or not version:
            raise _UnfitError("the reply is not from Secrets Manager (check the endpoint)")
        parsed = _values(_text(response), self._settings.key)
        bundle = SecretBundle(
            parsed.values,
            unusable=parsed.unusable,
            version=version,
            source=self._source,
            created_at=created.timestamp() if isinstance(created, datetime) else None,
        )
        return _Version(bundle, frozenset(cast("list[str]", response.get("VersionStages") or [])))


class _UnfitError(Exception):
    """A value that must be rejected; the message does not quote it."""


def _text(response: Mapping[str, object]) -> str:
    text, binary = response.get("SecretString"), response.get("SecretBinary")
    if isinstance(text, str):
        return text
    if not isinstance(binary, bytes):
        raise _UnfitError("the answer holds neither text nor bytes (check the endpoint)")
    try:
        return binary.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnfitError(f"it is binary and not UTF-8 (byte {error.start})") from None


def _values(text: str, key: str) -> Parsed:
    # text that begins like an object is never a plain value: it would be a truncated object with other names in it
    if text.lstrip().startswith("{"):
        return parse_json(text)
    if not is_text(text):
        raise _UnfitError("it holds characters that are not text")
    value = without_newline(text)
    return Parsed({key: value} if value.strip() else {}, {})
