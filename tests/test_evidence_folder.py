"""Evidence is only ever added: what was copied, moved, removed or put elsewhere is told of."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.files import MAX_BYTES
from chartgen.evidence.folder import read_folder
from chartgen.evidence.record import Measurement, Published, Run, _seal, measurement_json
from chartgen.evidence.store import keep
from chartgen.findings import Finding, Severity
from chartgen.market.evidence import AppEvidence
from chartgen.release.stray_evidence import stray_evidence
from tests.specs import write_spec

FOLDER = "apps/evidence/smallapp"


def bench(rate: float = 100.0, **told: Any) -> Measurement:
    runs = (Run(rate), Run(rate + 1), Run(rate), Run(rate + 1))
    plain = {"hardware": "olares-one", "runs": runs, "date": "2026-11-20"}
    return Measurement("bench", "smallapp", **{"version": "1.2.3"} | plain | told)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """The folder of an app's evidence with three benches, each of another speed."""
    for rate in (100.0, 200.0, 300.0):
        keep(tmp_path, bench(rate))
    return tmp_path / "evidence" / "smallapp"


def found(folder: Path) -> tuple[Finding, ...]:
    return read_folder("smallapp", contents(folder), FOLDER).findings


def contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rules(folder: Path) -> list[tuple[str, str]]:
    """Return the rule and the file of each finding."""
    return [(item.rule, item.place.file.rpartition("/")[2]) for item in found(folder)]


def counted(folder: Path) -> list[str]:
    """Return the files that count; the command `check` and the market must agree."""
    kept = read_folder("smallapp", contents(folder), FOLDER).kept
    sound = [one.file.rpartition("/")[2] for one in kept]
    files = tuple((name, data) for name, data in contents(folder).items() if data is not None)
    assert len(AppEvidence("smallapp", files).measurements) == len(sound)
    return sound


def test_what_chartgen_wrote_has_no_findings(evidence: Path) -> None:
    assert found(evidence) == ()
    assert counted(evidence) == [f"1.2.3-bench-{number}.json" for number in (1, 2, 3)]


def test_a_copy_of_an_old_series_is_no_new_one(evidence: Path) -> None:
    shutil.copy(evidence / "1.2.3-bench-1.json", evidence / "1.2.3-bench-4.json")
    assert rules(evidence) == [("evidence-file-name", "1.2.3-bench-4.json")]
    (copy,) = found(evidence)
    assert copy.severity is Severity.ERROR
    assert "1.2.3-bench-1.json" in copy.message
    assert "remove it" in copy.remedy
    assert f"git log -- {FOLDER}/1.2.3-bench-4.json" in copy.remedy
    assert "1.2.3-bench-4.json" not in counted(evidence)


def test_two_series_that_changed_places_are_both_named(evidence: Path) -> None:
    first, second = evidence / "1.2.3-bench-1.json", evidence / "1.2.3-bench-2.json"
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert rules(evidence) == [
        ("evidence-file-name", first.name),
        ("evidence-file-name", second.name),
    ]
    assert [item.severity for item in found(evidence)] == [Severity.ERROR] * 2
    assert "2" in found(evidence)[0].message
    assert counted(evidence) == ["1.2.3-bench-3.json"]


def test_a_copy_that_was_sealed_by_hand_is_one_too(evidence: Path) -> None:
    copy = evidence / "1.2.3-bench-4.json"
    copy.write_bytes(measurement_json(bench(100.0, number=4)))
    assert rules(evidence) == [("evidence-twice", copy.name)]


def test_a_removed_series_leaves_a_gap_and_is_missed_by_the_next(evidence: Path) -> None:
    (evidence / "1.2.3-bench-2.json").unlink()
    gap, removed = found(evidence)
    assert (gap.rule, gap.severity) == ("evidence-gap", Severity.WARNING)
    assert (removed.rule, removed.severity) == ("evidence-removed", Severity.ERROR)
    assert gap.place.file == removed.place.file == f"{FOLDER}/1.2.3-bench-3.json"
    assert "1.2.3-bench-2.json" in gap.message
    assert f"git log -- {FOLDER}/1.2.3-bench-2.json" in gap.remedy
    assert f"git log -- {FOLDER}" in removed.remedy
    # The others are what they were.
    assert counted(evidence) == ["1.2.3-bench-1.json", "1.2.3-bench-3.json"]


