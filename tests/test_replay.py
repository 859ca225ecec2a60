"""A device that holds the former site: it finds every fault in what changed, and in the lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.findings import Finding
from chartgen.market.page import page_files
from chartgen.market.replay import (
    changed_apps,
    of_apps,
    read_verified,
    verified,
    verify_changes,
    verify_site,
    write_verified,
)
from chartgen.market.site import Base, Site, SiteFile
from chartgen.olares.names import app_id
from tests.markets import Market, released, retired, sample

URL = "https://market.example.com"


def site_of(market: Market) -> Site:
    return market.site(page_files(market.catalog(), market.read))


BEFORE = sample()
AFTER = BEFORE.grown(released("beta", "0.4.0", 20))
SITE = site_of(AFTER)


def findings(site: Site, names: tuple[str, ...] = ("beta",)) -> list[Finding]:
    few = replace(AFTER, ledger=of_apps(AFTER.ledger, names))
    found = verify_changes(site, site_of(few), URL, AFTER.ledger, names)
    return [item for item in found if item.rule.startswith("market-")]


def mark(market: Market, **changes: str) -> Any:
    given = {"target": "here", "made_by": "me"} | changes
    return verified(site_of(market), market.ledger, **given)


def test_a_sound_site_is_sound_to_both() -> None:
    assert findings(SITE) == []
    assert verify_site(SITE, URL, AFTER.ledger).sound


def test_what_changed_is_named() -> None:
    assert changed_apps(mark(AFTER), mark(BEFORE)) == ("beta",)
    assert changed_apps(mark(AFTER), mark(AFTER)) == ()
    gone = BEFORE.grown(retired("alpha", "1.1.1", 21))
    assert changed_apps(mark(gone), mark(BEFORE)) == ("alpha",)


@pytest.mark.parametrize("what", ["target", "made_by"])
def test_what_was_verified_elsewhere_or_otherwise_is_of_no_use(what: str) -> None:
    assert changed_apps(mark(AFTER), mark(BEFORE, **{what: "else"})) is None
    assert changed_apps(mark(AFTER), None) is None


def test_a_mark_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "dist" / ".verified"
    assert read_verified(path) is None
    write_verified(path, mark(AFTER))
    assert read_verified(path) == mark(AFTER)
    path.write_bytes(path.read_bytes()[:-9])
    assert read_verified(path) is None


def served(path: str, old: str, new: str) -> Callable[[Site], Site]:
    """Serve a file with another text in it, and say so in its digest, as a bug of ours would."""

    def change(site: Site) -> Site:
        file = site.files[path]
        assert file.data is not None
        text = file.data.decode()
        assert old in text
        other = SiteFile.of(text.replace(old, new, 1).encode(), file.content_type)
        return replace(site, files={**site.files, path: other})

    return change


def with_base(**changes: Callable[[Base], Any]) -> Callable[[Site], Site]:
    def change(site: Site) -> Site:
        first, *others = site.bases
        made = {name: make(first) for name, make in changes.items()}
        return replace(site, bases=(replace(first, **made), *others))

    return change


def other_details(name: str) -> Callable[[Base], dict[str, str]]:
    def make(base: Base) -> dict[str, str]:
        detail = base.details[app_id(name)]
        assert '"developer":"' in detail
        other = detail.replace('"developer":"', '"developer":"un')
        return {**base.details, app_id(name): other}

    return make


def other_file(path: str) -> Callable[[Site], Site]:
    def change(site: Site) -> Site:
        return replace(site, files={**site.files, path: SiteFile.of(b"other", "text/html")})

    return change


INFO, HASH = "/api/v1/appstore/info", "/api/v1/appstore/hash"
LIST = "/api/v2/applications"
FAULTS: dict[str, tuple[Callable[[Site], Site], str]] = {
    "an old version of another app": (served(INFO, '"1.1.1"', '"1.1.0"'), "market-rolled-back"),
    "an old version for generation C": (served(LIST, '"1.1.1"', '"1.1.0"'), "market-rolled-back"),
    "a version of nobody": (served(INFO, '"1.1.1"', '"1.1.9"'), "market-ahead"),
    "another summary": (served(INFO, '"developer":"', '"developer":"un'), "market-mixed"),
    "other details of what changed": (with_base(details=other_details("beta")), "market-mixed"),
    "other details of what did not": (with_base(details=other_details("alpha")), "market-mixed"),
    "details that lack an app": (
        with_base(details=lambda base: dict(list(base.details.items())[1:])),
        "market-detail-missing",
    ),
    "another hash": (served(HASH, '{"hash":"', '{"hash":"0'), "market-hash-differs"),
    "another hash of the list": (with_base(hash=lambda base: "0"), "market-hash-differs"),
    "a tombstone less": (served(INFO, '"remove"', '"x"'), "market-retired-offered"),
    "a tombstone less for C": (
        served(LIST, app_id("delta"), "00000000"),
        "market-tombstone-missing",
    ),
    "another page": (other_file("/apps/beta.html"), "market-sums-differ"),
    "another chart": (other_file("/charts/beta-0.4.0.tgz"), "market-sums-differ"),
    "another page of what did not change": (other_file("/apps/alpha.html"), "market-sums-differ"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    change, rule = FAULTS[fault]
    assert rule in {item.rule for item in findings(change(SITE))}


def test_a_list_that_lacks_an_app_is_found_though_nothing_changed() -> None:
    few = replace(
        AFTER, ledger=of_apps(AFTER.ledger, [n for n in AFTER.ledger.by_name() if n != "alpha"])
    )
    rules = {item.rule for item in findings(site_of(few), ("beta",))}
    assert "market-app-missing" in rules
