"""`bench` tells what was gained where the change notes of the version do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, Published, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.release.ledger import LEDGER
from tests.publishing import publish
from tests.scripted_engine import ScriptedEngine
from tests.specs import loaded, write_spec

pytestmark = pytest.mark.loopback
Capture = pytest.CaptureFixture[str]
BEFORE: dict[str, Any] = {"engine": {"context": 16384}}
# The version and the setting that makes it faster; a test adds the notes.
AFTER: dict[str, Any] = {
    "version": "1.2.4",
    "engine": {"context": 16384, "args": {"max-num-seqs": 4}},
}
GAIN = "note: 135.9 → 250.5 tokens/s, +84 %, against 1.2.3; it may be added to the change notes"


def measured(market: Path, rates: tuple[float, ...], **told: Any) -> None:
    """Keep an earlier bench of the app as it stood before."""
    app = loaded(market / "apps", BEFORE)
    plain: dict[str, Any] = {"version": "1.2.3", "workload": workload_digest(app)}
    plain |= {"hardware": "olares-one", "date": "2026-05-20", "runs": tuple(map(Run, rates * 4))}
    keep(market / "apps", Measurement("bench", "smallapp", **plain | told))


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A market that was never published, with one measured app."""
    measured(tmp_path, (135.52, 136.06, 135.97))
    return tmp_path


def bench(
    market: Path,
    capsys: Capture,
    spec: dict[str, Any],
    *more: str,
    rate: float = 250.548,
) -> str:
    """Set the app, measure it at a rate, and return what is noted of speeds."""
    write_spec(market / "apps", spec)
    with pytest.MonkeyPatch.context() as patch, ScriptedEngine(context=16384) as engine:
        patch.setattr("chartgen.measure.runs.timed_run", lambda *_, **__: Run(rate))
        assert main(["-C", str(market), "bench", "smallapp", engine.url, *more]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if " → " in line]
    assert len(notes) < 2
    return "".join(notes)


def noted(*notes: str) -> dict[str, Any]:
    return AFTER | {"changes": {"1.2.4": list(notes)}}


def test_gain_over_the_release_before(market: Path, capsys: Capture) -> None:
    publish(market)
    assert bench(market, capsys, noted("Four at a time")) == (
        f"{GAIN} of 1.2.4, which do not tell it"
    )


def test_gain_over_the_version_measured_before(market: Path, capsys: Capture) -> None:
    measured(market, (50.0,) * 4, version="1.2.2", workload="0" * 64)
    assert bench(market, capsys, noted("Four at a time")).startswith(GAIN)


def test_gain_over_the_newest_settings_of_a_version(market: Path, capsys: Capture) -> None:
    measured(market, (50.0,) * 4, workload="0" * 64, date="2026-05-19")
    assert bench(market, capsys, noted("Four at a time")).startswith(GAIN)


def test_a_bench_before_the_bump_is_of_the_new_version(market: Path, capsys: Capture) -> None:
    assert bench(market, capsys, AFTER | {"version": "1.2.3"}) == ""
    assert bench(market, capsys, noted("Four at a time")).startswith(GAIN)


def test_only_the_bench_that_gives_the_number_tells_it(market: Path, capsys: Capture) -> None:
    assert bench(market, capsys, noted("Four at a time")).startswith(GAIN)
    assert bench(market, capsys, noted("Four at a time"), "--max-tokens", "100") == ""


def test_loss_is_told_as_well(market: Path, capsys: Capture) -> None:
    found = bench(market, capsys, noted("Four at a time"), rate=100.0)
    assert found.startswith("note: 135.9 → 100.0 tokens/s, \N{MINUS SIGN}26 %, against 1.2.3")


def test_gain_over_a_published_number(tmp_path: Path, capsys: Capture) -> None:
    measured(tmp_path, (), workload="", published=Published(135.85), source="a publication")
    assert bench(tmp_path, capsys, noted("Four at a time")).startswith(GAIN)


@pytest.mark.parametrize(
    "note",
    [
        "135.9 → 250.5 tokens/s, +84 %",
        "Now 250.5 tokens/s",
        "251 tok/s",
        "250,5 Token/s",
    ],
)
def test_a_note_that_has_the_number(note: str, market: Path, capsys: Capture) -> None:
    publish(market)
    assert bench(market, capsys, noted("Four at a time", note)) == ""


@pytest.mark.parametrize("note", ["Was 135.9 tokens/s", "Context of 251 tokens", "84 % faster"])
def test_a_note_that_has_other_numbers(note: str, market: Path, capsys: Capture) -> None:
    assert bench(market, capsys, noted(note)).startswith(GAIN)


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        (AFTER | {"changes": None}, ()),
        (noted("Four at a time"), ("--no-save",)),
        (noted("Four at a time"), ("--max-tokens", "100")),
        (noted("Four at a time"), ("--hardware", "rtx-4090")),
        (BEFORE | {"version": "1.2.4", "changes": {"1.2.4": ["New texts"]}}, ()),
        (AFTER | {"version": "1.2.3"}, ()),
    ],
    ids=["no notes", "not kept", "not comparable", "another machine", "same settings", "released"],
)
def test_nothing_is_gained_or_to_be_noted(
    spec: dict[str, Any], more: tuple[str, ...], market: Path, capsys: Capture
) -> None:
    publish(market)
    assert bench(market, capsys, spec, *more) == ""


def test_nothing_was_measured_before(tmp_path: Path, capsys: Capture) -> None:
    write_spec(tmp_path / "apps", BEFORE)
    publish(tmp_path)
    assert bench(tmp_path, capsys, noted("Four at a time")) == ""


def test_a_damaged_ledger_spoils_no_bench(market: Path, capsys: Capture) -> None:
    publish(market)
    (market / LEDGER).write_text("no ledger\n")
    assert bench(market, capsys, noted("Four at a time")) == ""
