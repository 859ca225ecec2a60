"""The benchmark's arithmetic, its markets and its tables; nothing is measured here."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.builds import Builds
from bench.engine_checks import AppChecks, EngineChecks, TableLoad
from bench.market import numbered_spec, write_market
from bench.measure import NOTHING, Cost, median_cost
from bench.publish import Publishes
from bench.report import Results, as_json, as_text, table
from bench.site import SiteBuild
from bench.startup import Startup
from bench.targets import cheaper_than_helm, growth, mib_per_app, ratio, targets
from chartgen.market.layout import find_specs
from chartgen.spec.load import load_spec

ROOT = Path(__file__).resolve().parent.parent
SPEC = """\
# a note on name: and version:
name: llamacppqwen36a3bonelongname
version: 1.0.2
title: "A title: with a colon"
changes:
  1.0.2: Fast
  1.0.1: First, before 1.0.2
i18n:
  de-DE:
    changes:
      1.0.2: Schnell
"""


def cost(cpu: float, peak: float = 50) -> Cost:
    return Cost(cpu, 2 * cpu, peak)


def builds(apps: int, *, first: float, again: float = 1, helm: float | None = None) -> Builds:
    with_helm = None if helm is None else cost(helm)
    return Builds(apps, cost(first, peak=120), cost(again), with_helm)


STARTUP = Startup(help=cost(0.06), click=cost(0.04))


def test_numbered_spec_differs_in_name_version_and_title_only() -> None:
    name, text = numbered_spec(SPEC, 7)
    assert name == "llamacppqwen36a3bonelongna0007"
    assert len(name) == 30
    expected = SPEC.replace("llamacppqwen36a3bonelongname", name)
    expected = expected.replace('title: "A title: with a colon"', "title: Number 7")
    for line in ("version: 1.0.2", "  1.0.2: Fast", "      1.0.2: Schnell"):
        expected = expected.replace(line, line.replace("1.0.2", "9.7.0"))
    assert text == expected


@pytest.mark.parametrize("missing", ["name", "version", "title"])
def test_spec_without_a_line_is_refused(missing: str) -> None:
    text = "\n".join(line for line in SPEC.split("\n") if not line.startswith(f"{missing}:"))
    with pytest.raises(ValueError, match="in a line each"):
        numbered_spec(text, 1)


def test_market_holds_that_many_sound_specs(tmp_path: Path) -> None:
    count = len(find_specs(ROOT)) + 2
    write_market(ROOT, tmp_path, count)
    loaded = [load_spec(tmp_path / path) for path in find_specs(tmp_path)]
    specs = [item.spec for item, findings in loaded if item is not None and not findings]
    assert len({spec.name for spec in specs}) == count
    assert len({spec.version for spec in specs}) == count
    assert all(spec.version in spec.changes for spec in specs)


def test_costs_add_up_but_for_the_peak() -> None:
    assert Cost(1, 2, 30) + Cost(10, 20, 5) + NOTHING == Cost(11, 22, 30)


def test_medians_are_taken_of_each_figure() -> None:
    assert median_cost([Cost(1, 9, 5), Cost(3, 7, 6), Cost(2, 8, 70)]) == Cost(2, 8, 6)


def test_ratios() -> None:
    assert ratio(6, 4) == 1.5
    assert ratio(6, 0) == math.inf
    assert cheaper_than_helm(builds(1, first=2)) is None
    assert cheaper_than_helm(builds(1, first=2, helm=8)) == 4
    assert growth(builds(100, first=5), builds(1000, first=40)) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("helm", "again", "most", "met"),
    [(50, 1, 100, True), (49.9, 1.01, 120.1, False)],
)
def test_limits_themselves_meet_the_targets(
    helm: float, again: float, most: float, met: bool
) -> None:
    found = targets(
        [builds(100, first=10, again=again, helm=helm), builds(1000, first=most)], STARTUP
    )
    assert [item.met for item in found] == [met, met, met, True, True]


@pytest.mark.parametrize(
    ("sizes", "count"), [((1, 10), 1), ((100,), 2), ((1000,), 2), ((100, 1000), 4)]
)
def test_only_what_was_measured_has_a_target(sizes: tuple[int, ...], count: int) -> None:
    assert len(targets([builds(size, first=1) for size in sizes], STARTUP)) == count


def sites(*, many: float = 6, most: float = 60, peak: float = 1050) -> list[SiteBuild]:
    """Sites of three sizes; an app adds 0.1 MiB to the 46.8 of a process without any."""
    figures = [(32, 0.2, 50), (1000, many, 146.8), (10_000, most, peak)]
    return [SiteBuild(apps, cost(cpu, mib)) for apps, cpu, mib in figures]


@pytest.mark.parametrize(
    ("cpu", "peak", "value", "memory"),
    [(60, 1046.8, 1, 1), (72, 1246.16, 1.2, 1.2), (73, 1300, 1.217, 1.254)],
)
def test_a_site_is_linear_where_an_app_costs_the_same_among_many(
    cpu: float, peak: float, value: float, memory: float
) -> None:
    found = targets([], STARTUP, sites(most=cpu, peak=peak))[:2]
    assert [item.value for item in found] == pytest.approx([value, memory], abs=0.001)
    assert mib_per_app(*sites()[:2]) == pytest.approx(0.1)


@pytest.mark.parametrize(("left", "count"), [(slice(2), 1), (slice(1, 3), 2), (slice(3), 3)])
def test_sites_that_were_not_measured_have_no_target(left: slice, count: int) -> None:
    assert len(targets([], STARTUP, sites()[left])) == count


@pytest.mark.parametrize(("many", "met"), [(1.0, True), (1.01, False)])
def test_one_changed_app_of_many_costs_less_than_two_alone(many: float, met: bool) -> None:
    published = [Publishes(1, cost(9), cost(0.5)), Publishes(1000, cost(99), cost(many))]
    target, _ = targets([], STARTUP, [], published)
    assert (target.value, target.met) == (2 * many, met)
    assert len(targets([], STARTUP, [], published[:1])) == 1


def engines(*, memory: float = 3, load: float = 15) -> EngineChecks:
    """Two apps that take 4 and 2 ms to parse, and one table."""
    apps = (AppChecks("one", 4, 2, memory), AppChecks("two", 2, 1, 1))
    return EngineChecks(apps, (TableLoad("vllm", "0.33.0", load), TableLoad("sglang", "0.5", 1)))


@pytest.mark.parametrize(
    ("memory", "load", "met"), [(3, 15, True), (3.1, 15.1, False), (0, 1, True)]
)
def test_the_dearest_app_and_the_dearest_table_count(memory: float, load: float, met: bool) -> None:
    checks, table, _ = targets([], STARTUP, engines=engines(memory=memory, load=load))
    assert (checks.value, checks.met) == (2 + memory, met)
    assert (table.value, table.met) == (load, met)


def test_table_aligns_its_columns() -> None:
    assert (
        table([("app", "ms"), ("a", "10.5"), ("longer", "")])
        == "app       ms\na       10.5\nlonger"
    )


def test_reports_hold_every_figure() -> None:
    measured = [builds(10, first=0.5, again=0.25, helm=2)]
    sites = [SiteBuild(1000, Cost(6.25, 12.5, 164.6))]
    published = [Publishes(1000, Cost(50, 60, 90), Cost(0.75, 1.5, 80))]
    found = targets(measured, STARTUP, sites, published)
    results = Results({"cores": 2}, measured, sites, published, engines(), STARTUP, found)
    text = as_text(results)
    row = "10 50.0 100.0 25.0 50.0 200.0 400.0 4.0 4.0 2.0 120"
    rows = [" ".join(line.split()) for line in text.split("\n")]
    assert row in rows
    assert "1,000 6.25 12.50 6.25 165" in rows
    assert "1,000 50.00 60.00 0.75 1.50 80" in rows
    assert "one 4.00 2.00 3.00 5.00 1.25" in rows
    assert "vllm 0.33.0 15.00 5.00" in rows
    assert "--help, in imports of click  1.50  <= 2.5  met" in text
    document = json.loads(as_json(results))
    assert document["builds"][0]["helm"] == {
        "cpu_seconds": 2,
        "wall_seconds": 4,
        "peak_mib": 50,
    }
    assert document["startup"]["help"]["cpu_seconds"] == 0.06
    assert document["sites"][0]["cost"]["peak_mib"] == 164.6
    assert document["publishes"][0]["one_changed"]["wall_seconds"] == 1.5
    assert document["engines"]["apps"][1] == {
        "app": "two",
        "parse": 2,
        "arguments": 1,
        "memory": 1,
    }
    assert [(item["value"], item["met"]) for item in document["targets"]] == [(1.5, True)]
