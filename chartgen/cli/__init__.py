"""The command line: parse, call the core, print.

`main` is the only place where an exception becomes a message and an exit code. Commands are
imported when they are called, and import what they need inside their functions, so that help,
version and completion answer at once.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click

from chartgen.cli.console import Console, Settings
from chartgen.cli.exit_codes import BUG, DONE, INTERRUPTED
from chartgen.cli.group import root
from chartgen.errors import ChartgenError, FindingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (`chartgen.cli.exit_codes`).

    `argv` are the words after the program's name, by default those of the process. Raises
    SystemExit only where click itself ends the process: after it has answered a shell that asks
    for completions, and when the reader of its help has gone away.
    """
    words = None if argv is None else list(argv)
    outcome = _Outcome(sys.argv[1:] if words is None else words)
    with outcome:
        code = root.main(words, prog_name=root.name, obj=outcome.given, standalone_mode=False)
        # A command returns its exit code, or nothing; click itself returns that of `--help`.
        outcome.code = code if isinstance(code, int) else DONE
    return outcome.code


class _Outcome(contextlib.AbstractContextManager["_Outcome"]):
    """Turns whatever a command line raises into a message and an exit code.

    `given` is filled by the common options as they are read, so that they hold for a failure, too.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.given: dict[str, Any] = {}
        self.code = DONE

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool:
        if error is None or isinstance(error, SystemExit):
            return False
        console = Console(Settings.of(self.given))
        console.end_progress()
        if isinstance(error, click.ClickException):
            with contextlib.suppress(BrokenPipeError):
                error.show()
            self.code = error.exit_code
        elif isinstance(error, (click.Abort, KeyboardInterrupt)):
            console.problem("interrupted")
            self.code = INTERRUPTED
        elif isinstance(error, ChartgenError):
            if console.settings.debug:
                console.traceback(error)
            if isinstance(error, FindingsError):
                _show_findings(console, error)
            console.problem(str(error))
            self.code = error.exit_code
        else:
            from chartgen.cli.bug import report_bug

            report_bug(console, error, self.words)
            self.code = BUG
        return True


def _show_findings(console: Console, error: FindingsError) -> None:
    from chartgen.cli.findings import report_text

    console.report(report_text(console, "text", error.findings, on_stdout=False))
