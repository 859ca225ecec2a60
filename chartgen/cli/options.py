"""The options that every command and the program itself share; the command's own win."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chartgen.cli.console import Console, Settings

COLORS = ("auto", "always", "never")
HELP_NAMES = {"help_option_names": ["-h", "--help"]}
# Equal to the platforms of a spec, the kinds of engines and the formats of a report; stated here
# because help must not import those modules. A test compares them.
PLATFORM_NAMES = ("modern", "legacy")
ENGINE_NAMES = ("vllm", "llamacpp", "sglang", "tabbyapi", "app")
FORMAT_NAMES = ("text", "json", "github", "sarif")


class FiniteRange(click.FloatRange):
    """A range of numbers in which no `nan` lies, as it does in each of click's, and no `inf`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number. Fails as click does for what is none or lies without the range."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


def _shared(*names: str, setting: str, constant: Any = None, **more: Any) -> click.Option:
    """Make an option that is kept in the context's object, by the name of its setting."""

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        # Left out, a flag is False and an option None: what the program itself was given stays.
        if value not in (None, False):
            context.obj[setting] = value if constant is None else constant

    return click.Option(names, expose_value=False, callback=keep, **more)


def common_options(*, json: bool = True) -> list[click.Parameter]:
    """Return the shared options; without --json for a command that has no data."""
    folder = _shared(
        "-C",
        "--directory",
        setting="folder",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Folder of the market; by default the current one.",
    )
    data = _shared("--json", setting="json", is_flag=True, help="One JSON document on stdout.")
    quiet = _shared(
        "-q",
        "--quiet",
        setting="verbosity",
        constant=-1,
        is_flag=True,
        help="Only data and problems.",
    )
    verbose = _shared(
        "-v", "--verbose", setting="verbosity", constant=1, is_flag=True, help="More detail."
    )
    color = _shared(
        "--color",
        setting="color",
        type=click.Choice(COLORS),
        metavar="WHEN",
        help="auto, always or never; auto: on a terminal without NO_COLOR and CI.",
    )
    debug = _shared("--debug", setting="debug", is_flag=True, help="Show tracebacks.")
    return [folder, *([data] if json else []), quiet, verbose, color, debug]


def command(name: str, *, json: bool = True) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function: it gets the console first, and returns its exit code or None.

    `json` tells whether the command has data that --json can print. The function's docstring is
    the command's help.
    """

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def run(**values: Any) -> Any:
            context = click.get_current_context()
            settings = Settings.of(context.obj)
            if settings.json and not json:
                raise click.UsageError(f"{name} has no data to print as JSON.", context)
            return function(Console(settings), **values)

        made = click.command(name, context_settings=HELP_NAMES)(run)
        made.params += common_options(json=json)
        return made

    return make
