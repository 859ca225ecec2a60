"""Specs as a person names them on a command line: by their path, or by the app's name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from chartgen.document import MAX_BYTES, read_document
from chartgen.errors import RefusedError, UnreadableError
from chartgen.files import read_limited
from chartgen.market.layout import SPEC_SUFFIXES, find_specs


def spec_paths(folder: Path, words: Iterable[str]) -> list[Path] | None:
    """Return the specs that words name, relative to the market's folder; None without words.

    Raises RefusedError for a word that is neither a file nor the name of an app.
    """
    paths: dict[Path, None] = {}
    apps: Mapping[str, list[Path]] | None = None
    for word in words:
        path = Path(word)
        if path.suffix in SPEC_SUFFIXES or (folder / path).is_file():
            paths[path] = None
            continue
        apps = apps if apps is not None else _apps(folder)
        if word not in apps:
            raise RefusedError(_unknown(word, apps))
        paths |= dict.fromkeys(apps[word])
    return list(paths) or None


def _apps(folder: Path) -> Mapping[str, list[Path]]:
    """Return the specs of a market by the name that each states."""
    apps: dict[str, list[Path]] = {}
    for path in find_specs(folder):
        try:
            document, _ = read_document(read_limited(folder / path, MAX_BYTES), path.as_posix())
        except UnreadableError:
            continue  # said by the command itself where this spec is wanted
        value = document.value if document is not None else None
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            apps.setdefault(value["name"], []).append(path)
    return apps


def _unknown(word: str, apps: Mapping[str, list[Path]]) -> str:
    files = {path.stem: path for paths in apps.values() for path in paths}
    known = [*apps, *files]
    near = difflib.get_close_matches(word, known, n=1) or [name for name in known if word in name]
    if near and near[0] in apps:
        hint = f"did you mean {near[0]}?"
    elif near:
        hint = f"did you mean {files[near[0]].as_posix()}?"
    else:
        hint = f"there are: {', '.join(sorted(apps)) or 'none'}"
    return f"{word!r} is neither a spec nor the name of an app here; {hint}"
