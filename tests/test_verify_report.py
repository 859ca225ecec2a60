"""A verification as a whole: its report, its cost, and that every rule has a test."""

from __future__ import annotations

import json

import pytest
from market_simulator import HASH, Market, answer
from test_verify_attacks import ATTACKS
from test_verify_charts import CHARTS
from test_verify_v1 import TRAPS
from test_verify_v2 import V2

from chartgen.lint.chart import lint_chart
from chartgen.market.device.report import (
    APP_HEAD,
    GENERATION_HEAD,
    generation_rows,
    report_json,
    report_table,
)
from chartgen.market.device.upgrade import Upgrade
from chartgen.resources import shipped_data

# Rules that tests of their own break.
ELSEWHERE = {
    "market-address",
    "market-cut-short",
    "market-gave-up",
    "market-icon-differs",
    "market-icon-missing",
    "market-post-redirect",
    "market-redirect",
    "market-redirect-elsewhere",
    "market-retired-offered",
    "market-sums-differ",
    "market-sums-missing",
    "market-unreachable",
    "market-update-stamp",
}


def test_every_rule_is_broken_by_a_test() -> None:
    tables = (ATTACKS, TRAPS, V2, CHARTS)
    broken = {rule for table in tables for case in table for rule in case.values[0].split()}
    assert broken.isdisjoint(ELSEWHERE - {"market-redirect"})
    assert set(shipped_data("chartgen.lint", "rules_data/verify.yaml")) == broken | ELSEWHERE


def test_every_chart_is_linted_and_a_sound_market_is_sound() -> None:
    report = Market().verify(lint=lint_chart)
    assert report.findings == ()
    assert report.sound
    assert report.compared


def test_the_table_has_a_row_for_each_app() -> None:
    report = Market().verify()
    rows = report_table(report)
    assert {len(row) for row in rows} == {len(APP_HEAD)}
    bravo = next(row for row in rows if row[:2] == ("/", "bravo"))
    digest = report.bases[0].charts["bravo", "1.1.0"]
    assert bravo == ("/", "bravo", "1.1.0", "1.1.0", "1.1.0", digest[:12], "1.0.0")
    echo = next(row for row in rows if row[:2] == ("/legacy", "echo"))
    assert echo == ("/legacy", "echo", "withdrawn", "withdrawn", "-", "-", "-")


def test_the_table_of_generations() -> None:
    rows = generation_rows(Market().verify(generations=["C", "A"]))
    assert {len(row) for row in rows} == {len(GENERATION_HEAD)}
    assert [row[:6] for row in rows] == [
        ("/", "A", "1.12.5", "3", "1", "3"),
        ("/", "C", "1.12.7", "3", "0", "7"),
        ("/legacy", "A", "1.12.5", "3", "1", "3"),
        ("/legacy", "C", "1.12.7", "3", "0", "7"),
    ]


def test_a_sync_that_ended_early_is_shown() -> None:
    market = Market()
    market.respond(HASH, lambda _request, _response: answer({}, 500))
    synced = {row[1]: row[-1] for row in generation_rows(market.verify()) if row[0] == "/"}
    assert synced == {"A": "no", "B": "no", "C": "yes"}


def test_json_holds_everything() -> None:
    market = Market()
    market.rollback()
    data = json.loads(json.dumps(report_json(market.verify())))
    assert data["sound"] is False
    assert data["compared_with_ledger"] is True
    assert data["summary"]["errors"] == sum(f["severity"] == "error" for f in data["findings"])
    assert [base["platform"] for base in data["bases"]] == ["modern", "legacy"]
    assert data["bases"][0]["generations"][2]["apps"] == {
        "alpha": "1.0.0",
        "bravo": "1.0.0",
        "charlie": "0.9.12",
    }
    rolled = next(f for f in data["findings"] if f["rule"] == "market-rolled-back")
    assert rolled["url_path"] == "/api/v1/appstore/info"
    assert rolled["message"] == "bravo 1.0.0 is on offer; 1.1.0 came after it"


@pytest.mark.parametrize(
    ("story", "before", "after", "seen", "offered"),
    [
        (("1.0.0", "1.0.1"), "1.0.0", "1.0.1", True, True),
        (("1.9.0", "1.10.0"), "1.9.0", "1.10.0", True, True),
        (("1.0.0", "1.0.1", "2.0.0"), "1.0.1", "2.0.0", True, True),
    ],
)
@pytest.mark.parametrize("with_ledger", [True, False])
def test_what_a_device_does_that_holds_the_release_before(
    story: tuple[str, ...], before: str, after: str, seen: bool, offered: bool, with_ledger: bool
) -> None:
    market = Market(tuple(("alpha", version) for version in story))
    options = {} if with_ledger else {"ledger": None}
    base = market.verify(**options).bases[0]
    assert base.upgrades == tuple(
        Upgrade("", generation, "alpha", before, after, seen, offered)
        for generation in ("A", "B", "C")
    )


def test_a_new_app_has_no_upgrade() -> None:
    assert Market((("alpha", "1.0.0"),)).verify().bases[0].upgrades == ()


def test_two_verifications_are_the_same() -> None:
    market = Market()
    market.mix_and_match()
    assert market.verify(seed=1).findings == market.verify(seed=1).findings


def test_an_empty_market_is_sound() -> None:
    market = Market(())
    report = market.verify(ledger=None)
    assert {found.rule for found in report.findings} == set()


def test_requests_grow_with_the_apps_and_not_faster() -> None:
    def requests(apps: int) -> int:
        names = (f"app{number:03}" for number in range(apps))
        return Market(tuple((name, "1.0.0") for name in names)).verify().requests

    few, more, most = requests(100), requests(200), requests(300)
    assert most - more == more - few
