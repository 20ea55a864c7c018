"""The faults of a sandbox as switches, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.faults import Break, Delay, Faults, InjectedFault, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.ui.view import Knob

SWITCHES: Mapping[str, tuple[str, str]] = {
    "slow": ("Slow replies (0.5 s)", "*: latency=0.5"),
    "down": ("Every call fails (503)", "*: status=503 times=all"),
    "flaky": ("Every third call fails (500)", "*: status=500 times=all every=3"),
    "limited": ("Rate limit (10 calls a second)", "*: limit=10 per=1 retry_after=1"),
    "reset": ("Connections are reset", "*: cut=before times=all"),
    "lost": ("Replies are lost after the work", "*: cut=after times=all"),
}
"""Label and spec (see `Faults.parse`) by key."""


class Switches:
    """Turns faults on and off by name; faults that code or the command line set are listed beside them."""

    def __init__(self, faults: Faults, knobs: tuple[Knob, ...]) -> None:
        self._faults = faults
        self._knobs = knobs
        self._on: dict[str, tuple[InjectedFault, ...]] = {}
        self._numbers: dict[InjectedFault, int] = {}
        self._next = 1

    def state(self) -> dict[str, Any]:
        """Return the switches, the settings and all active faults."""
        active = self._faults.active
        self._on = {key: kept for key, set_ in self._on.items() if (kept := tuple(f for f in set_ if f in active))}
        return {
            "switches": [{"key": key, "label": label, "on": key in self._on} for key, (label, _) in SWITCHES.items()],
            "knobs": [
                {"name": knob.name, "label": knob.label, "value": getattr(self._faults, knob.name)}
                for knob in self._knobs
            ],
            "active": [
                {"id": self._number(fault), "route": fault.route, "does": describe(fault), "hits": fault.hits}
                for fault in active
            ],
        }

    def switch(self, key: str, *, on: bool) -> None:
        """Turn a switch on or off.

        Raises:
            ValueError: there is no such switch.
        """
        if key not in SWITCHES:
            msg = f"There is no switch {key!r}."
            raise ValueError(msg)
        for fault in self._on.pop(key, ()):
            fault.remove()
        if on:
            self._on[key] = self._load(SWITCHES[key][1])

    def add(self, spec: str) -> None:
        """Set the faults of a spec.

        Raises:
            ValueError: the spec cannot be read; the message quotes the part.
        """
        if not spec.strip():
            msg = "Write a fault, such as POST /v2/chats: status=503 times=2"
            raise ValueError(msg)
        self._load(spec)

    def set(self, name: str, value: object) -> None:
        """Change a setting.

        Raises:
            ValueError: there is no such setting, or the value has the wrong type.
        """
        if name not in {knob.name for knob in self._knobs}:
            msg = f"There is no setting {name!r}."
            raise ValueError(msg)
        kind = type(getattr(self._faults, name))
        if kind is bool and isinstance(value, bool):
            setattr(self._faults, name, value)
        elif kind is not bool and isinstance(value, int | float) and not isinstance(value, bool) and _usable(value):
            setattr(self._faults, name, kind(value))
        else:
            msg = f"{name} must be {'on or off' if kind is bool else 'a number from 0 on'}."
            raise ValueError(msg)

    def remove(self, number: int) -> None:
        """Remove one fault; does nothing if it is already gone."""
        for fault in self._faults.active:
            if self._number(fault) == number:
                fault.remove()

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def _load(self, spec: str) -> tuple[InjectedFault, ...]:
        before = self._faults.active
        self._faults.load(spec)
        return tuple(fault for fault in self._faults.active if fault not in before)

    def _number(self, fault: InjectedFault) -> int:
        if fault not in self._numbers:
            active = self._faults.active
            self._numbers = {known: number for known, number in self._numbers.items() if known in active}
            self._numbers[fault] = self._next
            self._next += 1
        return self._numbers[fault]


def describe(fault: InjectedFault) -> str:
    """Describe the effect of a fault."""
    if isinstance(fault, Delay):
        return f"wait {fault.seconds:g} s"
    if isinstance(fault, Break):
        failure = fault.failure
        if failure.cut is not None:
            return {"before": "reset the connection", "after": "lose the reply", "body": "send half a reply"}[
                failure.cut
            ]
        status = failure.answer.status if failure.answer is not None else 0
        if isinstance(fault, Limit):
            return f"answer {status} above the limit"
        return f"answer {status} after the work" if failure.after_work else f"answer {status}"
    return "unknown"


def _usable(value: float) -> bool:
    return 0 <= value < float("inf")
