"""Checks of evidence and of what texts and settings promise, one fault at a time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from chartgen.evidence.record import Check, Measurement, Published, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding, Severity
from chartgen.lint.evidence import evidence_findings
from chartgen.lint.speed_words import typed_speeds
from tests.specs import loaded
from tools import import_evidence

APPS = Path(__file__).parent.parent / "apps"
STEADY = (250.35, 250.87, 252.97, 251.40)
TOOLS: dict[str, Any] = {
    "engine": {"args": {"enable-auto-tool-choice": True, "limit-mm-per-prompt": {"image": 1}}}
}


def findings(folder: Path, changes: dict[str, Any] | None = None) -> list[Finding]:
    return list(evidence_findings(loaded(folder, changes), "olares-one"))


def rules(folder: Path, changes: dict[str, Any] | None = None) -> list[str]:
    return [item.rule for item in findings(folder, changes)]


def bench(folder: Path, changes: dict[str, Any] | None = None, **told: Any) -> Path:
    """Keep a bench of the app with some changes, made today."""
    app = loaded(folder, changes)
    plain = {"version": app.spec.version, "workload": workload_digest(app)}
    plain |= {"runs": tuple(Run(rate) for rate in STEADY), "hardware": "olares-one"}
    return keep(folder, Measurement("bench", "smallapp", **plain | told))


def smoke(folder: Path, changes: dict[str, Any], **outcomes: Any) -> Path:
    app = loaded(folder, changes)
    checks = tuple(Check(name, outcome) for name, outcome in outcomes.items())
    return keep(
        folder,
        Measurement(
            "smoke", "smallapp", app.spec.version, workload=workload_digest(app), checks=checks
        ),
    )


def test_an_app_that_claims_nothing_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


def test_sound_evidence_of_today_has_no_findings(tmp_path: Path) -> None:
    bench(tmp_path)
    assert findings(tmp_path, {"summary": "A small app, {tps} tokens/s"}) == []


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    path = bench(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"250.35", b"350.35"))
    (found,) = findings(tmp_path)
    assert (found.rule, found.severity) == ("evidence-seal", Severity.ERROR)
    assert found.place.file.endswith("/evidence/smallapp/1.2.3-bench-1.json")


@pytest.mark.parametrize("data", [b"", b"not JSON", b"{}"])
def test_a_file_that_is_none_is_named(data: bytes, tmp_path: Path) -> None:
    bench(tmp_path).write_bytes(data)
    (found,) = findings(tmp_path)
    assert (found.rule, found.severity) == ("evidence-unreadable", Severity.ERROR)


@pytest.mark.parametrize(
    "name", ["1.2.3-bench-x.json", "1.2.2-bench-1.json", "1.2.3-smoke-1.json", "copy of it.json"]
)
def test_a_file_under_another_name_is_named(name: str, tmp_path: Path) -> None:
    path = bench(tmp_path)
    path.rename(path.with_name(name))
    (found,) = findings(tmp_path)
    assert (found.rule, found.severity) == ("evidence-file-name", Severity.ERROR)


def test_evidence_that_was_copied_from_another_app_is_named(tmp_path: Path) -> None:
    path = bench(tmp_path)
    other = tmp_path / "evidence" / "otherapp" / path.name
    other.parent.mkdir()
    shutil.copy(path, other)
    (found,) = findings(tmp_path, {"name": "otherapp"})
    assert found.rule == "evidence-file-name"
    assert "smallapp" in found.message


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({}, False),
        ({"version": "1.2.4", "changes": {"1.2.4": ["New"]}}, False),
        ({"summary": "Other words"}, False),
        ({"engine": {"image": "vllm/vllm-openai:v0.22.0"}}, True),
        ({"engine": {"args": {"max-num-seqs": 4}}}, True),
        ({"gpu": {"memory": "9Gi"}}, True),
    ],
)
def test_evidence_of_other_settings_is_stale(
    changes: dict[str, Any], stale: bool, tmp_path: Path
) -> None:
    bench(tmp_path)
    assert rules(tmp_path, changes) == (["evidence-stale"] if stale else [])


def test_newer_evidence_of_today_s_settings_mends_it(tmp_path: Path) -> None:
    changes = {"engine": {"args": {"max-num-seqs": 4}}}
    bench(tmp_path)
    bench(tmp_path, changes)
    assert rules(tmp_path, changes) == []


def test_a_trial_and_what_has_no_version_are_not_stale(tmp_path: Path) -> None:
    bench(tmp_path, version="", workload="", trial="other drafts")
    bench(tmp_path, version="", workload="", source="a publication")
    assert rules(tmp_path) == []


def test_an_imported_number_of_an_older_version_is_stale(tmp_path: Path) -> None:
    bench(tmp_path, version="1.2.2", workload="", source="a publication")
    (found,) = findings(tmp_path)
    assert found.rule == "evidence-stale"
    assert "1.2.2" in found.message


def test_evidence_of_a_version_to_come(tmp_path: Path) -> None:
    bench(tmp_path, version="1.2.10")
    assert rules(tmp_path) == ["evidence-version"]


def test_a_smoke_test_is_asked_for_what_is_claimed_and_was_not_tried(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, TOOLS)
    assert (found.rule, found.severity) == ("claim-untested", Severity.NOTE)
    assert "vision and tools" in found.message
    smoke(tmp_path, TOOLS, vision="passed", tools="skipped")
    (found,) = findings(tmp_path, TOOLS)
    assert found.rule == "claim-untested"
    assert "vision" not in found.message
    smoke(tmp_path, TOOLS, vision="passed", tools="passed")
    assert findings(tmp_path, TOOLS) == []


def test_a_claim_that_failed_is_named_until_it_passes(tmp_path: Path) -> None:
    smoke(tmp_path, TOOLS, vision="failed", tools="passed")
    (found,) = findings(tmp_path, TOOLS)
    assert (found.rule, found.severity) == ("claim-refuted", Severity.WARNING)
    assert "1.2.3-smoke-1.json" in found.message
    smoke(tmp_path, TOOLS, vision="passed", tools="passed")
    assert findings(tmp_path, TOOLS) == []


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ({}, "there is no bench"),
        ({"workload": "", "version": "", "source": "a publication"}, "no bench is of this version"),
        ({"runs": tuple(map(Run, (220.0, 221.0, 60.0, 61.0, 219.0, 62.0)))}, "two speeds"),
        ({"settings": {"standard": False}}, "none of the standard ones"),
        ({"users": 3}, "none of the standard ones"),
    ],
)
def test_a_placeholder_that_nothing_fills(kept: dict[str, Any], why: str, tmp_path: Path) -> None:
    if kept:
        bench(tmp_path, **kept)
    (found,) = findings(tmp_path, {"summary": "A small app, {tps} tokens/s"})
    assert (found.rule, found.severity) == ("text-without-evidence", Severity.NOTE)
    assert why in found.message


@pytest.mark.parametrize(
    "text", ["135 t/s", "135.9 tok/s", "250 tokens/s", "250 tokens per second"]
)
@pytest.mark.parametrize("key", ["summary", "about"])
def test_a_typed_in_speed_without_evidence(key: str, text: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {key: f"A small app, {text}"})
    assert (found.rule, found.severity) == ("speed-unproven", Severity.WARNING)
    assert text in found.message


@pytest.mark.parametrize(
    ("changes", "contradicted"),
    [
        # The mean of the four is 251.4.
        ({"summary": "A small app, 251.4 tokens/s"}, False),
        ({"summary": "A small app, 251 t/s"}, False),
        ({"summary": "A small app, over 250 t/s"}, False),
        ({"summary": "A small app, over 260 t/s"}, True),
        ({"summary": "A small app, 135 t/s"}, True),
        # A peak is no headline, but may be told where there is room to say so.
        ({"summary": "A small app, 253 t/s"}, True),
        ({"about": "Up to 252.97 tokens/s in one of four runs"}, False),
        ({"about": "Between 250 and 253 tokens/s"}, False),
        ({"about": "Between 100 and 253 tokens/s"}, True),
        ({"about": "About 150 tokens/s"}, True),
        ({"i18n": {"de-DE": {"summary": "Eine App, 135 Token/s"}}}, True),
        ({"i18n": {"zh-CN": {"summary": "应用，251.4 词元/秒"}}}, False),
        ({"i18n": {"zh-CN": {"summary": "应用，135 词元/秒"}}}, True),
        # Other numbers are no speeds.
        ({"about": "8192 tokens of context, 50 Mbit/s, 30 frames/s, 12 steps"}, False),
    ],
)
def test_a_typed_in_speed_is_held_against_evidence(
    changes: dict[str, Any], contradicted: bool, tmp_path: Path
) -> None:
    bench(tmp_path)
    assert rules(tmp_path, changes) == (["speed-contradicted"] if contradicted else [])


@pytest.mark.parametrize(
    ("text", "left_out"),
    [("{tps} tokens/s", True), ("{{tps}} and ${tps}", False), ("${tps} or {acceptance}", True)],
)
def test_only_what_is_filled_can_be_left_out(text: str, left_out: bool, tmp_path: Path) -> None:
    found = [item for item in findings(tmp_path, {"about": text}) if "left out" in item.message]
    assert len(found) == left_out


def test_an_older_version_s_speed_may_be_told_where_the_version_is_named(tmp_path: Path) -> None:
    bench(tmp_path, version="1.2.0", workload="", runs=(), published=Published(135.97), source="a")
    bench(tmp_path)
    assert rules(tmp_path, {"about": "Version 1.2.0 wrote 136 tokens/s"}) == []
    # The case of a public chart: the number of the first version stood in its text for ever.
    assert rules(tmp_path, {"about": "Writes 136 tokens/s"}) == ["speed-contradicted"]
    assert rules(tmp_path, {"about": "Version 11.2.0 wrote 136 t/s"}) == ["speed-contradicted"]


def test_change_notes_may_tell_what_was_measured(tmp_path: Path) -> None:
    bench(tmp_path, version="1.2.0", workload="", runs=(), published=Published(135.97), source="a")
    bench(tmp_path)
    told = {"1.2.3": ["136.0 → 251.4 tokens/s, +85 %"], "1.2.0": ["First, 135.97 t/s"]}
    assert rules(tmp_path, {"changes": told}) == []


@pytest.mark.parametrize(
    ("version", "rule"),
    [
        ("1.2.3", ["speed-contradicted"]),
        ("1.2.0", ["speed-contradicted"]),
        ("1.1.0", ["speed-unproven"]),
    ],
    ids=["today's", "an old version with evidence", "an old version without"],
)
def test_change_notes_with_another_number(version: str, rule: list[str], tmp_path: Path) -> None:
    bench(tmp_path, version="1.2.0", workload="", runs=(), published=Published(135.97), source="a")
    bench(tmp_path)
    changes = {"changes": {"1.2.3": ["New"]} | {version: ["Now 180 tokens/s"]}}
    assert rules(tmp_path, changes) == rule


def test_a_speed_in_a_file_is_shown_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("First line\n\nIt writes 300 tokens/s.\n")
    (found,) = findings(tmp_path, {"about": {"from": "about.md"}})
    assert found.place.file.endswith("/about.md")
    assert (found.place.line, found.place.column) == (3, 11)


def test_numbers_of_what_cannot_be_measured_are_left_alone(tmp_path: Path) -> None:
    engine = {"kind": "app", "image": "a/b:1.0", "port": 80, "run": "true", "model": None}
    assert rules(tmp_path, {"engine": engine, "about": "A codec of 12 tokens/s"}) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,200 tokens/s", ["1,200"]),
        ("135,9 Token/s", ["135,9"]),
        ("60 to 100 t/s", ["60", "100"]),
        ("v1.0.5 t/s", []),
        ("1" * 50_000 + " " * 50_000, []),
        (" " * 200_000 + "x", []),
    ],
    ids=["thousands", "comma", "range", "version", "long number", "spaces"],
)
def test_speeds_in_texts(text: str, numbers: list[str]) -> None:
    assert [number for typed in typed_speeds(text) for number in typed.numbers] == numbers


def test_the_seeds_are_what_was_published() -> None:
    assert import_evidence.differences(APPS) == []
