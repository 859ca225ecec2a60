"""Findings as a SARIF 2.1.0 log, for code scanning services and editors.

Fields and their meaning: OASIS "Static Analysis Results Interchange Format (SARIF) Version
2.1.0", errata 01. GitHub shows `help` beside an alert, and takes relative locations as paths
from the root of the repository.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from chartgen import __version__
from chartgen.findings import Finding, Place, Severity
from chartgen.lint.rules import Rule, rule_book
from chartgen.terminal import printable

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def log(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the log of one run: the rules that the findings name, and the findings as results."""
    rules = sorted({finding.rule for finding in findings})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "chartgen",
                        "version": __version__,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules.index(finding.rule)) for finding in findings],
            }
        ],
    }


def _rule(rule_id: str) -> dict[str, Any]:
    rule: Rule | None = rule_book().get(rule_id)
    if rule is None:
        return {"id": rule_id}
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nFix: {rule.fix}"},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    text = f"{finding.message}\nFix: {finding.remedy}" if finding.remedy else finding.message
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(text)},
        "locations": [_location(finding.place)],
    }


def _message(text: str) -> str:
    """Escape what a viewer would take for a placeholder (§3.11.5) or a link (§3.11.6)."""
    escaped = text.replace("{", "{{").replace("}", "}}").replace("](", "\\](")
    return printable(escaped)


def _location(place: Place) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.line:
        physical["region"] = {"startLine": place.line}
        if place.column:
            physical["region"]["startColumn"] = place.column
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.path:
        location["logicalLocations"] = [{"fullyQualifiedName": place.path}]
    return location


def _uri(file: str) -> str:
    """Return a path as a URI reference (RFC 3986): relative stays relative."""
    path = posixpath.normpath(file.replace("\\", "/"))
    # In a reference without a scheme, the first part must not hold a colon; quote() sees to it.
    encoded = quote(path, safe="/!", errors="replace")
    return f"file://{encoded}" if path.startswith("/") else encoded
