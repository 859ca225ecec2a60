"""Input of every wrong kind through the real command line: the finding wanted, and nothing else.

A case is a file in tests/invalid with its findings beside it, `line:column rule` each.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartgen.cli import main
from chartgen.lint.rules import rule_book
from chartgen.package.read import read_chart
from tests.specs import png

HERE = Path(__file__).resolve().parent
INVALID = sorted((HERE / "invalid").glob("*.yaml"))
VALID = sorted((HERE / "valid").glob("*.yaml"))
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A market with the icons that the cases name, and without a spec."""
    icons = tmp_path / "apps" / "icons"
    icons.mkdir(parents=True)
    for name in ("badapp", "goodapp"):
        (icons / f"{name}.png").write_bytes(png())
    return tmp_path


def checked(market: Path, capsys: Capture) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code of `check --json` and its findings; nothing else may be printed."""
    code = main(["-C", str(market), "check", "--json"])
    shown = capsys.readouterr()
    assert shown.err == ""
    found: list[dict[str, Any]] = json.loads(shown.out)["findings"]
    return code, found


def expected_code(rules: list[str]) -> int:
    """A file of which nothing could be read is 3, any other error 1."""
    return 3 if any(rule_book()[rule].about == "file" for rule in rules) else 1


@pytest.mark.parametrize("case", INVALID, ids=lambda path: path.stem)
def test_each_fault_is_found_at_its_place(case: Path, market: Path, capsys: Capture) -> None:
    shutil.copy(case, market / "apps")

    code, found = checked(market, capsys)

    wanted = case.with_suffix(".findings").read_text().splitlines()
    assert [f"{f['line']}:{f['column']} {f['rule']}" for f in found] == wanted
    assert code == expected_code([line.split()[1] for line in wanted])
    assert {f["file"] for f in found} == {f"apps/{case.name}"}
    assert all(f["message"] and f["remedy"] for f in found)


@pytest.mark.parametrize("case", INVALID, ids=lambda path: path.stem)
def test_nothing_is_built_of_it(case: Path, market: Path, capsys: Capture) -> None:
    shutil.copy(case, market / "apps")

    code = main(["-C", str(market), "build"])

    shown = capsys.readouterr()
    rules = [line.split()[1] for line in case.with_suffix(".findings").read_text().splitlines()]
    assert code == expected_code(rules)
    assert all(f"[{rule}]" in shown.err for rule in rules)
    assert "Traceback" not in shown.err
    assert list(market.glob("dist/**/*.tgz")) == []


def test_every_case_has_its_findings() -> None:
    cases = {path.stem for path in INVALID}

    assert len(cases) >= 38
    assert cases == {path.stem for path in (HERE / "invalid").glob("*.findings")}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("summary: " + "x" * 10_000_000, "yaml-size"),
        ("a: " + "[" * 10_000, "yaml-depth"),
        ("a: " + "[" * 10_000 + "]" * 10_000, "yaml-depth"),
        ("a: " + "{b: " * 10_000 + "}" * 10_000, "yaml-depth"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(1200)), "yaml-depth"),
        ("- " * 10_000 + "x", "yaml-depth"),
        ("a: \x00", "yaml-syntax"),
    ],
    ids=["10 MB", "open lists", "lists", "mappings", "blocks", "dashes", "NUL"],
)
def test_hostile_files_are_refused_quickly(
    text: str, rule: str, market: Path, capsys: Capture
) -> None:
    (market / "apps" / "hostile.yaml").write_text(text, encoding="utf-8")

    code, found = checked(market, capsys)

    assert [f["rule"] for f in found] == [rule]
    assert code == 3


@pytest.mark.parametrize("case", VALID, ids=lambda path: path.stem)
def test_templates_in_texts_arrive_as_they_are(case: Path, market: Path, capsys: Capture) -> None:
    shutil.copy(case, market / "apps")
    assert checked(market, capsys) == (0, [])

    assert main(["-C", str(market), "build", "--quiet"]) == 0

    written = yaml.safe_load(case.read_bytes())
    chart = read_chart(market / "dist" / "goodapp-1.0.0.tgz")
    listed = yaml.safe_load(chart.files["i18n/en-US/OlaresManifest.yaml"])
    assert yaml.safe_load(chart.files["Chart.yaml"])["description"] == written["summary"]
    assert listed["metadata"]["title"] == written["title"]
    assert listed["spec"]["upgradeDescription"] == written["changes"]["1.0.0"]
