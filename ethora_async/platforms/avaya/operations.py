"""Every operation of Avaya that this client uses (contract §A2, §A3).

Neither changes anything but that a token more is in the world: both may be repeated.
"""

from __future__ import annotations

from ethora_async.request import Operation

ACCESS_TOKEN = Operation(
    "tokens.access",
    "POST",
    "/api/auth/v1/{account}/protocol/openid-connect/token",
    repeatable=True,
    source="contract §A2",
)
GENERATE_JWT = Operation(
    "tokens.for_user",
    "POST",
    "/api/digital/chat/v1/accounts/{account}/tokens",
    repeatable=True,
    source="contract §A3",
)
