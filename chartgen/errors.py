"""Every failure that chartgen reports to a person, each with the exit code of its kind.

Codes (design §5): 0 done, 1 findings or refused, 2 usage (click's own), 3 a file that cannot be
read or parsed, 4 remote or verification failure, 5 a needed tool is missing, 70 a bug,
130 interrupted.
"""

from __future__ import annotations

from typing import Any


class ChartgenError(Exception):
    """Base of all expected failures. The message says what, where, and what to do."""

    exit_code = 1


class RefusedError(ChartgenError):
    """The input has findings, or a rule that never bends forbids the step."""

    exit_code = 1


class FindingsError(RefusedError):
    """The input has findings, which stand in `findings`."""

    def __init__(self, message: str, findings: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.findings = findings


class UnreadableError(ChartgenError):
    """A file that cannot be read, decoded or parsed at all."""

    exit_code = 3


class RemoteError(ChartgenError):
    """A remote side failed, or what it serves is not what was published."""

    exit_code = 4


class MissingToolError(ChartgenError):
    """An optional library or program that this step needs is not installed."""

    exit_code = 5
