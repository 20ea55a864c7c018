"""A dependency of FastAPI's, which reads annotations where they stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header


async def current_user(x_user: Annotated[str | None, Header()] = None) -> str | None:
    """Return the user of the request."""
    return x_user or None
