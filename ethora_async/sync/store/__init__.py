"""The journal of a plan: its file, its schema and every statement on it."""

from __future__ import annotations

from ethora_async.sync.store.items import Actual, Comparison, Entry, Kind, Problem, Wanted
from ethora_async.sync.store.journal import Journal

__all__ = ["Actual", "Comparison", "Entry", "Journal", "Kind", "Problem", "Wanted"]
