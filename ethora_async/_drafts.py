"""Make objects of frozen classes quickly."""

from __future__ import annotations

from typing import Any


def draft_of(cls: type[Any]) -> type[Any]:
    """Return a subclass of a frozen class whose attributes can be set; its objects can become objects of `cls`.

    The ``__init__`` of a frozen class takes ten times as long, since it sets each attribute by a call. Make an object
    with ``object.__new__``, set every attribute, and assign `cls` to its ``__class__``.
    """
    # Both methods, or Python keeps its slow way of setting attributes, through the methods of `cls`.
    methods = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"{cls.__name__}Draft", (cls,), {"__slots__": (), **methods})


__all__ = ["draft_of"]
