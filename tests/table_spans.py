"""Which releases know something, found by looking into the table of each release."""

from __future__ import annotations

from collections.abc import Callable

from chartgen.engines.table import EngineTable, engine_table, table_releases

Ends = tuple[str | None, str | None]


def ends(kind: str, has: Callable[[EngineTable], bool]) -> Ends:
    """Return the first and the last release whose table has something."""
    found = [release for release in table_releases(kind) if has(engine_table(kind, release))]
    return (found[0], found[-1]) if found else (None, None)


def history(kind: str, spelling: str) -> Ends:
    return ends(kind, lambda table: spelling in table.options)


def name_history(kind: str, subject: str, name: str) -> Ends:
    return ends(kind, lambda table: name in table.names.get(subject, ()))


def env_history(kind: str, variable: str) -> Ends:
    return ends(kind, lambda table: variable in table.env)
