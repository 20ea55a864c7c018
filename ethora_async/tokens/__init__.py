"""Making and keeping the tokens that front ends and requests carry."""

from __future__ import annotations
