"""What a command prints, and where: data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from chartgen.errors import ChartgenError
from chartgen.terminal import one_line, printable

ColorChoice = Literal["auto", "always", "never"]

# Bold and red, and back to normal (ECMA-48 SGR).
_ERROR, _NORMAL = "\x1b[1;31m", "\x1b[0m"
# Erases from the cursor to the end of the line (ECMA-48 EL).
_CLEAR_LINE = "\r\x1b[K"
DEFAULT_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Settings:
    """The common options of one command line.

    `verbosity` is -1 for --quiet, 1 for --verbose.
    """

    folder: Path = Path()
    json: bool = False
    debug: bool = False
    verbosity: int = 0
    color: ColorChoice = "auto"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Return the settings for the options that were given."""
        return cls(**given)


class Console:
    """The two streams of one command, with its colours, width and verbosity."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def width(self) -> int:
        """Width in cells: COLUMNS, else that of the terminal, else 80."""
        return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns

    @property
    def quiet(self) -> bool:
        """Tell whether only data and problems are wanted."""
        return self.settings.verbosity < 0

    @property
    def verbose(self) -> bool:
        """Tell whether more detail is wanted."""
        return self.settings.verbosity > 0

    def color_on(self, stream: TextIO | None) -> bool:
        """Tell whether a stream gets colours.

        Unless --color says otherwise: a terminal does, except under NO_COLOR (no-color.org), in
        a CI run, or where TERM is `dumb`.
        """
        if self.settings.color != "auto":
            return self.settings.color == "always"
        plain = os.environ.get("NO_COLOR") or os.environ.get("CI")
        return not plain and os.environ.get("TERM") != "dumb" and _is_terminal(stream)

    def data(self, text: str) -> None:
        """Write text to stdout, exactly as it is."""
        _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """Write a line for the person at the keyboard to stderr, unless --quiet."""
        if not self.quiet:
            self.message(text)

    def message(self, text: str) -> None:
        """Write text to stderr without what steers a terminal."""
        _write(sys.stderr, printable(text) + "\n")

    def report(self, text: str) -> None:
        """Write text to stderr that is safe and complete already."""
        _write(sys.stderr, text)

    def problem(self, text: str) -> None:
        """Write an error message to stderr."""
        word = f"{_ERROR}error{_NORMAL}" if self.color_on(sys.stderr) else "error"
        _write(sys.stderr, f"{word}: {printable(text)}\n")

    def traceback(self, error: BaseException) -> None:
        """Write the traceback of an exception to stderr."""
        import traceback

        self.message("".join(traceback.format_exception(error)).rstrip())

    def progress(self, text: str) -> None:
        """Show what is being done, in place of what was shown before; on a terminal only."""
        if self._shows_progress():
            _write(sys.stderr, _CLEAR_LINE + one_line(text)[: self.width - 1])

    def end_progress(self) -> None:
        """Remove what `progress` has shown."""
        if self._shows_progress():
            _write(sys.stderr, _CLEAR_LINE)

    def _shows_progress(self) -> bool:
        return not self.quiet and not os.environ.get("CI") and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _write(stream: TextIO | None, text: str) -> None:
    """Write and flush; a reader that has gone away is no error, the command goes on without it.

    Raises ChartgenError where data cannot be written, for example to a full disk.
    """
    if stream is None:  # Python's own sign of a stream that was closed before it began.
        return
    # An old terminal's encoding may lack a character; the rest of the line still says something.
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
    except OSError as error:
        _silence(stream)
        if stream is sys.stdout:
            raise ChartgenError(f"the output cannot be written ({error.strerror})") from error


def _silence(stream: TextIO) -> None:
    """Point a stream whose reader has gone away at nothing, so that later writes pass silently.

    Otherwise Python itself would complain when it flushes the stream at its end.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
