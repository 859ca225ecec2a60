"""Specs by default, and reports of findings with the lines that they point at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from chartgen.cli.console import Console
from chartgen.document import MAX_BYTES
from chartgen.errors import UnreadableError
from chartgen.files import read_limited
from chartgen.findings import Finding, Severity
from chartgen.lint.report import render_report


def report_text(
    console: Console, form: str, findings: Sequence[Finding], *, on_stdout: bool
) -> str:
    """Return the findings in one of the report formats, for one of the streams."""
    return render_report(
        form,
        findings,
        source_lines=source_lines(console.settings.folder),
        color=console.color_on(sys.stdout if on_stdout else sys.stderr),
        width=console.width,
    )


def report_beside(console: Console, findings: Sequence[Finding]) -> None:
    """Report findings to stderr, beside what a command does.

    Notes are only counted unless --verbose: `chartgen check` is there to read them.
    """
    shown = [item for item in findings if console.verbose or item.severity is not Severity.NOTE]
    if shown:
        console.report(report_text(console, "text", shown, on_stdout=False))
    if hidden := len(findings) - len(shown):
        console.note(f"{hidden} {'note' if hidden == 1 else 'notes'}; read with: chartgen check")


def source_lines(folder: Path) -> Callable[[str], Sequence[str]]:
    """Return a function from a file, as findings name it, to its lines.

    A file that is not there, is too large, or stands inside a package has none.
    """

    @cache
    def lines(file: str) -> Sequence[str]:
        try:
            # A file of a chart's folder is named as one in a package: `folder!path`.
            data = read_limited(folder / file.replace("!", "/"), MAX_BYTES)
        except UnreadableError:
            return ()
        # Line breaks as `chartgen.document` counts them; a missing one is no further line.
        text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
        return text.split("\n")

    return lines
