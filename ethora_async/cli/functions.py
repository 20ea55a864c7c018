"""Load the user's functions that options name as ``MODULE:FUNCTION``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from ethora_async.errors import ConfigError


def load_function(name: str, option: str) -> Any:
    """Import the function for ``MODULE:FUNCTION``; modules in the working directory are found too.

    Raises:
        ConfigError: It cannot be imported, or is not a function. The message names `option`.
    """
    module, _, function = name.partition(":")
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # noqa: BLE001  the user's module may raise any error
        reason = str(error) or type(error).__name__
        msg = f"{option} {name} cannot be loaded: {reason}; write MODULE:FUNCTION, for example myapp.chat:lookup"
        raise ConfigError(msg) from None
    if not callable(found):
        msg = f"{option} {name} is not a function"
        raise ConfigError(msg)
    return found
