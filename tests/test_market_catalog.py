"""The catalog: which release is offered to whom, and when it changed."""

from __future__ import annotations

import gzip
import hashlib
import itertools
from dataclasses import replace
from typing import Any

import pytest

from chartgen.errors import ChartgenError, RefusedError
from chartgen.market.catalog import build_catalog, epoch_ms
from chartgen.olares.names import app_id
from chartgen.package.read import read_package
from chartgen.package.write import pack
from chartgen.release.ledger import LedgerError
from tests.markets import AWKWARD, EMPTY, SETTINGS, Market, date, released, retired, sample


def app(market: Market, name: str) -> Any:
    return next(app for app in market.catalog().apps if app.name == name)


def test_a_market_without_releases_offers_nothing() -> None:
    catalog = EMPTY.catalog()
    assert catalog.apps == ()
    assert catalog.serial == 0
    assert list(catalog.on("modern")) == []


def test_apps_come_in_the_order_of_their_names() -> None:
    catalog = sample().catalog()
    names = [app.name for app in catalog.apps]
    assert names == ["alpha", "beta", "delta", "epsilon", "gamma", "zeta"]
    assert catalog.serial == 10
    assert [app.name for app, _ in catalog.on("modern")] == [n for n in names if n != "gamma"]
    assert [app.name for app, _ in catalog.on("legacy")] == [n for n in names if n != "delta"]


def test_each_platform_is_offered_its_newest_package() -> None:
    alpha = app(sample(), "alpha")
    assert alpha.offers["modern"].release.version == "1.1.1"
    assert alpha.offers["modern"].chart_file == "alpha-1.1.1.tgz"
    assert alpha.offers["legacy"].release.version == "1.0.0"
    assert [line.version for line in alpha.releases("modern")] == ["1.0.0", "1.1.0", "1.1.1"]
    assert [line.version for line in alpha.releases("legacy")] == ["1.0.0"]


def test_an_offer_holds_what_the_package_says() -> None:
    offer = app(sample(), "beta").offers["modern"]
    assert offer.manifest["metadata"]["title"] == "Beta"
    assert offer.manifest["metadata"]["description"] == AWKWARD
    assert set(offer.translations) == {"en-US", "zh-CN"}
    assert offer.translations["zh-CN"]["metadata"]["title"] == "贝塔"


def test_a_retired_app_keeps_what_its_tombstone_is_made_of() -> None:
    delta = app(sample(), "delta")
    assert delta.retired.reason == "Not maintained any more"
    assert delta.offers["modern"].release.version == "2.0.0"
    assert [line.kind for line in delta.history] == ["release"]


def test_packages_are_read_once_each_and_only_where_they_are_offered() -> None:
    market = sample()
    read: list[str] = []

    def reading(path: str) -> bytes:
        read.append(path)
        return market.files[path]

    build_catalog(SETTINGS, market.ledger, reading)
    assert len(read) == len(set(read))
    assert "packages/alpha-1.0.0.tgz" not in read
    assert {"packages/alpha-1.1.1.tgz", "packages/legacy/alpha-1.0.0.tgz"} <= set(read)


def damaged(market: Market, path: str, data: bytes) -> Market:
    return replace(market, files={**market.files, path: data})


def test_a_package_that_is_not_the_published_one_is_named() -> None:
    path = "packages/alpha-1.1.1.tgz"
    market = damaged(sample(), path, sample().files[path] + b"x")
    with pytest.raises(LedgerError, match=f"{path}: is not what alpha 1.1.1 was published with"):
        market.catalog()


