"""The state of the local Avaya: one account with its OAuth client, and every issued token."""

from __future__ import annotations

import base64
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from ethora_async.sandbox.avaya.faults import AvayaFaults

ISSUER = "https://eu.cc.avayacloud.com"
SUBJECT = "digital-chat"
KEPT = 10_000


@attrs.frozen
class Minted:
    """An issued chat token: its customer and its expiry."""

    value: str = attrs.field(repr=False)
    integration_id: str
    customer_id: str
    verified: bool
    name: str | None
    identifiers: Mapping[str, list[str]] | None
    ttl: int
    expires_at: float


@attrs.define
class Account:
    """One account. `secrets_taken` are the client secrets that the token endpoint accepts, `app_keys` the accepted
    keys.
    """

    account_id: str
    client_id: str
    secrets_taken: tuple[str, ...] = attrs.field(repr=False)
    app_keys: tuple[str, ...] = attrs.field(repr=False)
    integration_ids: set[str]
    lifetime: float
    clock: Callable[[], float]
    faults: AvayaFaults
    minted: OrderedDict[str, Minted] = attrs.field(factory=OrderedDict, repr=False)
    access: OrderedDict[str, float] = attrs.field(factory=OrderedDict, repr=False)

    def issue(self) -> dict[str, Any]:
        """Issue an access token and return the body of the reply (docs/platforms/avaya.md#access-token)."""
        value = secrets.token_urlsafe(48)
        self.access[value] = self.clock() + self.lifetime
        _forget(self.access)
        body: dict[str, Any] = {"access_token": value, "expires_in": int(self.lifetime)}
        if self.faults.unstated_lifetime:
            del body["expires_in"]
        return {
            **body,
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "email profile",
        }

    def knows(self, access_token: str) -> bool:
        """Return whether this access token was issued here and has not expired."""
        return self.clock() < self.access.get(access_token, 0.0)

    def mint(self, body: Mapping[str, Any]) -> Minted:
        """Mint a chat token for a validated request."""
        ttl = body.get("ttl") or 15
        expires = int(self.clock() + ttl * 60 + self.faults.token_shift)
        claims = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "integrationId": body["integrationId"],
            "exp": expires,
            "jti": secrets.token_hex(16),
        }
        parts = [_part({"alg": "RS256"}), _part(claims), _encoded(secrets.token_bytes(256))]
        value = ".".join(parts if self.faults.bare_tokens else ["jwt", *parts])
        token = Minted(
            value=value,
            integration_id=body["integrationId"],
            customer_id=body["customerId"],
            verified=bool(body.get("verifiedCustomer")),
            name=body.get("customerName"),
            # Identifiers of a guest are ignored (docs/platforms/avaya.md#lifetime-guests-and-verified-customers).
            identifiers=body.get("customerIdentifiers") if body.get("verifiedCustomer") else None,
            ttl=ttl,
            expires_at=float(expires),
        )
        self.minted[value] = token
        _forget(self.minted)
        return token


def _forget(tokens: OrderedDict[str, Any]) -> None:
    while len(tokens) > KEPT:
        tokens.popitem(last=False)


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(orjson.dumps(dict(value)))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
