"""Speeds in change notes: which evidence bears them out, before a version is released and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.check import check_app
from chartgen.evidence.record import Measurement, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding, Severity
from chartgen.lint.evidence import evidence_findings
from chartgen.release.record import Release
from tests.specs import MARKET, loaded

MACHINE, OTHER = "olares-one", "rtx-4090"
FIRST: dict[str, Any] = {"engine": {"context": 4096}}
SECOND: dict[str, Any] = {"engine": {"context": 8192}}
THIRD: dict[str, Any] = {"engine": {"context": 8192, "args": {"max-num-seqs": 1}}}
GAIN = "2000.0 → 4000.0 tokens/s, +100 %"


def at(settings: dict[str, Any], version: str = "1.2.4", *notes: str, **more: Any) -> Any:
    """Return the changes of a spec of these settings at a version, with change notes for it."""
    return {**settings, "version": version, "changes": {version: list(notes)}, **more}


def bench(folder: Path, changes: dict[str, Any], rate: float, **told: Any) -> Path:
    app = loaded(folder, changes)
    plain: dict[str, Any] = {"version": app.spec.version, "workload": workload_digest(app)}
    plain |= {"hardware": MACHINE, "date": "2026-05-20", "runs": (Run(rate),) * 5}
    return keep(folder, Measurement("bench", "smallapp", **plain | told))


def released(folder: Path, changes: dict[str, Any]) -> Release:
    app = loaded(folder, changes)
    settings, workload = app.document.value, workload_digest(app)
    stated = {"settings": settings, "workload": workload}
    return Release(1, "", "release", "smallapp", app.spec.version, "2026-05-20", **stated)


def speeds(folder: Path, changes: dict[str, Any], latest: Release | None = None) -> list[Finding]:
    found = evidence_findings(loaded(folder, changes), MACHINE, latest)
    return [item for item in found if item.rule.startswith("speed-")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app that was measured, set otherwise and measured again before its version was raised."""
    bench(tmp_path, at(FIRST, "1.2.3"), 2000.0)
    bench(tmp_path, at(SECOND, "1.2.3"), 4000.0)
    return tmp_path


def latest_of(folder: Path) -> Release:
    return released(folder, at(FIRST, "1.2.3"))


@pytest.mark.parametrize("note", [GAIN, "Was 2000 tokens/s", "4000 t/s", "over 3900 t/s"])
def test_a_version_to_come_may_tell_what_is_and_what_was(note: str, folder: Path) -> None:
    assert speeds(folder, at(SECOND, "1.2.4", note), latest_of(folder)) == []
    assert speeds(folder, at(SECOND, "1.2.4", note)) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_gain_that_was_frozen_before_the_settings_changed_again(
    known: bool, folder: Path
) -> None:
    latest = latest_of(folder) if known else None
    (found,) = speeds(folder, at(THIRD, "1.2.4", GAIN), latest)
    # Nobody measured these settings: the number weighs no more than an invented one.
    assert (found.rule, found.severity) == ("speed-unproven", Severity.WARNING)
    assert "nothing was measured of these settings" in found.message
    assert "4000.0 is of other settings, in " in found.message
    assert found.message.endswith("/1.2.3-bench-2.json")
    bench(folder, at(THIRD), 3000.0)
    (found,) = speeds(folder, at(THIRD, "1.2.4", GAIN), latest)
    assert (found.rule, found.severity) == ("speed-contradicted", Severity.ERROR)
    assert "1.2.4-bench-1.json says 3000.0" in found.message


def test_a_gain_over_what_was_no_release(folder: Path) -> None:
    bench(folder, at(THIRD, "1.2.3"), 1500.0)
    (found,) = speeds(folder, at(SECOND, "1.2.4", "1500 → 4000 tokens/s"), latest_of(folder))
    assert "1500 is of other settings" in found.message


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"hardware": OTHER}, f"6000 is of {OTHER}"),
        ({"version": "", "trial": "other drafts"}, "6000 is of a trial"),
        ({"context": 2048}, "6000 is of another context"),
        ({"version": "1.2.0", "workload": ""}, "6000 is of another version"),
    ],
    ids=str,
)
def test_a_number_of_something_else(told: dict[str, Any], words: str, folder: Path) -> None:
    bench(folder, at(SECOND), 6000.0, **told)
    (found,) = speeds(folder, at(SECOND, "1.2.4", "Now 6000 tokens/s"), latest_of(folder))
    assert found.rule == "speed-contradicted"
    assert "1.2.3-bench-2.json says 4000.0" in found.message
    assert words in found.message


