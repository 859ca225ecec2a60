"""Golden charts against the device's own lint, and the comparison that asks it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from oracle.compare import (
    Comparison,
    Outcome,
    Verdict,
    both_sides,
    device_verdicts,
    find_oracle,
    report,
    table,
)

from chartgen.errors import MissingToolError

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_CHARTS = sorted(found.parent for found in GOLDEN.glob("*/*/Chart.yaml"))
ORACLE = find_oracle(os.environ)

ACCEPTS = Verdict()
REFUSES = Verdict(("too big",), ("resources.sum",))


@pytest.mark.oracle
@pytest.mark.skipif(
    ORACLE is None,
    reason="the device's lint is not here: see tests/oracle/README.md, set CHARTGEN_ORACLE",
)
@pytest.mark.parametrize(
    "chart", GOLDEN_CHARTS, ids=lambda chart: f"{chart.parent.name}/{chart.name}"
)
def test_device_accepts_golden_chart(chart: Path) -> None:
    assert ORACLE is not None
    assert device_verdicts(ORACLE, [chart])[chart] == Verdict()


def program(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys, json\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("named", "on_path", "expected"),
    [
        ("mine", True, "mine"),
        ("", True, "olares-cli"),
        ("", False, None),
    ],
)
def test_named_program_comes_before_olares_cli(
    tmp_path: Path, named: str, on_path: bool, expected: str | None
) -> None:
    if on_path:
        program(tmp_path, "olares-cli", "")
    found = find_oracle({"CHARTGEN_ORACLE": named, "PATH": str(tmp_path)})
    assert (found.name if found else None) == expected


def test_answers_in_json_lines_are_matched_to_charts(tmp_path: Path) -> None:
    oracle = program(
        tmp_path,
        "lint",
        "assert sys.argv[1] == '-owner-scenarios'\n"
        "for path in reversed(sys.argv[2:]):\n"
        "    bad = path.endswith('bad')\n"
        "    print(json.dumps({'path': path, 'ok': not bad, 'errors': ['no name'] * bad}))",
    )
    good, bad = Path("charts/good"), Path("charts/bad")
    assert device_verdicts(oracle, [good, bad]) == {good: Verdict(), bad: Verdict(("no name",))}


def test_many_charts_are_asked_in_several_runs(tmp_path: Path) -> None:
    oracle = program(
        tmp_path,
        "lint",
        "assert len(sys.argv) < 60\n"
        "for path in sys.argv[2:]: print(json.dumps({'path': path, 'ok': True, 'errors': []}))",
    )
    charts = [Path(f"chart{number}") for number in range(120)]
    assert set(device_verdicts(oracle, charts)) == set(charts)


def test_olares_cli_is_asked_chart_by_chart(tmp_path: Path) -> None:
    oracle = program(
        tmp_path,
        "olares-cli",
        "assert sys.argv[1:3] == ['chart', 'lint'] and len(sys.argv) == 4\n"
        "if sys.argv[3] == 'bad': sys.exit('Error: no name\\n\\nno icon')\n"
        "print(sys.argv[3] + ': OK')",
    )
    verdicts = device_verdicts(oracle, [Path("good"), Path("bad")])
    assert verdicts == {Path("good"): Verdict(), Path("bad"): Verdict(("no name", "no icon"))}


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("lint", "print('usage: lint')", "no JSON line"),
        ("lint", "print('[]')", "no JSON line"),
        ("lint", "sys.exit('cannot start')", "says nothing about chart .*cannot start"),
        ("olares-cli", "sys.exit('Error: unknown command \"chart\"')", "newer olares-cli"),
        ("olares-cli", "sys.exit(2)", "newer olares-cli"),
    ],
)
def test_program_that_is_no_lint_is_an_error(
    tmp_path: Path, name: str, body: str, words: str
) -> None:
    with pytest.raises(MissingToolError, match=words):
        device_verdicts(program(tmp_path, name, body), [Path("chart")])


def test_absent_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="cannot be run"):
        device_verdicts(tmp_path / "absent", [Path("chart")])


@pytest.mark.parametrize(
    ("device", "own", "outcome", "agreement"),
    [
        (ACCEPTS, ACCEPTS, Outcome.BOTH_ACCEPT, True),
        (REFUSES, REFUSES, Outcome.BOTH_REFUSE, True),
        (REFUSES, ACCEPTS, Outcome.ONLY_DEVICE, False),
        (ACCEPTS, REFUSES, Outcome.ONLY_CHARTGEN, False),
    ],
)
def test_outcome(device: Verdict, own: Verdict, outcome: Outcome, agreement: bool) -> None:
    comparison = Comparison(Path("chart"), device, own)
    assert (comparison.outcome, comparison.outcome.agreement) == (outcome, agreement)


def test_table_counts_suspended_charts_apart_and_names_stricter_rules() -> None:
    lines = table(
        [
            Comparison(Path("a"), ACCEPTS, ACCEPTS),
            Comparison(Path("b"), ACCEPTS, REFUSES),
            Comparison(Path("c"), ACCEPTS, REFUSES, suspended=True),
            Comparison(Path("d"), REFUSES, REFUSES, suspended=True),
        ]
    ).splitlines()
    cells = {line[:24].strip(): line[24:].split() for line in lines if line}
    assert cells["both accept"] == ["1", "0"]
    assert cells["both refuse"] == ["0", "1"]
    assert cells["only the device refuses"] == ["0", "0"]
    assert cells["only chartgen refuses"] == ["1", "1"]
    assert lines[-1].split() == ["resources.sum", "2"]


def test_both_sides_are_quoted() -> None:
    words = both_sides(Comparison(Path("repo/chart"), REFUSES, ACCEPTS, suspended=True))
    assert words.splitlines() == [
        "chart (suspended): only the device refuses",
        "  device:   too big",
        "  chartgen: accepts",
    ]


def test_report_shows_disagreements_and_on_demand_what_both_refuse() -> None:
    comparisons = [
        Comparison(Path("sound"), ACCEPTS, ACCEPTS),
        Comparison(Path("strict"), ACCEPTS, REFUSES),
        Comparison(Path("broken"), REFUSES, REFUSES),
    ]
    short, full = report(comparisons), report(comparisons, agreed_refusals=True)
    assert "strict: only chartgen refuses" in short
    assert "sound" not in full
    assert "broken" not in short
    assert "broken: both refuse" in full
