"""Secrets from where they live, fresh, rotated without a deploy, and never printed.

```python
secrets = CachedProvider(provider_from_url("env: file:///run/secrets/ethora"))
bundle = await secrets.fetch()
key = bundle.reveal("ETHORA_CHAT_APP_SECRET")
```

Knows nothing of chat or HTTP; needs the standard library and attrs. Third-party providers are checked with
the suite in `ethora_async_secrets.testing`.
"""

from __future__ import annotations

from ethora_async_secrets.bundle import SecretBundle
from ethora_async_secrets.cached import CachedProvider, Clock
from ethora_async_secrets.chain import Attempt, ChainProvider
from ethora_async_secrets.env import EnvProvider
from ethora_async_secrets.files import FileProvider
from ethora_async_secrets.provider import (
    BadProviderURL,
    SecretDenied,
    SecretError,
    SecretMalformed,
    SecretNotFound,
    SecretProvider,
    SecretUnavailable,
)
from ethora_async_secrets.static import StaticProvider
from ethora_async_secrets.url import provider_from_url

__all__ = [
    "Attempt",
    "BadProviderURL",
    "CachedProvider",
    "ChainProvider",
    "Clock",
    "EnvProvider",
    "FileProvider",
    "SecretBundle",
    "SecretDenied",
    "SecretError",
    "SecretMalformed",
    "SecretNotFound",
    "SecretProvider",
    "SecretUnavailable",
    "StaticProvider",
    "provider_from_url",
]
