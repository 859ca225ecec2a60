"""Files that a command makes: never over what is there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chartgen.cli.console import Console
from chartgen.errors import ChartgenError
from chartgen.files import write_atomically


@dataclass(frozen=True, slots=True)
class Written:
    """What was made, and what was there already and kept, by relative path."""

    created: tuple[str, ...]
    kept: tuple[str, ...]

    def show(self, console: Console) -> None:
        """Name the files on stderr, or as JSON on stdout."""
        if console.settings.json:
            document = {"created": self.created, "kept": self.kept}
            console.data(json.dumps(document, indent=2) + "\n")
        for path in self.created:
            console.note(f"created {path}")
        for path in self.kept:
            console.note(f"kept {path}, which was there already")


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises ChartgenError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChartgenError(
            f"{path}: the folder cannot be made ({error.strerror}); "
            "choose another place, or move what stands there"
        ) from error


def write_missing(folder: Path, files: Mapping[str, bytes]) -> Written:
    """Write those files below a folder that are not there yet, folders included."""
    created, kept = [], []
    for relative, data in files.items():
        target = folder / relative
        if target.exists():
            kept.append(relative)
            continue
        make_folder(target.parent)
        write_atomically(target, data)
        created.append(relative)
    return Written(tuple(created), tuple(kept))
