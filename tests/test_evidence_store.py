"""Keeping measurements: new files only, whole ones only, whoever else writes at the time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from chartgen.errors import ChartgenError
from chartgen.evidence.files import evidence_name, name_parts
from chartgen.evidence.record import Measurement, Run, measurement_json, parse_measurement
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
    read = [parse_measurement(path.read_bytes()) for path in (first, second, other, trial)]
    assert [found.number for found in read if isinstance(found, Measurement)] == [1, 2, 1, 1]


def of(path: Path) -> Measurement:
    found = parse_measurement(path.read_bytes())
    assert isinstance(found, Measurement)
    return found


def test_each_measurement_names_the_newest_that_were_there(tmp_path: Path) -> None:
    first = keep(tmp_path, bench())
    second = keep(tmp_path, bench("1.2.4"))
    assert of(first).after == ()
    assert of(second).after == (of(first).seal,)
    # Two that were measured side by side: the next one comes after both.
    branch = tmp_path / "evidence" / "smallapp" / "1.2.5-bench-1.json"
    branch.write_bytes(measurement_json(replace(bench("1.2.5"), number=1, after=of(second).after)))
    third = of(keep(tmp_path, bench()))
    assert sorted(third.after) == sorted([of(second).seal, of(branch).seal])
    assert of(keep(tmp_path, bench())).after == (third.seal,)


def test_what_cannot_be_read_is_not_named(tmp_path: Path) -> None:
    first = keep(tmp_path, bench())
    first.write_bytes(b"{}")
    first.with_name("1.2.3-bench-2.json").symlink_to("nowhere")
    first.with_name("1.2.3-bench-3.json").mkdir()
    fourth = keep(tmp_path, bench())
    assert fourth.name == "1.2.3-bench-4.json"
    assert of(fourth).after == ()


def test_an_imported_measurement_says_only_what_its_publication_does(tmp_path: Path) -> None:
    imported = replace(bench(), source="https://example.com/post")
    keep(tmp_path, bench())
    assert keep(tmp_path, imported).read_bytes() == measurement_json(imported)


def test_a_measurement_that_nobody_would_believe_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ChartgenError, match="tokens_per_second"):
        keep(tmp_path, bench(rate=1e12))
    assert not list((tmp_path / "evidence" / "smallapp").iterdir())


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
    held = [of(path) for path in paths]
    assert [one.runs[0].tokens_per_second for one in held] == rates
    assert [evidence_name("1.2.3", "bench", one.number or 0) for one in held] == [
        path.name for path in paths
    ]
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