def swapped(changes: dict[bytes, bytes], **files: bytes | None) -> Market:
    """A market whose one package was changed before it was published."""
    line, made = released("alpha", "1.0.0", 1, ("modern",))
    (record,) = line.packages
    chart = read_package(made[record.file], "alpha.tgz")
    content = dict(chart.files)
    manifest = content["OlaresManifest.yaml"]
    for old, new in changes.items():
        assert old in manifest
        manifest = manifest.replace(old, new)
    content["OlaresManifest.yaml"] = manifest
    for name, data in files.items():
        content[name] = data or b""
    data = pack(replace(chart, files=content))
    digest = hashlib.sha256(data).hexdigest()
    record = replace(record, sha256=digest, size_bytes=len(data))
    return EMPTY.grown((replace(line, packages=(record,)), {**made, record.file: data}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # A device would fetch and render such an app for ever (market-protocol-v1 §2.8).
        (b'version: "1.0.0"\n', b'version: "1.0.1"\n', "calls itself alpha 1.0.1, but the ledger"),
        (b'name: "alpha"\n  appid', b'name: "omega"\n  appid', "calls itself omega 1.0.0"),
        (b"metadata:", b"metadata: {", "a device cannot read its manifest"),
        (b"olaresManifest.version", b"{{ x }}", "a device cannot read its manifest"),
    ],
)
def test_a_package_that_contradicts_the_ledger_is_refused(
    old: bytes, new: bytes, said: str
) -> None:
    with pytest.raises(LedgerError, match=said):
        swapped({old: new}).catalog()


def test_what_is_no_package_is_refused() -> None:
    line, made = released("alpha", "1.0.0", 1, ("modern",))
    data = gzip.compress(b"no tar", mtime=0)
    record = replace(line.packages[0], sha256=hashlib.sha256(data).hexdigest())
    market = EMPTY.grown((replace(line, packages=(record,)), {**made, record.file: data}))
    with pytest.raises(ChartgenError, match=record.file):
        market.catalog()


def test_two_names_with_one_id_are_refused() -> None:
    seen: dict[str, str] = {}
    for number in itertools.count():
        name = f"app{number}"
        other = seen.setdefault(app_id(name), name)
        if other != name:
            break
    market = EMPTY.grown(released(other, "1.0.0"), released(name, "1.0.0"))
    both = " and ".join(sorted((other, name)))
    with pytest.raises(RefusedError, match=f"{both} have the same id {app_id(name)}"):
        market.catalog()


def test_a_date_is_counted_in_milliseconds_of_utc() -> None:
    line, _ = released("alpha", "1.0.0")
    # 2026-11-01T18:00:00Z, as `date -u -d @1793556000` says.
    assert line.date == "2026-11-01T18:00:00Z"
    assert epoch_ms(line) == 1_793_556_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-01", "2026-11-01T18:00:00"])
def test_a_date_in_another_form_is_refused(text: str) -> None:
    line, _ = released("alpha", "1.0.0")
    with pytest.raises(LedgerError, match=r"alpha 1\.0\.0"):
        epoch_ms(replace(line, date=text))


DAY = 86_400_000
FIRST = 1_793_556_000_000


def test_a_stamp_is_that_of_the_newest_line_that_a_platform_sees() -> None:
    alpha, delta = app(sample(), "alpha"), app(sample(), "delta")
    assert alpha.modified_ms("modern") == FIRST + 6 * DAY
    assert alpha.modified_ms("legacy") == FIRST
    assert delta.modified_ms("modern") == FIRST + 4 * DAY


def test_a_stamp_rises_with_a_clock_that_went_back() -> None:
    market = EMPTY.grown(released("alpha", "1.0.0", 20))
    stamps = [app(market, "alpha").modified_ms("modern")]
    for version, day in (("1.0.1", 3), ("1.0.2", 3), ("1.0.3", 21)):
        market = market.grown(released("alpha", version, day))
        stamps.append(app(market, "alpha").modified_ms("modern"))
    market = market.grown(retired("alpha", "1.0.3", 1))
    stamps.append(app(market, "alpha").modified_ms("modern"))
    assert stamps == sorted(set(stamps))
    assert stamps[3] == FIRST + 20 * DAY
    assert date(3) < date(20)
