"""Identifiers and tokens as Meteor makes them."""

from __future__ import annotations

import base64
import hashlib
import secrets

LETTERS = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
TOKEN_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"  # noqa: S105 - an alphabet
ID_LENGTH = 17
TOKEN_LENGTH = 43


def new_id() -> str:
    """Return a record id of 17 unambiguous letters."""
    return "".join(secrets.choice(LETTERS) for _ in range(ID_LENGTH))


def new_token() -> str:
    """Return an auth token of 43 letters."""
    return "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))


def hash_token(token: str) -> str:
    """Return base64(sha256(token)), the form in which the server stores a token."""
    return base64.b64encode(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()).decode()


def digest(password: str) -> str:
    """Return the lower-case hex sha256 of a password, as clients send it."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).hexdigest()
