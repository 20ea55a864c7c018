"""Load the public names of a package, and make the attributes of an object, on first use."""

from __future__ import annotations

import sys
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# To type checkers a made attribute is a property: pyright does not see that `cached_property` satisfies a protocol.
if TYPE_CHECKING:
    made_once = property
else:
    made_once = cached_property


def lazy_exports(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package whose names load on first use.

    ```python
    __getattr__, __dir__ = lazy_exports(__name__, {"client": ("Client",), "errors": ("ClientError",)})
    ```

    Args:
        package: The package's `__name__`.
        homes: The public names, by the module that defines them, relative to `package`.
    """
    home_of = {name: f"{package}.{module}" for module, names in homes.items() for name in names}

    def getattr_(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home_of})

    return getattr_, dir_
