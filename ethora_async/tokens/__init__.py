"""Create and cache the tokens of front ends and requests."""

from __future__ import annotations
