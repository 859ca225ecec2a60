"""What happens when chartgen itself fails: a message and a log that can be handed on."""

from __future__ import annotations

import os
import shlex
import tempfile
import traceback
from collections.abc import Sequence

from chartgen.cli.console import Console
from chartgen.cli.versions import platform_text, version_lines


def report_bug(console: Console, error: BaseException, words: Sequence[str]) -> None:
    """Say that an unexpected exception is a bug, and write a log about it.

    The log holds versions, platform, the command line and the traceback, and nothing of the
    environment, where secrets may stand.
    """
    trace = "".join(traceback.format_exception(error))
    lines = [
        *version_lines(),
        platform_text(),
        f"command line: chartgen {shlex.join(words)}",
        "",
        trace,
    ]
    if console.settings.debug:
        console.message(trace.rstrip())
    console.problem(f"this is a bug in chartgen: {type(error).__name__}: {error}")
    try:
        handle, path = tempfile.mkstemp(prefix="chartgen-bug-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write("\n".join(lines))
    except OSError as failure:
        console.message(f"no log could be written ({failure.strerror}); what it would say:")
        console.message("\n".join(lines))
    else:
        console.message(f"Please report it with this log: {path}")
