"""The exit codes, each with its meaning (design §5)."""

from __future__ import annotations

from collections.abc import Mapping

DONE = 0
REFUSED = 1
USAGE = 2
UNREADABLE = 3
REMOTE = 4
MISSING_TOOL = 5
BUG = 70
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    DONE: "Done, or nothing to do.",
    REFUSED: "Findings, or a step that a rule forbids; what and why stands above.",
    USAGE: "The command line is not understood; see `chartgen COMMAND --help`.",
    UNREADABLE: "A file cannot be read or parsed.",
    REMOTE: "A remote side failed, or serves something other than what was published.",
    MISSING_TOOL: "A program or library that this step needs is not installed.",
    BUG: "A bug in chartgen; the log that is named helps to mend it.",
    INTERRUPTED: "Interrupted from the keyboard.",
}
