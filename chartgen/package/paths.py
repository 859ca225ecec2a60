"""Which paths a chart may hold, and how much: the same for what is packed and what is read.

A path that means different files to different readers (Windows, macOS, Helm, a shell) is refused
on both sides, so that whatever chartgen packs it also reads back, and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Helm refuses larger files and charts (helm v4.2.4, pkg/chart/loader/archive/archive.go).
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_CHART_BYTES = 100 * 1024 * 1024
# A chart of text has well under 1 MiB; Helm sets no limit on the package itself.
MAX_PACKED_BYTES = 20 * 1000 * 1000
# A chart has tens of files; Helm sets no limit of its own.
MAX_MEMBERS = 10_000
# NAME_MAX of Linux and macOS, and PATH_MAX of macOS, which is the lower of the two.
MAX_PART_BYTES = 255
MAX_PATH_BYTES = 1024

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def path_problem(path: str) -> str:
    """Say why a path cannot stand in a chart, as the end of a sentence; empty if it can.

    A sound path is relative, of plain parts with `/` between them.
    """
    try:
        encoded = path.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    if not path:
        return "is empty"
    if len(encoded) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if _CONTROL.search(path):
        return "holds a NUL or another control character"
    if "\\" in path:
        return "holds a backslash, which Windows and Helm read as a folder separator"
    if path.startswith("/"):
        return "is absolute"
    return next(filter(None, map(_part_problem, path.split("/"))), "")


def name_problem(name: str) -> str:
    """Say why a chart's name cannot be the top folder of a package; empty if it can."""
    return "is several folders deep" if "/" in name else path_problem(name)


def clash(files: Iterable[str], folders: Iterable[str] = ()) -> str:
    """Say which two sound paths cannot stand side by side on every file system; empty if none.

    Two files clash where their paths are equal, or equal but for case or Unicode composition
    (macOS and Windows tell neither apart), and a file clashes with a folder of its name. Folders
    follow from the files in them; `folders` names further ones, which may repeat.
    """
    spellings: dict[str, str] = {}
    whole: set[str] = set()
    parents: set[str] = set()
    for path in files:
        if path in whole:
            return f"{path!r} occurs twice"
        whole.add(path)
        parents.update(_prefixes(path)[:-1])
    for path in folders:
        parents.update(_prefixes(path))
    if both := whole & parents:
        return f"{min(both)!r} is both a file and a folder"
    for path in sorted(whole | parents):
        other = spellings.setdefault(_folded(path), path)
        if other != path:
            return f"{other!r} and {path!r} are the same name on macOS and Windows"
    return ""


def _prefixes(path: str) -> list[str]:
    """Return the path of each folder on the way, then the path itself."""
    parts = path.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _part_problem(part: str) -> str:
    if part == "":
        return "has an empty part"
    if part == ".":
        return "has a part '.'"
    # Helm takes any path that begins with two dots for one that leaves the chart.
    if part.startswith(".."):
        return "has a part that begins with '..'"
    if _DRIVE.match(part):
        return "has a part that begins with a drive letter"
    if len(part.encode("utf-8")) > MAX_PART_BYTES:
        return f"has a part longer than {MAX_PART_BYTES} bytes"
    return ""


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
