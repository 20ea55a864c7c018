"""``python -m ethora_async``: the same as the command ``ethora``."""

from __future__ import annotations

from ethora_async.cli import main

if __name__ == "__main__":
    main()
