"""Each attack of The Update Framework's list (specification 1.5.2) that a market can suffer.

Extraneous dependencies and key compromise have no counterpart: a market resolves no dependencies
and signs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from market_simulator import APPLICATIONS, INFO, Market, app_id, published

Attack = Callable[[Market], None]


def case(rule: str, name: str, attack: Attack) -> pytest.ParameterSet:
    return pytest.param(rule, attack, id=name)


def unpublished_app(market: Market) -> None:
    market.serve(published((*story(market), ("delta", "1.0.0"))))


def missing_app(market: Market) -> None:
    """The first app of the ledger is gone, the later ones are there: no former state."""
    market.serve(published(story(market)[1:]))


def story(market: Market) -> tuple[tuple[str, str], ...]:
    return tuple(
        (line.name, "retired" if line.kind == "retired" else line.version)
        for line in market.ledger.releases
    )


def forgotten_tombstone(market: Market) -> None:
    """The retired app simply vanishes."""
    for prefix in ("", "/legacy"):
        market.shelves[prefix].details.pop(app_id("echo"))
        market.shelves[prefix].documents[INFO]["data"]["apps"].pop(app_id("echo"))
        market.shelves[prefix].documents[APPLICATIONS]["data"]["removed"] = []


def moved_tombstone(market: Market) -> None:
    market.offer_version("", "echo", "2.0.1")


def lowered(market: Market) -> None:
    """A version below the one that devices hold already."""
    market.offer_version("", "bravo", "0.9.0")


ATTACKS = [
    case("market-chart-differs", "arbitrary-software", Market.arbitrary_software),
    case("market-app-unknown", "unpublished-app", unpublished_app),
    case("market-endless", "endless-data", Market.endless_data),
    case("market-slow", "slow-retrieval", Market.slow_retrieval),
    case("market-ahead", "fast-forward", Market.fast_forward),
    case("market-frozen", "indefinite-freeze", Market.freeze),
    case("market-rolled-back", "rollback", Market.rollback),
    case("market-update-unseen", "rollback-holds-back-upgrades", Market.rollback),
    case("market-update-backwards", "rollback-below-what-is-held", lowered),
    case("market-mixed", "mix-and-match", Market.mix_and_match),
    case("market-generations-differ", "mix-and-match-of-v1-and-v2", Market.mix_and_match),
    case("market-chart-name", "wrong-software", Market.wrong_software),
    case("market-app-missing", "app-withheld", missing_app),
    case("market-tombstone-missing", "retirement-withheld", forgotten_tombstone),
    case("market-tombstone-moved", "retirement-moved", moved_tombstone),
]


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_a_sound_market_has_no_fault(generation: str) -> None:
    report = Market().verify(generations=[generation])
    assert report.findings == ()
    assert [base.path for base in report.bases] == ["", "/legacy"]
    for base in report.bases:
        (sync,) = base.syncs
        assert sync.complete
        versions = {name: held.version for name, held in sync.apps.items()}
        assert versions == {"alpha": "1.0.0", "bravo": "1.1.0", "charlie": "0.9.12"}
        assert len(base.charts) == 5


@pytest.mark.parametrize(("rule", "attack"), ATTACKS)
def test_attack(rule: str, attack: Attack) -> None:
    market = Market()
    attack(market)
    assert rule in {found.rule for found in market.verify().findings}


@pytest.mark.parametrize("attack", [unpublished_app, Market.fast_forward])
def test_a_market_of_this_machine_is_taken_for_a_preview(attack: Attack) -> None:
    market = Market()
    attack(market)
    rules = {"market-app-unknown", "market-ahead", "market-chart-differs"}
    elsewhere = [f for f in market.verify().findings if f.rule in rules]
    here = [f for f in market.verify(url="http://localhost:8080").findings if f.rule in rules]
    assert elsewhere
    assert not any("chartgen serve" in found.remedy for found in elsewhere)
    assert here
    assert all("serve it with --released" in found.remedy.lower() for found in here)


def test_wrong_bytes_are_no_preview() -> None:
    market = Market()
    market.arbitrary_software()
    found = [
        f
        for f in market.verify(url="http://localhost:8080").findings
        if f.rule == "market-chart-differs"
    ]
    assert found
    assert not any("chartgen serve" in item.remedy for item in found)


def test_retired_app_on_offer_among_later_releases() -> None:
    market = Market(
        (("alpha", "1.0.0"), ("echo", "1.0.0"), ("echo", "retired"), ("bravo", "1.0.0"))
    )
    market.serve(published((("alpha", "1.0.0"), ("echo", "1.0.0"), ("bravo", "1.0.0"))))
    rules = {found.rule for found in market.verify().findings}
    assert "market-retired-offered" in rules
    assert "market-frozen" not in rules


def test_a_frozen_market_is_told_from_a_rollback() -> None:
    market = Market()
    market.freeze()
    found = [f for f in market.verify().findings if f.rule == "market-frozen"]
    assert found[0].message == (
        "the market is as it was at line 4 of the ledger's 6; behind are charlie, echo"
    )
    assert "market-rolled-back" not in {f.rule for f in market.verify().findings}


def test_without_a_ledger_the_market_is_held_against_itself() -> None:
    assert Market().verify(ledger=None).findings == ()
    market = Market()
    market.mix_and_match()
    assert "market-mixed" in {f.rule for f in market.verify(ledger=None).findings}
