"""The benchmark of publishes: what it changes, and what it calls the ratio; nothing is measured."""

from __future__ import annotations

from pathlib import Path

from bench.measure import Cost
from bench.publish import Publishes, change_one, times_dearer
from tests.specs import write_spec


def publishes(apps: int, first: float, again: float) -> Publishes:
    return Publishes(apps, Cost(first, first, 50), Cost(again, again, 50))


def test_one_app_gets_another_title(tmp_path: Path) -> None:
    write_spec(tmp_path / "apps")
    other = write_spec(tmp_path / "apps", {"name": "otherapp", "title": "Other"})
    before = other.read_text(), (tmp_path / "apps" / "smallapp.yaml").read_text()
    change_one(tmp_path, "Round 1")
    changed = set(other.read_text().splitlines()) ^ set(before[0].splitlines())
    assert len(changed) == 2
    assert "title: Round 1" in changed
    assert (tmp_path / "apps" / "smallapp.yaml").read_text() == before[1]


def test_the_ratio_is_that_of_one_changed_app() -> None:
    found = [publishes(1, 0.5, 0.75), publishes(1000, 60, 2.25), publishes(100, 6, 1)]
    assert times_dearer(found) == 3
