"""Checking and building whole markets: reports, packages, and what a second build leaves alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from chartgen.build import RECORD, BuildReport, build_specs
from chartgen.check import check_paths
from chartgen.errors import UnreadableError
from chartgen.market.layout import find_specs
from chartgen.package.read import read_chart
from tests.specs import write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")


@pytest.fixture
def market(tmp_path: Path) -> Path:
    apps = tmp_path / "apps"
    apps.mkdir()
    write_spec(apps)
    write_spec(apps, {"name": "otherapp", "title": "Other"})
    return tmp_path


def build(market: Path, **changes: Any) -> BuildReport:
    specs = find_specs(market)
    settings: dict[str, Any] = {"platforms": ("modern", "legacy"), "output": market / "dist"}
    return build_specs(market, specs, **(settings | changes))


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_sound_market_has_no_findings(market: Path) -> None:
    specs = find_specs(market)
    report = check_paths(market, specs)
    assert report.findings == ()
    assert [sorted(app.charts) for app in report.apps] == [["legacy", "modern"]] * 2


def test_packages_are_written_with_their_digests(market: Path) -> None:
    report = build(market)
    assert [(r.name, r.platform, r.state) for r in report.results] == [
        ("otherapp", "modern", "built"),
        ("otherapp", "legacy", "built"),
        ("smallapp", "modern", "built"),
        ("smallapp", "legacy", "built"),
    ]
    assert set(tree(market / "dist")) == {
        RECORD,
        "otherapp-1.2.3.tgz",
        "smallapp-1.2.3.tgz",
        "legacy/otherapp-1.2.3.tgz",
        "legacy/smallapp-1.2.3.tgz",
    }
    for result in report.results:
        assert result.package is not None
        data = result.package.read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (result.digest, result.size_bytes)
        assert read_chart(result.package).name == result.name


def test_a_package_holds_what_was_checked(market: Path) -> None:
    build(market)
    specs = [Path("apps/smallapp.yaml")]
    (app,) = check_paths(market, specs).apps
    packed = read_chart(market / "dist" / "smallapp-1.2.3.tgz")
    assert packed.content_digest() == app.charts["modern"].content_digest()
    assert check_paths(market, [Path("dist/smallapp-1.2.3.tgz")]).findings == ()


def test_a_second_build_leaves_everything_as_it_is(market: Path) -> None:
    build(market)
    before = tree(market / "dist")
    report = build(market)
    assert {result.state for result in report.results} == {"unchanged"}
    assert len(report.results) == 4
    assert tree(market / "dist") == before


@pytest.mark.parametrize("what", ["spec", "icon", "market", "package", "record"])
def test_whatever_changed_is_built_again(what: str, market: Path) -> None:
    build(market)
    package = market / "dist" / "smallapp-1.2.3.tgz"
    good = package.read_bytes()
    if what == "spec":
        write_spec(market / "apps", {"title": "Renamed"})
    elif what == "icon":
        icon = market / "apps" / "icons" / "smallapp.png"
        icon.write_bytes(icon.read_bytes() + b"\0")
    elif what == "market":
        (market / "market").mkdir()
        (market / "market" / "market.yaml").write_text("url: https://other.example.com\n")
    elif what == "package":
        package.write_bytes(good[:-1])
    else:
        (market / "dist" / RECORD).write_text("{not json")
    report = build(market)
    states = {result.name: result.state for result in report.results}
    assert states["smallapp"] == "built"
    assert states["otherapp"] == ("built" if what in {"market", "record"} else "unchanged")
    assert (package.read_bytes() == good) == (what in {"package", "record"})


def test_an_app_with_errors_is_not_written_and_the_others_are(market: Path) -> None:
    write_spec(market / "apps", {"engine": {"image": "vllm/vllm-openai:latest"}})
    report = build(market)
    states = {result.name: result.state for result in report.results}
    assert states == {"smallapp": "failed", "otherapp": "built"}
    assert [f.rule for f in report.findings] == ["image-floating"]
    assert not (market / "dist" / "smallapp-1.2.3.tgz").exists()


def test_warnings_are_told_again_by_a_build_that_has_nothing_to_do(market: Path) -> None:
    write_spec(market / "apps", {"version": "1.2.4"})
    first = build(market)
    again = build(market)
    assert [f.rule for f in first.findings] == ["changes-missing"]
    assert again.findings == first.findings


def test_the_first_of_two_specs_keeps_the_name(market: Path) -> None:
    text = (market / "apps" / "smallapp.yaml").read_text()
    (market / "apps" / "twin.yaml").write_text(text)
    for _ in range(2):
        report = build(market)
        assert [(f.rule, f.place.file) for f in report.findings] == [
            ("app-name-taken", "apps/twin.yaml")
        ]
        failed = [result.spec_file for result in report.results if result.state == "failed"]
        assert failed == ["apps/twin.yaml"]


def test_a_dry_run_writes_nothing(market: Path) -> None:
    report = build(market, dry_run=True)
    assert {result.state for result in report.results} == {"built"}
    assert not (market / "dist").exists()


def test_one_platform_only(market: Path) -> None:
    report = build(market, platforms=("modern",))
    assert {result.platform for result in report.results} == {"modern"}
    assert not (market / "dist" / "legacy").exists()


def test_a_spec_that_cannot_be_opened(market: Path) -> None:
    with pytest.raises(UnreadableError, match=r"apps/none\.yaml"):
        check_paths(market, [Path("apps/none.yaml")])


def test_an_unreadable_spec_is_told_apart(market: Path) -> None:
    (market / "apps" / "broken.yaml").write_bytes(b"a: [")
    report = check_paths(market, [Path("apps/broken.yaml")])
    assert report.unreadable
    assert [f.rule for f in report.findings] == ["yaml-syntax"]


def test_a_bad_market_file_stops_the_build(market: Path) -> None:
    (market / "market").mkdir()
    (market / "market" / "market.yaml").write_text("url: http://plain\ntitel: X\n")
    report = check_paths(market, [Path("apps/smallapp.yaml")])
    assert {f.rule for f in report.findings} == {"spec-unknown-key", "spec-value"}
    assert report.apps == ()


def test_the_record_names_no_folder_of_this_machine(market: Path) -> None:
    build(market)
    assert str(market) not in json.dumps(json.loads((market / "dist" / RECORD).read_bytes()))
