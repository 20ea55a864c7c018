"""Every operation of Avaya that this client uses (docs/platforms/avaya.md#access-token, #generate-jwt).

Both only create another token, and may be repeated.
"""

from __future__ import annotations

from ethora_async.request import Operation

ACCESS_TOKEN = Operation(
    "tokens.access",
    "POST",
    "/api/auth/v1/{account}/protocol/openid-connect/token",
    repeatable=True,
    source="docs/platforms/avaya.md#access-token",
)
GENERATE_JWT = Operation(
    "tokens.for_user",
    "POST",
    "/api/digital/chat/v1/accounts/{account}/tokens",
    repeatable=True,
    source="docs/platforms/avaya.md#generate-jwt",
)
