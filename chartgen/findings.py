"""Findings are data: what is wrong, where, how bad, and how to mend it.

Checks return findings and never print or raise for bad input; reporters
(`chartgen.lint.report`) turn them into text, JSON, GitHub annotations or SARIF.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace


class Severity(enum.StrEnum):
    """How much a finding weighs: an error stops a build, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding points. Line and column count from 1; 0 means that none is known.

    `file` is a path as the person gave it, or for a file inside a package
    `<package path>!<path in the chart>`. `path` is the dotted path of the value, such as
    `engine.args.max-num-seqs`.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken at one place.

    `message` says what is wrong with the values at hand in one sentence, `remedy` what to write
    or run instead. `rule` is the id of a `chartgen.lint.rules.Rule`.
    """

    rule: str
    severity: Severity
    place: Place
    message: str
    remedy: str = ""

    def at(self, place: Place) -> Finding:
        """Return the same finding at another place."""
        return replace(self, place=place)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by place, rule and message and drop exact repeats, so that reports never shuffle."""
    unique = dict.fromkeys(findings)
    return tuple(
        sorted(
            unique,
            key=lambda f: (f.place.file, f.place.line, f.place.column, f.rule, f.message),
        )
    )


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether any finding stops a build."""
    return any(finding.severity is Severity.ERROR for finding in findings)
