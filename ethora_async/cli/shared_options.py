"""Options that several commands share, declared once: ``@takes(lists=list_options)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from ethora_async.cli.json_reply import complain
from ethora_async.cli.platforms import ALL, Platform, check_supported
from ethora_async.cli.runtime import USAGE, Options
from ethora_async.errors import InvalidInputError

Command = Callable[..., None]


def takes(**bundles: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options that functions declare as their parameters.

    The command receives each function's result under the name given here. An `InvalidInputError` of such a function
    ends the command with exit code 2.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        shared = {name: inspect.signature(bundle, eval_str=True).parameters for name, bundle in bundles.items()}

        @wraps(command)
        def called(**given: Any) -> None:
            made: dict[str, Any] = {}
            for name, bundle in bundles.items():
                arguments = {parameter: given.pop(parameter) for parameter in shared[name]}
                try:
                    made[name] = bundle(**arguments)
                except InvalidInputError as error:
                    complain(f"error: {error}", error)
                    raise typer.Exit(USAGE) from None
            command(**given, **made)

        parameters: list[inspect.Parameter] = []
        for name, parameter in own.parameters.items():
            parameters += shared[name].values() if name in shared else [parameter]
        _declare(called, parameters)
        return called

    return decorate


def on_platforms(*supported: Platform, name: str | None = None) -> Callable[[Command], Command]:
    """Give a command the option ``--platform``, which also works before the command.

    Args:
        supported: The platforms that the command supports. Any other ends it with exit code 2 and a message that says
            so.
        name: The command's name in that message; by default the path by which it was called.
    """
    choices = ", ".join(one.value for one in supported)
    text = "The platform to work with." if supported == ALL else f"The platform to work with: {choices}."

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(*, platform: Platform | None, context: typer.Context, **given: Any) -> None:
            options: Options = context.obj.on(platform)
            path = name or context.command_path.removeprefix(context.find_root().info_name or "").strip()
            try:
                check_supported(options.platform, path, supported)
            except InvalidInputError as error:
                complain(f"error: {error}", error)
                raise typer.Exit(USAGE) from None
            context.obj = options
            command(**given, **({"context": context} if takes_context else {}))

        own = inspect.signature(command, eval_str=True).parameters
        takes_context = "context" in own
        _declare_with_platform(called, own, typer.Option("--platform", help=text, show_default=False))
        return called

    return decorate


def on_no_platform(command: Command) -> Command:
    """Make a command that works on a database alone refuse ``--platform``, before and after the command."""

    @wraps(command)
    def called(*, platform: Platform | None, context: typer.Context, **given: Any) -> None:
        root = context.find_root()
        before = root.get_parameter_source("platform")
        if platform is not None or (before is not None and before.name == "COMMANDLINE"):
            path = context.command_path.removeprefix(root.info_name or "").strip()
            error = InvalidInputError(f"ethora {path} uses no platform: leave out --platform", field="platform")
            complain(f"error: {error}", error)
            raise typer.Exit(USAGE)
        command(**given, **({"context": context} if takes_context else {}))

    own = inspect.signature(command, eval_str=True).parameters
    takes_context = "context" in own
    _declare_with_platform(called, own, typer.Option("--platform", hidden=True))
    return called


def _declare_with_platform(command: Command, own: Mapping[str, inspect.Parameter], option: Any) -> None:
    """Show Typer a command's own parameters, the context and the option ``--platform``."""
    annotation = Annotated[Platform | None, option]
    platform = inspect.Parameter("platform", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    _declare(command, [context, *(one for one in own.values() if one.name != "context"), platform])


def _declare(command: Command, parameters: list[inspect.Parameter]) -> None:
    """Show these parameters to Typer, which passes all of them by name."""
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    signature: Any = command
    signature.__signature__ = inspect.Signature(keywords)
    command.__annotations__ = {one.name: one.annotation for one in keywords}
    # `wraps` points at the original, which has other parameters.
    del signature.__wrapped__