def test_a_series_of_another_version_is_missed_too(tmp_path: Path) -> None:
    old = keep(tmp_path, bench(version="1.2.2"))
    keep(tmp_path, bench())
    old.unlink()
    assert rules(old.parent) == [("evidence-removed", "1.2.3-bench-1.json")]


def test_a_rewritten_series_is_missed_by_the_next(evidence: Path) -> None:
    first = evidence / "1.2.3-bench-1.json"
    first.write_bytes(measurement_json(bench(999.0, number=1)))
    assert rules(evidence) == [("evidence-removed", "1.2.3-bench-2.json")]


def test_after_a_merge_of_two_files_of_one_name_the_error_says_the_way_out(tmp_path: Path) -> None:
    """Of a file that was rewritten nobody can tell it, so it stays an error."""
    first = keep(tmp_path, bench())
    keep(tmp_path, bench(200.0))
    common = json.loads(first.read_bytes())["seal"]
    lost = measurement_json(bench(300.0, number=2, after=(common,)))
    follower = bench(version="1.2.4", number=1, after=(json.loads(lost)["seal"],))
    path = first.with_name("1.2.4-bench-1.json")
    path.write_bytes(measurement_json(follower))
    (removed,) = found(first.parent)
    assert (removed.rule, removed.severity) == ("evidence-removed", Severity.ERROR)
    assert removed.place.file == f"{FOLDER}/{path.name}"
    assert "two branches" in removed.remedy
    assert "remove this one as well and measure again" in removed.remedy
    path.unlink()
    assert found(first.parent) == ()


def test_a_broken_file_is_told_of_once(evidence: Path) -> None:
    first = evidence / "1.2.3-bench-1.json"
    first.write_bytes(first.read_bytes().replace(b"100.0", b"999.0"))
    assert rules(evidence) == [("evidence-seal", first.name)]


def test_many_missing_numbers_are_one_finding(tmp_path: Path) -> None:
    path = keep(tmp_path, bench())
    path.rename(path.with_name("1.2.3-bench-999999.json"))
    path.with_name("1.2.3-bench-999999.json").write_bytes(measurement_json(bench(number=999_999)))
    (gap,) = found(path.parent)
    assert gap.rule == "evidence-gap"
    assert "1.2.3-bench-1.json and 999,997 more" in gap.message


def test_line_ends_and_indentation_may_differ(evidence: Path) -> None:
    for path in evidence.iterdir():
        text = json.dumps(json.loads(path.read_bytes()), indent=4)
        path.write_bytes(text.replace("\n", "\r\n").encode())
    assert found(evidence) == ()


def test_files_without_numbers_are_sound(tmp_path: Path) -> None:
    """Those that an earlier chartgen wrote, and those of a publication."""
    folder = tmp_path / "evidence" / "smallapp"
    folder.mkdir(parents=True)
    for number, rate in enumerate((100.0, 200.0), 1):
        (folder / f"1.2.3-bench-{number}.json").write_bytes(measurement_json(bench(rate)))
    keep(tmp_path, bench(300.0))
    assert found(folder) == ()
    # What is chained to them protects them.
    (folder / "1.2.3-bench-1.json").unlink()
    assert [rule for rule, _ in rules(folder)] == ["evidence-gap", "evidence-removed"]


def test_an_imported_series_that_stands_twice(tmp_path: Path) -> None:
    told = bench(runs=(), published=Published(135.97), source="https://example.com/post")
    keep(tmp_path, told)
    path = keep(tmp_path, told)
    assert rules(path.parent) == [("evidence-twice", path.name)]


def test_measurements_of_branches_that_were_merged_are_sound(tmp_path: Path) -> None:
    first = keep(tmp_path, bench())
    seal = json.loads(first.read_bytes())["seal"]
    other = replace(bench(200.0, version="1.2.4"), number=1, after=(seal,))
    keep(tmp_path, bench(300.0))
    (first.parent / "1.2.4-bench-1.json").write_bytes(measurement_json(other))
    keep(tmp_path, bench(400.0))
    assert found(first.parent) == ()


@pytest.mark.parametrize("hardware", ["nonsense\x1b[31m", "RTX 5090"])
def test_a_machine_that_nobody_knows(hardware: str, tmp_path: Path) -> None:
    path = keep(tmp_path, bench(hardware=hardware))
    (unknown,) = found(path.parent)
    assert (unknown.rule, unknown.severity) == ("evidence-hardware", Severity.WARNING)
    assert "\x1b" not in unknown.message
    assert counted(path.parent) == [path.name]


