"""Findings as text for people, as JSON, as GitHub annotations and as SARIF.

A reporter is a pure function from findings to the text to print; which one is used is chosen by
name. Whatever stands in a finding may come from a hostile file, so nothing of it reaches the
output as a control character or as a command of the output's own language.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chartgen.findings import Finding, Place, Severity, in_order
from chartgen.lint import sarif
from chartgen.lint.excerpt import excerpt
from chartgen.terminal import one_line, printable


@dataclass(frozen=True, slots=True)
class Page:
    """What a reporter knows besides the findings.

    `source_lines` gives the lines of a file that findings name, none where the file is unknown.
    `width` is that of the terminal, in cells; `color` says whether it understands colours.
    """

    source_lines: Callable[[str], Sequence[str]]
    color: bool
    width: int


class Reporter(Protocol):
    """Turns findings, in the order given, into text that ends in a newline or is empty."""

    def __call__(self, findings: Sequence[Finding], page: Page, /) -> str:
        """Return the report."""


# ECMA-48 SGR parameters: bold with red, yellow or cyan.
_COLOR = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}
# The commands of GitHub's runner (docs: "Workflow commands for GitHub Actions").
_GITHUB_COMMAND = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def render_report(
    format: str,
    findings: Sequence[Finding],
    *,
    source_lines: Callable[[str], Sequence[str]],
    color: bool,
    width: int,
) -> str:
    """Return the report of the findings, sorted by place, in one of FORMATS.

    `source_lines` maps a file to its lines (empty if unknown); `color` and `width` (in cells)
    describe the terminal and matter to `text` only. Raises ValueError for an unknown format.
    """
    if format not in _REPORTERS:
        raise ValueError(f"{format!r} is no report format; choose from {', '.join(FORMATS)}")
    return _REPORTERS[format](in_order(findings), Page(source_lines, color, width))


def _text(findings: Sequence[Finding], page: Page) -> str:
    blocks = [_text_block(finding, page) for finding in findings]
    return "\n".join([*blocks, _count(findings) + "\n"])


def _text_block(finding: Finding, page: Page) -> str:
    severity = finding.severity.value
    if page.color:
        severity = f"\x1b[{_COLOR[finding.severity]}m{severity}\x1b[0m"
    place = one_line(str(finding.place))
    if finding.place.path and not finding.place.line:
        place += f" ({one_line(finding.place.path)})"
    lines = [f"{place}: {severity}: {one_line(finding.message)} [{one_line(finding.rule)}]"]
    lines += _source(finding.place, page)
    remedy = printable(finding.remedy).strip().split("\n") if finding.remedy else []
    # The bar keeps a line of file content from standing first on a line of a CI log, where
    # `::` would begin a command.
    lines += [f"  fix: {line}" if at == 0 else f"     | {line}" for at, line in enumerate(remedy)]
    return "".join(f"{line}\n" for line in lines)


def _source(place: Place, page: Page) -> list[str]:
    source = page.source_lines(place.file) if place.line else ()
    if not 0 < place.line <= len(source):
        return []
    number = f"{place.line:>5} | "
    text, caret = excerpt(source[place.line - 1], place.column, page.width - len(number))
    pointer = [" " * (len(number) - 2) + "| " + " " * caret + "^"] if place.column else []
    return [number + text, *pointer]


def _count(findings: Sequence[Finding]) -> str:
    if not findings:
        return "no findings"
    by_severity = Counter(finding.severity for finding in findings)
    counts = [
        _plural(by_severity[severity], severity.value)
        for severity in Severity
        if by_severity[severity]
    ]
    return f"{', '.join(counts)} in {_plural(_files(findings), 'file')}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _files(findings: Sequence[Finding]) -> int:
    return len({finding.place.file for finding in findings})


def _json(findings: Sequence[Finding], _page: Page) -> str:
    by_severity = Counter(finding.severity for finding in findings)
    document = {
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity.value,
                "file": finding.place.file,
                "line": finding.place.line or None,
                "column": finding.place.column or None,
                "path": finding.place.path or None,
                "message": finding.message,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ],
        "summary": {
            "errors": by_severity[Severity.ERROR],
            "warnings": by_severity[Severity.WARNING],
            "notes": by_severity[Severity.NOTE],
            "files": _files(findings),
        },
    }
    return _json_text(document)


def _sarif(findings: Sequence[Finding], _page: Page) -> str:
    return _json_text(sarif.log(findings))


def _json_text(document: object) -> str:
    # ASCII only: a stream of any encoding takes it, and no control character is left in it.
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _github(findings: Sequence[Finding], _page: Page) -> str:
    return "".join(map(_github_line, findings))


def _github_line(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.file.replace("\\", "/")}
    if place.line:
        properties["line"] = str(place.line)
        if place.column:
            properties["col"] = str(place.column)
    properties["title"] = finding.rule
    listed = ",".join(f"{key}={_github_property(value)}" for key, value in properties.items())
    message = f"{finding.message}\nFix: {finding.remedy}" if finding.remedy else finding.message
    return f"::{_GITHUB_COMMAND[finding.severity]} {listed}::{_github_data(message)}\n"


def _github_data(text: str) -> str:
    """Escape as GitHub's runner unescapes (actions/toolkit, packages/core/src/command.ts)."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(escaped)


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


_REPORTERS: Mapping[str, Reporter] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
FORMATS: tuple[str, ...] = tuple(_REPORTERS)
