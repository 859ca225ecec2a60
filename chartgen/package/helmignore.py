"""`.helmignore`: which files of a chart's folder Helm leaves out when it packs or loads it.

The rules are Helm's (v4.2.4, pkg/ignore/rules.go), which differ from git's: patterns are those of
Go's `path/filepath.Match`, the first match decides, and `!pattern` leaves out all that does *not*
match. Dot files in `templates/` are always left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FILE_NAME = ".helmignore"

_TOKEN = re.compile(
    r"(?P<star>\*)"
    r"|(?P<any>\?)"
    r"|\[(?P<negated>\^?+)(?P<class>(?:(?:\\.|[^\\\]-])(?:-(?:\\.|[^\\\]-]))?)+)\]"
    r"|(?P<literal>\\.|[^\\*?\[])",
    re.DOTALL,
)
_RANGE = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of the file."""

    regex: re.Pattern[str]
    negated: bool = False
    folders_only: bool = False
    whole_path: bool = False

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Tell whether this line alone leaves the path out."""
        if self.folders_only and not is_folder:
            return self.negated
        subject = path if self.whole_path else path.rsplit("/", 1)[-1]
        return (self.regex.fullmatch(subject) is not None) != self.negated


def parse_helmignore(text: str) -> tuple[Pattern, ...]:
    """Return the patterns of a `.helmignore` and Helm's own default.

    Raises ValueError, with the line in the message, for a pattern that Helm refuses too.
    """
    patterns = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            patterns.append(_pattern(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    patterns.append(_pattern("templates/.?*"))
    return tuple(patterns)


def ignored(patterns: Sequence[Pattern], path: str, is_folder: bool) -> bool:
    """Tell whether Helm leaves out a path relative to the chart's folder.

    The content of a folder that is left out is never looked at.
    """
    return any(pattern.ignores(path, is_folder) for pattern in patterns)


def _pattern(line: str) -> Pattern:
    if "**" in line:
        raise ValueError(f"{line!r} holds '**', which Helm does not support")
    glob = line.removeprefix("!")
    folders_only = glob.endswith("/")
    glob = glob.removesuffix("/")
    return Pattern(
        regex=_regex(glob.removeprefix("/")),
        negated=line.startswith("!"),
        folders_only=folders_only,
        whole_path="/" in glob,
    )


def _regex(glob: str) -> re.Pattern[str]:
    # Between two stars the earliest match is as good as any, so what stands before a star is
    # never tried again: an atomic group keeps a line of many stars from taking for ever.
    pieces = [""]
    position = 0
    while position < len(glob):
        token = _TOKEN.match(glob, position)
        if token is None:
            raise ValueError(f"{glob!r} is not a pattern of Go's filepath.Match")
        position = token.end()
        if token["star"]:
            pieces.append("")
        elif token["any"]:
            pieces[-1] += "[^/]"
        elif token["class"]:
            pieces[-1] += _class(token["class"], negated=bool(token["negated"]))
        else:
            pieces[-1] += re.escape(token["literal"][-1])
    first, *others = pieces
    if not others:
        return re.compile(first, re.DOTALL)
    *middle, last = others
    lazy = "".join(f"(?>[^/]*?{piece})" for piece in middle)
    return re.compile(f"{first}{lazy}[^/]*{last}", re.DOTALL)


def _class(body: str, negated: bool) -> str:
    ranges = ""
    for low, high in _RANGE.findall(body):
        start, end = low[-1], (high or low)[-1]
        if start <= end:
            ranges += f"{re.escape(start)}-{re.escape(end)}"
    if not ranges:  # Go takes `[z-a]` for a class that holds nothing.
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{ranges}]"
