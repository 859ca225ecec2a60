"""The book of knowledge: rules on settings that hold for some engine releases and models.

A new finding is an entry in `data/*.yaml`: no code. An entry is a rule of the rule book (id, title,
severity, why, fix, source) with the engine and the span of releases it holds for, the cases in
which it speaks, and its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from chartgen.findings import Severity
from chartgen.knowledge.conditions import Subjects, holds
from chartgen.knowledge.releases import in_span
from chartgen.resources import shipped_data

_FIELD = re.compile(r"\{([a-z0-9._-]+)\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """One entry.

    `cases` are alternatives: the entry speaks where all comparisons of one of them hold. `at`
    names the subjects whose place in the spec the finding gets, the first that stands there.
    `speaks` and `silent` are settings for which it must speak and must not, kept beside it.
    """

    id: str
    title: str
    severity: Severity
    engine: str
    releases: str
    cases: tuple[Mapping[str, Any], ...]
    at: tuple[str, ...]
    message: str
    source: str
    why: str
    fix: str
    speaks: tuple[Subjects, ...]
    silent: tuple[Subjects, ...]

    def speaks_of(self, engine: str, release: str, subjects: Subjects) -> bool:
        """Tell whether the entry speaks of these settings on this release.

        An empty release means that none is known; only entries for all releases speak then.
        """
        if engine != self.engine or (self.releases and not release):
            return False
        return in_span(release, self.releases) and any(holds(case, subjects) for case in self.cases)

    def said(self, release: str, subjects: Subjects) -> str:
        """Return the message with the values at hand."""
        known = {"release": release, **subjects}
        return _FIELD.sub(lambda match: _shown(known.get(match[1], match[0])), self.message)


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:,}"
    return str(value)


@cache
def knowledge_book() -> tuple[Knowledge, ...]:
    """Return all entries in the order of their ids."""
    entries = files("chartgen.knowledge").joinpath("data").iterdir()
    found = [
        _entry(rule_id, body)
        for name in sorted(entry.name for entry in entries if entry.name.endswith(".yaml"))
        for rule_id, body in shipped_data("chartgen.knowledge", f"data/{name}").items()
    ]
    return tuple(sorted(found, key=lambda item: item.id))


def _entry(rule_id: str, body: Mapping[str, Any]) -> Knowledge:
    when = body["when"]
    return Knowledge(
        id=rule_id,
        title=body["title"],
        severity=Severity(body["severity"]),
        engine=body["engine"],
        releases=body.get("releases", ""),
        cases=tuple(when if isinstance(when, list) else [when]),
        at=tuple(at if isinstance(at := body["at"], list) else [at]),
        message=" ".join(body["message"].split()),
        source=" ".join(body["source"].split()),
        why=" ".join(body["why"].split()),
        fix=" ".join(body["fix"].split()),
        speaks=tuple(body["speaks"]),
        silent=tuple(body["silent"]),
    )


def spoken(engine: str, release: str, subjects: Subjects) -> Iterator[Knowledge]:
    """Yield the entries that speak of these settings."""
    return (entry for entry in knowledge_book() if entry.speaks_of(engine, release, subjects))
