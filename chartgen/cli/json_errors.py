"""The one JSON document of a command that fails: what went wrong, and its findings."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from chartgen.cli.console import Console
from chartgen.errors import ChartgenError, FindingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chartgen.findings import Finding


class _HeardConsole(Console):
    """A console that knows whether it has printed data."""

    heard = False

    def data(self, text: str) -> None:
        """Write text to stdout, and remember that there was some."""
        self.heard = True
        super().data(text)


def told_in_json(function: Callable[..., int]) -> Callable[..., int]:
    """Let --json print its one document also where a step is refused, fails or is interrupted.

    A command that has printed one itself by then keeps it as the only one. What was raised goes
    on. A command line that is not understood (click.UsageError) has no document.
    """

    @functools.wraps(function)
    def run(console: Console, **values: Any) -> int:
        own = _HeardConsole(console.settings)
        try:
            return function(own, **values)
        except (ChartgenError, KeyboardInterrupt) as error:
            if console.settings.json and not own.heard:
                findings = error.findings if isinstance(error, FindingsError) else ()
                document = {"error": error_words(error), "findings": as_data(console, findings)}
                console.data(json.dumps(document, indent=2) + "\n")
            raise

    return run


def error_words(error: ChartgenError | KeyboardInterrupt) -> str:
    """Return what went wrong as the command line says it."""
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)


def as_data(console: Console, findings: Sequence[Finding]) -> Any:
    """Return findings as `check --json` prints them."""
    from chartgen.cli.findings import report_text

    return json.loads(report_text(console, "json", findings, on_stdout=True))["findings"]
