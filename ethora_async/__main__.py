"""Run the command line: ``python -m ethora_async`` is the same as ``ethora``."""

from __future__ import annotations

from ethora_async.cli import main

if __name__ == "__main__":
    main()
