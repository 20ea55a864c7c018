"""Reject options with a single value that are given twice, and empty values."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand


class OnceCommand(TyperCommand):
    """A command that rejects a second value for an option that takes one, and a value that is empty.

    Click keeps the last value and silently drops the others: a list of users would be ignored, and with ``--prune``
    everybody in it deleted. An empty value comes from a variable that is not set; as a path it would be the current
    directory.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments as usual, after a check for repeated options and empty values."""
        given, _, order = self.make_parser(ctx).parse_args(list(args))
        for parameter in order:
            values = given.get(parameter.name)
            if "" in (values if isinstance(values, (list, tuple)) else (values,)):
                name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
                msg = f"{(name or parameter.name.upper()).strip('[]')} is empty: give it a value, or leave it out"
                raise typer.BadParameter(msg, ctx)
        for parameter, times in Counter(order).items():
            if times > 1 and parameter.param_type_name == "option" and not _repeatable(parameter):
                option = parameter.opts[0]
                msg = f"{option} was given {times} times, but takes one value: keep one"
                raise typer.BadParameter(msg, ctx)
        return super().parse_args(ctx, args)


def _repeatable(option: Any) -> bool:
    return bool(option.multiple or option.is_flag or option.count)
