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

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from ethora_async_secrets.aws import AwsSecretsManagerProvider
    from ethora_async_secrets.vault import VaultProvider

_HOME_OF = {
    "AwsSecretsManagerProvider": "aws",
    "VaultProvider": "vault",
}
"""Names that are loaded when first used: what is behind them is not everybody's."""

__all__ = [
    "Attempt",
    "AwsSecretsManagerProvider",
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
    "VaultProvider",
    "provider_from_url",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value
