"""Merging the tables of all releases: what holds for a run of releases is written once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def merged_spans(
    releases: Sequence[str], by_release: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[list[Any]]]:
    """Return, per name, spans `[first, last, value]`; last is -1 for "up to the newest"."""
    names = sorted({name for found in by_release.values() for name in found})
    return {
        name: _spans(releases, [by_release[release].get(name) for release in releases])
        for name in names
    }


def word_spans(releases: Sequence[str], by_release: Mapping[str, Iterable[str]]) -> list[list[Any]]:
    """Return spans whose values are words that come and go together, sorted, in one string."""
    known: dict[str, tuple[bool, ...]] = {}
    sets = [frozenset(by_release[release]) for release in releases]
    for word in sorted(frozenset().union(*sets)):
        known[word] = tuple(word in found for found in sets)
    together: dict[tuple[int, int], list[str]] = {}
    for word, presence in known.items():
        for first, last, _ in _spans(releases, [True if here else None for here in presence]):
            together.setdefault((first, last), []).append(word)
    return [[first, last, " ".join(words)] for (first, last), words in sorted(together.items())]


def _spans(releases: Sequence[str], values: Sequence[Any]) -> list[list[Any]]:
    """Return the runs of equal values; None is no value."""
    spans: list[list[Any]] = []
    for at, value in enumerate(values):
        if value is None:
            continue
        if spans and spans[-1][1] == at - 1 and spans[-1][2] == value:
            spans[-1][1] = at
        else:
            spans.append([at, at, value])
    for span in spans:
        if span[1] == len(releases) - 1:
            span[1] = -1
    return spans


def write_table(path: Path, table: Mapping[str, Any]) -> int:
    """Write a table, one entry of its maps per line, and return its size in bytes."""
    lines = []
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            inner = ",\n".join(
                f"{json.dumps(name)}:{_compact(item)}" for name, item in value.items()
            )
            lines.append(f"{json.dumps(key)}:{{\n{inner}}}")
        else:
            lines.append(f"{json.dumps(key)}:{_compact(value)}")
    text = "{" + ",\n".join(lines) + "}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return len(text.encode())


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
