"""The names of a Rocket.Chat client's settings, and the conversion of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import ConfigError
from ethora_async.redaction import Secret
from ethora_async.tokens.settings import RotatingSettings, passed_provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.engine.emitter import Emitter
    from ethora_async.protocols import Clock
    from ethora_async.tokens.settings import Values
    from ethora_async_secrets import SecretProvider

URL = "ROCKETCHAT_URL"
USER = "ROCKETCHAT_USER"
PASSWORD = "ROCKETCHAT_PASSWORD"  # noqa: S105  the names of settings
USER_ID = "ROCKETCHAT_USER_ID"
TOKEN = "ROCKETCHAT_TOKEN"  # noqa: S105
TOTP_SECRET = "ROCKETCHAT_TOTP_SECRET"  # noqa: S105
CREATE_TOKENS_SECRET = "ROCKETCHAT_CREATE_TOKENS_SECRET"  # noqa: S105

ARGUMENTS = {
    URL: "url",
    USER: "user",
    PASSWORD: "password",
    USER_ID: "user_id",
    TOKEN: "token",
    TOTP_SECRET: "totp_secret",
    CREATE_TOKENS_SECRET: "create_tokens_secret",
}
BY_PASSWORD, BY_TOKEN = (USER, PASSWORD), (USER_ID, TOKEN)
ADMIN = (*BY_PASSWORD, *BY_TOKEN)
ROTATING = (*ADMIN, TOTP_SECRET, CREATE_TOKENS_SECRET)


@attrs.frozen
class Admin:
    """One set of the admin's credentials: a personal access token, or a user name and password.

    `key` identifies it, and is not secret.
    """

    user: str
    secret: Secret
    by_token: bool
    key: str


@attrs.frozen
class CreateTokensSecret:
    """The server's ``CREATE_TOKENS_FOR_USERS_SECRET``; `key` identifies it, and is not secret."""

    secret: Secret
    key: str


def admin_of(values: Values) -> Admin:
    """Return the admin's credentials: the personal access token if there is one.

    Raises:
        ConfigError: there are none.
    """
    for (name, secret), by_token in ((BY_TOKEN, True), (BY_PASSWORD, False)):
        user, word = values.get(name), values.get(secret)
        if user and word:
            return Admin(user.strip(), Secret(word), by_token, values.only((name, secret)).key)
    msg = f"no admin is named: set {' and '.join(BY_PASSWORD)}, or {' and '.join(BY_TOKEN)} for a personal access token"
    raise ConfigError(msg)


def create_tokens_secret_of(values: Values) -> CreateTokensSecret:
    """Return the secret that Rocket.Chat 8.0 and later require for creating tokens.

    Raises:
        ConfigError: there is none.
    """
    word = values.get(CREATE_TOKENS_SECRET)
    if word is None:
        msg = (
            "Rocket.Chat 8.0 and later create tokens only with the server's CREATE_TOKENS_FOR_USERS_SECRET:"
            f" set {CREATE_TOKENS_SECRET}, or pass create_tokens_secret="
        )
        raise ConfigError(msg)
    return CreateTokensSecret(Secret(word), values.key)


def masked(values: Values, name: str) -> Secret | None:
    """Return a setting, masked; None if it is not set."""
    value = values.get(name)
    return None if value is None else Secret(value)


def rotating(
    by_name: Mapping[str, str | Secret | None],
    secret: str | Secret | SecretProvider | None,
    *,
    clock: Clock,
    emitter: Emitter,
) -> RotatingSettings:
    """Return a client's settings from the arguments by the names of the settings, and from `secret`, masked."""
    return RotatingSettings(
        ARGUMENTS,
        _passed_in(by_name, secret if isinstance(secret, Secret) else None),
        required=(URL,),
        rotating=ROTATING,
        provider=passed_provider(secret),
        alternatives=(BY_PASSWORD, BY_TOKEN),
        clock=clock,
        emitter=emitter,
    )


def _passed_in(by_name: Mapping[str, str | Secret | None], secret: Secret | None) -> Mapping[str, str | Secret | None]:
    """Return what was passed in; `secret` is the token beside a user id, else the password.

    Raises:
        ConfigError: the credential was passed in twice.
    """
    if secret is None:
        return by_name
    if by_name[PASSWORD] is not None or by_name[TOKEN] is not None:
        msg = "pass the credential as secret=, or as password= or token=, and not both"
        raise ConfigError(msg)
    return {**by_name, (PASSWORD if by_name[USER_ID] is None else TOKEN): secret}