def test_what_is_no_file_is_not_said_to_have_a_wrong_name() -> None:
    (item,) = read_folder("smallapp", {"1.2.3-bench-1.json": None}, FOLDER).findings
    assert item.rule == "evidence-unreadable"
    assert "name" not in item.message


# The commands, on what is no file of evidence


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path / "apps")
    keep(tmp_path / "apps", bench())
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command; return its exit code and all that it prints."""
    code = main(list(words))
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def put(market: Path, kind: str) -> str:
    """Put something into the folder that cannot be used; return its path."""
    path = market / FOLDER / "1.2.3-bench-2.json"
    if kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"[" * (MAX_BYTES + 1))
    else:
        path.write_bytes(b'{"kind": "bench"')
    return f"{FOLDER}/{path.name}"


@pytest.mark.parametrize("kind", ["dangling link", "folder", "large", "cut"])
def test_check_and_leaderboard_say_the_same_of_what_cannot_be_read(
    kind: str, market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"{put(market, kind)}: error: "
    code, checked = said(capsys, "check")
    assert code == 1
    assert checked.count(line) == 1
    assert "[evidence-unreadable]" in checked
    code, shown = said(capsys, "leaderboard")
    assert code == 1
    assert shown.count(line) == 1
    # The other measurement counts as if nothing were there.
    assert "Small App" in shown
    assert "100.5" in shown


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("evidence/stray.json", "stray.json"),
        ("evidence/smalapp/1.2.3-bench-1.json", "smallapp"),
        ("evidence/formername/1.0.0-bench-1.json", "formername"),
    ],
)
def test_evidence_that_no_app_has_is_told_of(
    path: str, word: str, market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = market / "apps" / path
    target.parent.mkdir(exist_ok=True)
    target.write_bytes((market / FOLDER / "1.2.3-bench-1.json").read_bytes())
    code, shown = said(capsys, "check")
    assert code == 0
    (line,) = [line for line in shown.splitlines() if "[evidence-stray]" in line]
    assert "warning" in line
    assert word in shown
    code, shown = said(capsys, "leaderboard")
    assert code == 0
    assert "[evidence-stray]" in shown
    # Of one app alone nobody asks what else there is.
    assert "evidence-stray" not in said(capsys, "check", "apps/smallapp.yaml")[1]


def test_a_spec_that_cannot_be_read_makes_no_evidence_a_stray(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (market / "apps" / "smallapp.yaml").write_text("name: [\n")
    assert "evidence-stray" not in said(capsys, "check")[1]


def test_numbers_beyond_belief_stop_nothing(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = json.loads(measurement_json(bench(number=2)))
    sealed["runs"] = [{"tokens_per_second": 1e308}] * 4
    del sealed["seal"]
    sealed["seal"] = _seal(sealed)
    path = market / FOLDER / "1.2.3-bench-2.json"
    path.write_text(json.dumps(sealed))
    code, shown = said(capsys, "check")
    assert code == 1
    assert "runs.0.tokens_per_second" in shown
    code, shown = said(capsys, "leaderboard")
    assert code == 1
    assert "100.5" in shown


def test_evidence_of_a_retired_app_is_kept_and_read(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(market / "apps", replace(bench(), app="gone")).write_bytes(b"{}")
    (item,) = stray_evidence(market, ["smallapp"], ["gone"])
    assert item.rule == "evidence-unreadable"
    (item,) = stray_evidence(market, ["smallapp"], [])
    assert item.rule == "evidence-stray"
    (item,) = stray_evidence(market, [], ["gone", "smallapp"])
    assert item.rule == "evidence-unreadable"


def test_evidence_of_a_renamed_app_is_told_to_belong_nowhere(market: Path) -> None:
    keep(market / "apps", replace(bench(), app="formername"))
    (item,) = stray_evidence(market, ["smallapp"], [])
    assert item.rule == "evidence-stray"
    assert "formername, which is no app any more" in item.remedy
    assert "move it" not in item.remedy
    # In whichever folder it is: only that of an app that there is would be a place for it.
    folder = market / "apps" / "evidence"
    (folder / "formername").rename(folder / "smalapp")
    assert stray_evidence(market, ["smallapp"], [])[0].remedy == item.remedy
    (item,) = stray_evidence(market, ["smallapp", "formername"], [])
    assert "move it to apps/evidence/formername" in item.remedy
