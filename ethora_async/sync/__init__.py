"""What ought to be on the platform: read from files."""

from __future__ import annotations
