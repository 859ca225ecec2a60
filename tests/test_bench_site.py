"""The markets whose sites the benchmark builds, and what it counts of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.measure import FailedRunError
from bench.site import LONG, measure_sites
from bench.site_load import SOURCES, Copies, built, write_markets
from chartgen.release.ledger import read_ledger

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("markets")
    write_markets(ROOT, folder, [2, 40])
    return folder


def test_markets_have_as_many_apps_as_wanted_and_share_their_first_releases(markets: Path) -> None:
    few, many = (read_ledger(markets / size).releases for size in ("2", "40"))

    assert len(few) == 2
    assert len({release.name for release in many}) == 40
    assert many[:2] == few


def test_every_package_is_the_one_of_the_ledger(markets: Path) -> None:
    site, _ = built(markets, 40)

    charts = [path for path in site.files if path.endswith(".tgz")]
    assert len(charts) >= 40
    for path in charts:
        site.content(path)  # compares the digest
    assert len(site.bases[0].details) == 40


def test_no_package_is_kept_and_making_them_is_not_counted(
    markets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies(markets / SOURCES)
    releases = read_ledger(markets / "40").releases
    for release in releases:
        for package in release.packages:
            assert len(copies.read(package.file)) == package.size_bytes
    sources = list((markets / SOURCES).rglob("*.tgz"))
    assert len(copies.charts) <= len(sources)
    assert copies.cpu_seconds > 0

    read = Copies.read

    def slow(self: Copies, path: str) -> bytes:
        self.cpu_seconds += 1000
        return read(self, path)

    monkeypatch.setattr(Copies, "read", slow)
    _, cost = built(markets, 2)
    assert cost.cpu_seconds < -1000


def test_each_size_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    told: list[str] = []
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

    found = measure_sites(
        ROOT, tmp_path, (1, 3), rounds=1, environment=environment, on_progress=told.append
    )

    assert [item.apps for item in found] == [1, 3]
    assert all(0 < item.cost.cpu_seconds < 60 for item in found)
    assert all(10 < item.cost.peak_mib < 1000 for item in found)
    assert told[-1] == "site of 3 apps, round 1 of 1"


def test_a_site_that_cannot_be_built_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FailedRunError):
        measure_sites(
            tmp_path,
            tmp_path / "scratch",
            (1,),
            rounds=1,
            environment={"PYTHONPATH": str(ROOT)},
            on_progress=str,
        )


def test_the_largest_markets_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def output_of(command: list[str], _environment: object) -> tuple[None, str]:
        runs.append(command[-1])
        return None, '{"cpu_seconds": 1, "wall_seconds": 2, "peak_mib": 3}'

    monkeypatch.setattr("bench.site.run", lambda *_: None)
    monkeypatch.setattr("bench.site.output_of", output_of)
    measure_sites(ROOT, Path("scratch"), (1, LONG), rounds=3, environment={}, on_progress=str)

    assert runs == ["1", str(LONG), "1", "1"]
