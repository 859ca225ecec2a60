"""The rule book: every rule id with its reason and its remedy, read once from `rules_data/`.

What is known of engines (`chartgen.knowledge`) belongs to it too.

`docs/reference/rules.md` is generated from the same data, one section per rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from chartgen.findings import Finding, Place, Severity
from chartgen.knowledge.book import knowledge_book
from chartgen.resources import shipped_data


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `id` is stable for ever, `why` and `fix` are sentences for people.

    `about` says what the rule reads (`spec`, `engine`, `chart`, `rendered`), `source` where the
    demand comes from (a device check, the official review, Kubernetes, chartgen itself).
    """

    id: str
    title: str
    severity: Severity
    about: str
    source: str
    why: str
    fix: str

    def finding(self, place: Place, message: str, remedy: str = "") -> Finding:
        """Make a finding of this rule; the rule's own remedy stands in where none is given."""
        return Finding(self.id, self.severity, place, message, remedy or self.fix)


@cache
def rule_book() -> Mapping[str, Rule]:
    """Return all rules by id, in the order of their ids."""
    book: dict[str, Rule] = {}
    entries = files("chartgen.lint").joinpath("rules_data").iterdir()
    for entry in sorted(entries, key=lambda e: e.name):
        if not entry.name.endswith(".yaml"):
            continue
        for rule_id, body in shipped_data("chartgen.lint", f"rules_data/{entry.name}").items():
            if rule_id in book:
                raise ValueError(f"two rules have the id {rule_id}")
            book[rule_id] = Rule(
                id=rule_id,
                title=body["title"],
                severity=Severity(body["severity"]),
                about=body["about"],
                source=body["source"],
                why=" ".join(body["why"].split()),
                fix=" ".join(body["fix"].split()),
            )
    for known in knowledge_book():
        book[known.id] = Rule(
            known.id, known.title, known.severity, "engine", known.source, known.why, known.fix
        )
    return dict(sorted(book.items()))


def finding(rule_id: str, place: Place, message: str, remedy: str = "") -> Finding:
    """Make a finding of a rule by its id. An id that the rule book lacks is a bug (KeyError)."""
    return rule_book()[rule_id].finding(place, message, remedy)
