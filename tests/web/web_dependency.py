"""A dependency of FastAPI's, which reads annotations where they stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header


async def current_user(x_user: Annotated[str | None, Header()] = None) -> str | None:
    """Whose request it is."""
    return x_user or None
