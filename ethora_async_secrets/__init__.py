"""Read secrets from their store, follow rotations without a deploy, and never print them.

```python
secrets = CachedProvider(provider_from_url("env: file:///run/secrets/ethora"))
bundle = await secrets.fetch()
key = bundle.reveal("ETHORA_CHAT_APP_SECRET")
```

The package is independent of chat and HTTP, and needs only the standard library and attrs. Check your own providers
with the suite in `ethora_async_secrets.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async_secrets.aws.provider import AwsSecretsManagerProvider
    from ethora_async_secrets.bundle import SecretBundle
    from ethora_async_secrets.cached import CachedProvider, Clock
    from ethora_async_secrets.chain import Attempt, ChainProvider
    from ethora_async_secrets.env import EnvProvider
    from ethora_async_secrets.errors import (
        BadProviderURLError,
        NoSecretsError,
        SecretDeniedError,
        SecretError,
        SecretMalformedError,
        SecretNotFoundError,
        SecretUnavailableError,
    )
    from ethora_async_secrets.files import FileProvider
    from ethora_async_secrets.provider import SecretProvider
    from ethora_async_secrets.static import StaticProvider
    from ethora_async_secrets.url import provider_from_url
    from ethora_async_secrets.vault.provider import VaultProvider

_HOMES = {
    "aws.provider": ("AwsSecretsManagerProvider",),
    "bundle": ("SecretBundle",),
    "cached": ("CachedProvider", "Clock"),
    "chain": ("Attempt", "ChainProvider"),
    "env": ("EnvProvider",),
    "errors": (
        "BadProviderURLError",
        "NoSecretsError",
        "SecretDeniedError",
        "SecretError",
        "SecretMalformedError",
        "SecretNotFoundError",
        "SecretUnavailableError",
    ),
    "files": ("FileProvider",),
    "provider": ("SecretProvider",),
    "static": ("StaticProvider",),
    "url": ("provider_from_url",),
    "vault.provider": ("VaultProvider",),
}

__all__ = [
    "Attempt",
    "AwsSecretsManagerProvider",
    "BadProviderURLError",
    "CachedProvider",
    "ChainProvider",
    "Clock",
    "EnvProvider",
    "FileProvider",
    "NoSecretsError",
    "SecretBundle",
    "SecretDeniedError",
    "SecretError",
    "SecretMalformedError",
    "SecretNotFoundError",
    "SecretProvider",
    "SecretUnavailableError",
    "StaticProvider",
    "VaultProvider",
    "provider_from_url",
]

if not TYPE_CHECKING:  # Type checkers must reject a name that is not exported.
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
