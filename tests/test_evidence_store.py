"""Keeping measurements: new files only, whole ones only, whoever else writes at the time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chartgen.errors import ChartgenError
from chartgen.evidence.files import evidence_name, name_parts
from chartgen.evidence.record import Measurement, Run, parse_measurement
from chartgen.evidence.store import keep
from chartgen.files import names_in, write_new


def bench(version: str = "1.2.3", rate: float = 100.0) -> Measurement:
    return Measurement("bench", "smallapp", version, runs=(Run(rate),))


def test_each_measurement_gets_a_file_of_its_own(tmp_path: Path) -> None:
    first, second = keep(tmp_path, bench()), keep(tmp_path, bench())
    other, trial = keep(tmp_path, bench("1.2.4")), keep(tmp_path, bench(""))
    folder = tmp_path / "evidence" / "smallapp"
    assert first == folder / "1.2.3-bench-1.json"
    assert second == folder / "1.2.3-bench-2.json"
    assert other == folder / "1.2.4-bench-1.json"
    assert trial == folder / "unversioned-bench-1.json"
    assert parse_measurement(first.read_bytes()) == bench()


def test_a_number_is_not_given_again_below_a_higher_one(tmp_path: Path) -> None:
    keep(tmp_path, bench())
    second = keep(tmp_path, bench())
    second.with_name("1.2.3-bench-1.json").unlink()
    assert keep(tmp_path, bench()).name == "1.2.3-bench-3.json"


def test_many_at_a_time_lose_nothing(tmp_path: Path) -> None:
    rates = [float(rate) for rate in range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda rate: keep(tmp_path, bench(rate=rate)), rates))
    assert len(set(paths)) == 40
    held = [parse_measurement(path.read_bytes()) for path in paths]
    assert held == [bench(rate=rate) for rate in rates]
    # No temporary file is left.
    assert len(list((tmp_path / "evidence" / "smallapp").iterdir())) == 40


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"
    write_new(path, b"first")
    with pytest.raises(FileExistsError):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file")
    with pytest.raises(ChartgenError, match="cannot be made"):
        keep(tmp_path, bench())


@pytest.mark.parametrize("version", ["1.2.3", "", "10.20.30"])
@pytest.mark.parametrize("kind", ["bench", "smoke"])
def test_a_name_tells_what_it_was_made_of(version: str, kind: str) -> None:
    assert name_parts(evidence_name(version, kind, 7)) == (version, kind, 7)


@pytest.mark.parametrize(
    "name",
    ["notes.md", "1.2.3-bench-0.json", "1.2.3-bench-01.json", "1.2.3-other-1.json", "bench-1.json"],
)
def test_other_names_are_none_of_a_measurement(name: str) -> None:
    assert name_parts(name) is None


def test_names_in_a_folder(tmp_path: Path) -> None:
    for name in ("b", ".hidden", "a"):
        (tmp_path / name).touch()
    assert names_in(tmp_path) == ("a", "b")
    assert names_in(tmp_path / "none") == ()
    assert names_in(tmp_path / "a") == ()
