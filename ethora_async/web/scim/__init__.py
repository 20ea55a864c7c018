"""SCIM 2.0 (extra ``scim``): an identity provider such as Microsoft Entra ID or Okta drives the chat's users and rooms.

```python
directory = ScimDirectory("postgresql://app@db/app")
routes = Routes(
    token=TokenEndpoint(chat, identify, is_active=directory.is_active),
    scim=ScimEndpoint(directory, ScimTokens("vault://vault:8200/secret/scim")),
)
worker = Worker(chat, "postgresql://app@db/app")
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async_secrets.lazy import lazy_exports

if TYPE_CHECKING:
    from ethora_async.web.scim.directory import DirectoryUser, ScimDirectory
    from ethora_async.web.scim.endpoint import ScimEndpoint
    from ethora_async.web.scim.mapping import ScimMapping
    from ethora_async.web.scim.tokens import ScimTokens

_HOMES = {
    "directory": ("DirectoryUser", "ScimDirectory"),
    "endpoint": ("ScimEndpoint",),
    "mapping": ("ScimMapping",),
    "tokens": ("ScimTokens",),
}

__all__ = ["DirectoryUser", "ScimDirectory", "ScimEndpoint", "ScimMapping", "ScimTokens"]

if not TYPE_CHECKING:  # a type checker must refuse a name that is not exported
    __getattr__, __dir__ = lazy_exports(__name__, _HOMES)