def test_a_note_may_tell_of_the_version_that_it_names(folder: Path) -> None:
    bench(folder, at(THIRD, "1.2.0"), 6000.0)
    latest = latest_of(folder)
    assert speeds(folder, at(SECOND, "1.2.4", "1.2.0 had 6000 tokens/s"), latest) == []
    assert len(speeds(folder, at(SECOND, "1.2.4", "Once 6000 tokens/s"), latest)) == 1


@pytest.mark.parametrize(
    ("note", "severity"),
    [
        ("Back from 6000 tokens/s", Severity.WARNING),
        ("It had 6000 tokens/s before", Severity.WARNING),
        ("Now 6000 tokens/s", Severity.ERROR),
        ("Back from 5000 tokens/s", Severity.ERROR),
    ],
)
def test_a_number_that_is_really_of_an_earlier_version(
    note: str, severity: Severity, folder: Path
) -> None:
    bench(folder, at(THIRD, "1.2.0"), 6000.0)
    (found,) = speeds(folder, at(SECOND, "1.2.4", note), latest_of(folder))
    assert found.severity is severity


def test_the_note_of_a_release_is_final_whatever_is_measured_of_it_later(tmp_path: Path) -> None:
    note = at(FIRST, "1.2.3", "Now 262.4 tokens/s")
    bench(tmp_path, note, 250.0)
    (found,) = speeds(tmp_path, note)
    assert found.severity is Severity.ERROR
    (found,) = speeds(tmp_path, note, released(tmp_path, note))
    assert (found.rule, found.severity) == ("speed-contradicted", Severity.NOTE)
    assert "next version" in found.remedy
    later = at(FIRST, "1.2.4", "New")
    later["changes"] |= note["changes"]
    (found,) = speeds(tmp_path, later)
    assert found.severity is Severity.NOTE


def test_the_notes_of_a_release_are_no_fault_while_the_next_one_is_set_up(folder: Path) -> None:
    notes = at(SECOND, "1.2.4", GAIN)
    latest = released(folder, notes)
    bench(folder, at(THIRD), 3000.0)
    changes = at(THIRD, "1.2.4", GAIN)
    assert speeds(folder, changes, latest) == []
    # `check` is what a bump needs without errors.
    app = check_app(loaded(folder, changes), MARKET, latest=latest)
    assert [item for item in app.findings if item.rule.startswith("speed-")] == []
    (found,) = speeds(folder, at(THIRD, "1.2.4", "Now 5000 tokens/s"), latest)
    assert "1.2.3-bench-2.json says 4000.0" in found.message


def test_the_number_of_a_release_that_nobody_measured(tmp_path: Path) -> None:
    changes = at(FIRST, "1.2.3", "Writes 200 tokens/s")
    assert [item.rule for item in speeds(tmp_path, changes, released(tmp_path, changes))] == [
        "speed-unproven"
    ]


@pytest.mark.parametrize(
    ("version", "note", "rules"),
    [
        ("1.2.3", "2000 tokens/s", []),
        # A bench of 1.2.4 before its bump.
        ("1.2.3", "4000 tokens/s", []),
        ("1.2.3", "6000 tokens/s", ["speed-contradicted"]),
        ("1.2.3", "5000 tokens/s", ["speed-contradicted"]),
        # Nothing is known to be of 1.2.2: it may be any of them, and 5000 is none.
        ("1.2.2", "6000 tokens/s", []),
        ("1.2.2", "5000 tokens/s", ["speed-unproven"]),
    ],
)
def test_an_older_version_tells_what_was_measured_by_then(
    version: str, note: str, rules: list[str], folder: Path
) -> None:
    bench(folder, at(THIRD), 6000.0)
    changes = at(THIRD, "1.2.4", "New") | {"changes": {"1.2.4": ["New"], version: [note]}}
    assert [item.rule for item in speeds(folder, changes, latest_of(folder))] == rules


def test_old_notes_are_left_alone_where_nothing_was_ever_measured(tmp_path: Path) -> None:
    changes = {"changes": {"1.2.3": ["New"], "1.2.2": ["100 tokens/s"]}}
    assert speeds(tmp_path, changes) == []
