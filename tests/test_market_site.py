"""The site: every file, and a hash that covers what is seen and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.errors import RefusedError, UnreadableError
from chartgen.market.site import (
    GZIP,
    HTML,
    JSON,
    PREFIXES,
    Base,
    Site,
    SiteFile,
    build_site,
)
from chartgen.olares.platform import PLATFORMS
from chartgen.release.ledger import LedgerError, append, read_ledger
from tests.markets import EMPTY, Market, released, retired, sample
from tests.specs import png

ROOT = Path(__file__).resolve().parent.parent
LISTS = (
    "/api/v1/appstore/hash",
    "/api/v1/appstore/info",
    "/api/v2/applications",
    "/api/v2/browse/applications",
    "/api/v2/taxonomy",
)


def base(site: Site, prefix: str = "") -> Base:
    return next(base for base in site.bases if base.prefix == prefix)


def hashes(market: Market, pages: dict[str, SiteFile] | None = None) -> tuple[str, ...]:
    return tuple(base.hash for base in market.site(pages).bases)


def test_every_platform_has_a_base() -> None:
    assert PREFIXES.keys() == PLATFORMS.keys()
    assert [(base.prefix, base.platform) for base in sample().site().bases] == [
        ("", "modern"),
        ("/legacy", "legacy"),
    ]


def test_a_site_has_these_files() -> None:
    site = sample().site()
    icon = hashlib.sha256(png()).hexdigest()[:8]
    charts = ["alpha-1.0.0", "alpha-1.1.0", "alpha-1.1.1", "beta-0.3.0", "delta-2.0.0"]
    charts += ["epsilon-1.0.0", "zeta-1000.20000.30000"]
    legacy = ["alpha-1.0.0", "beta-0.3.0", "epsilon-1.0.0", "gamma-0.1.0", "zeta-1000.20000.30000"]
    apps = ["alpha", "beta", "delta", "epsilon", "gamma", "zeta"]
    expected = [f"{prefix}{path}" for prefix in ("", "/legacy") for path in LISTS]
    expected += [f"/charts/{name}.tgz" for name in charts]
    expected += [f"/legacy/charts/{name}.tgz" for name in legacy]
    expected += [f"/icons/{name}-{icon}.png" for name in apps]
    expected += ["/index.yaml", "/legacy/index.yaml", "/sha256sums"]
    pictures = [path for path in site.files if path.startswith("/icons/market-")]
    assert len(pictures) == 1
    assert list(site.files) == sorted([*expected, *pictures])


def test_no_file_stands_where_a_route_answers() -> None:
    for path in sample().site().files:
        assert not path.endswith(("/applications/info", "/chart", "/catalog"))


def test_a_market_without_legacy_packages_has_one_base() -> None:
    site = EMPTY.grown(released("alpha", "1.0.0", 1, ("modern",))).site()
    assert [base.prefix for base in site.bases] == [""]
    assert not any(path.startswith("/legacy") for path in site.files)


def test_an_empty_market_has_a_site() -> None:
    site = EMPTY.site()
    assert [base.prefix for base in site.bases] == [""]
    assert base(site).details == {}
    assert json.loads(site.content("/api/v1/appstore/hash"))["hash"] == base(site).hash


def test_charts_are_named_by_base() -> None:
    site = sample().site()
    assert base(site).charts["alpha-1.1.1.tgz"] == "/charts/alpha-1.1.1.tgz"
    assert base(site, "/legacy").charts["gamma-0.1.0.tgz"] == "/legacy/charts/gamma-0.1.0.tgz"
    assert "gamma-0.1.0.tgz" not in base(site).charts
    assert "alpha-1.1.1.tgz" not in base(site, "/legacy").charts


def test_packages_are_not_held_but_read_when_wanted() -> None:
    site = sample().site()
    charts = [file for file in site.files.values() if file.content_type == GZIP]
    assert charts
    assert all(file.data is None for file in charts)
    assert site.content("/charts/alpha-1.0.0.tgz") == sample().files["packages/alpha-1.0.0.tgz"]
    legacy = sample().files["packages/legacy/alpha-1.0.0.tgz"]
    assert site.content("/legacy/charts/alpha-1.0.0.tgz") == legacy


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f\x8b"])
def test_a_package_that_has_changed_is_never_served(data: bytes) -> None:
    files = {**sample().files}
    market = replace(sample(), files=files)
    site = market.site()
    files["packages/alpha-1.0.0.tgz"] = data
    with pytest.raises(UnreadableError, match="packages/alpha-1"):
        site.content("/charts/alpha-1.0.0.tgz")


def test_files_say_how_long_they_are_kept() -> None:
    site = sample().site({"/index.html": SiteFile.of(b"<html>", HTML)})
    told = {path: file.cache_control for path, file in site.files.items()}
    assert told["/api/v1/appstore/info"] == "no-store"
    assert told["/charts/alpha-1.0.0.tgz"] == "public, max-age=31536000, immutable"
    assert told["/index.html"] == told["/index.yaml"] == "public, max-age=0, must-revalidate"
    assert {file.cache_control for file in site.files.values() if file.content_type == JSON} == {
        "no-store"
    }


def test_two_files_with_one_path_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"^/index\.yaml: "):
        sample().site({"/index.yaml": SiteFile.of(b"", HTML)})


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not here")
def test_checksums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    site = sample().site()
    for path in site.files:
        target = tmp_path / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(site.content(path))
    command = ["sha256sum", "--check", "--strict", "--quiet", "sha256sums"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "index.yaml").write_bytes(b"")
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode != 0
    listed = (tmp_path / "sha256sums").read_text().splitlines()
    assert {line[66:] for line in listed} == {path[1:] for path in site.files} - {"sha256sums"}


def test_item_07_two_builds_are_byte_identical() -> None:
    market = sample()
    # Another order of reading, another process' worth of state: all of it made anew.
    shuffled = replace(market, files=dict(reversed(market.files.items())))
    one, two = market.site(), shuffled.site()
    assert one == two
    assert [one.content(path) for path in one.files] == [two.content(path) for path in two.files]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_item_07_no_process_and_no_time_zone_matters(seed: str) -> None:
    code = "from tests.markets import sample; print(*(b.hash for b in sample().site().bases))"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}", "LC_ALL": "C"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert tuple(run.stdout.split()) == hashes(sample()), run.stderr


PAGE = {"/index.html": SiteFile.of(b"<html>", HTML)}


def other_icon(market: Market) -> Market:
    line, files = released("beta", "0.3.1", 2, categories=["Models", "Wörkspace"])
    picture = png(128)
    icon = f"beta-{hashlib.sha256(picture).hexdigest()[:8]}.png"
    kept = {path: data for path, data in files.items() if not path.startswith("icons/")}
    return market.grown((replace(line, icon=icon), {**kept, f"icons/{icon}": picture}))


def with_category(market: Market, name: str) -> Market:
    shown = {"name": name, "titles": {"en-US": "Other words"}}
    return market.with_settings(categories=[*market.settings.categories, shown])


@pytest.mark.parametrize(
    ("change", "bases"),
    [
        (lambda market: market.grown(released("alpha", "1.2.0", 7)), {"", "/legacy"}),
        (lambda market: market.grown(released("alpha", "1.2.0", 7, ("modern",))), {""}),
        (lambda market: market.grown(released("gamma", "0.2.0", 8, ("legacy",))), {"/legacy"}),
        (lambda market: market.grown(retired("gamma", "0.1.0", 8)), {"/legacy"}),
        (lambda market: market.grown(retired("beta", "0.3.0", 8)), {"", "/legacy"}),
        (lambda market: market.with_settings(title="Other"), {"", "/legacy"}),
        (lambda market: market.with_settings(url="https://b.example.com"), {"", "/legacy"}),
        (lambda market: market.with_settings(categories=[]), {"", "/legacy"}),
        (lambda market: with_category(market, "All"), {"", "/legacy"}),
        (lambda market: with_category(market, "Gone"), {""}),
        (lambda market: with_category(market, "Unused"), set()),
        (lambda market: market.with_settings(source_id="market.b"), {"", "/legacy"}),
        (other_icon, {"", "/legacy"}),
    ],
)
def test_item_07_the_hash_moves_with_what_is_seen(change: Any, bases: set[str]) -> None:
    before, after = sample().site(), change(sample()).site()
    moved = {
        prefix
        for prefix in ("", "/legacy")
        if base(before, prefix).hash != base(after, prefix).hash
    }
    assert moved == bases


def test_item_07_the_hash_covers_the_pages() -> None:
    without, one = hashes(sample()), hashes(sample(), PAGE)
    two = hashes(sample(), {"/index.html": SiteFile.of(b"<html >", HTML)})
    other = hashes(sample(), {"/index.htm": SiteFile.of(b"<html>", HTML)})
    assert len({*without, *one, *two, *other}) == 8


def test_item_07_the_hash_covers_the_bytes_of_every_chart() -> None:
    """Also of those that no list describes any more."""
    market = sample()
    line = market.ledger.releases[0]
    assert (line.name, line.version) == ("alpha", "1.0.0")
    record = replace(line.packages[0], sha256="0" * 64)
    changed = replace(line, packages=(record, *line.packages[1:]))
    ledger = replace(market.ledger, releases=(changed, *market.ledger.releases[1:]))
    before, after = market.site(), replace(market, ledger=ledger).site()
    assert base(before).hash != base(after).hash
    assert base(before, "/legacy").hash == base(after, "/legacy").hash


def test_item_07_the_hash_covers_every_detail() -> None:
    """Change notes of old versions stand in the details and nowhere else."""
    market = EMPTY.grown(released("alpha", "1.0.0", 1), released("alpha", "1.0.1", 2))
    lines = market.ledger.releases
    other = replace(market.ledger, releases=(replace(lines[0], changes=("Other words",)), lines[1]))
    assert not set(hashes(market)) & set(hashes(replace(market, ledger=other)))


def test_item_07_what_nobody_sees_does_not_move_the_hash() -> None:
    market = sample()
    lines = [replace(line, settings={"other": 1}) for line in market.ledger.releases]
    ledger = replace(market.ledger, releases=tuple(lines))
    assert hashes(market) == hashes(replace(market, ledger=ledger))


def test_the_digest_of_v2_moves_with_the_apps_only() -> None:
    def digest(market: Market, pages: dict[str, SiteFile] | None = None) -> Any:
        return base(market.site(pages)).catalog_v2["apps_filter_digest"]

    assert digest(sample()) == digest(sample(), PAGE)
    assert digest(sample()) != digest(sample().grown(released("alpha", "1.2.0", 7)))
    assert digest(sample()) == digest(sample().grown(retired("gamma", "0.1.0", 8)))


def test_item_08_a_version_never_gets_other_bytes(tmp_path: Path) -> None:
    line, files = released("alpha", "1.0.0")
    append(tmp_path, read_ledger(tmp_path), [line], files)
    again, changed = released("alpha", "1.0.0", summary="Other words")
    with pytest.raises(LedgerError, match=r"alpha 1\.0\.0 does not rise above 1\.0\.0"):
        append(tmp_path, read_ledger(tmp_path), [again], changed)
    later, _ = released("alpha", "1.0.1")
    with pytest.raises(LedgerError, match="was published with other bytes"):
        append(tmp_path, read_ledger(tmp_path), [later], changed)


def test_a_missing_icon_is_not_passed_over() -> None:
    files = {path: data for path, data in sample().files.items() if "icons/alpha" not in path}
    with pytest.raises(KeyError):
        build_site(sample().catalog(), files.__getitem__)
