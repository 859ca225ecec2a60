"""Evidence beside a spec: what of it is of the spec today, and what texts say because of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.check_record import InputsNow, spec_inputs
from chartgen.evidence.beside import current_speed, evidence_of
from chartgen.evidence.record import Measurement, Published, Run, measurement_json
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.release.ledger import read_ledger
from chartgen.release.plan import AppState, app_state, bump_edit
from chartgen.release.workspace import read_workspace
from chartgen.render.texts import english, translated
from chartgen.spec.load import LoadedSpec, load_spec
from tests.publishing import publish
from tests.specs import loaded, write_spec

# The series of the issue, and a steady one of the same app.
TWO_SPEEDS = (218.0, 229.0, 62.0, 223.0, 215.0, 103.0, 62.0, 224.0, 62.0, 221.0)
STEADY = (250.35, 250.87, 252.97, 252.14, 249.51, 247.84, 252.48, 249.61, 248.61, 251.10)
TEXT: dict[str, Any] = {
    "summary": "A small app, {context} context, {tps} tokens/s, {acceptance} of drafts kept",
    "engine": {"context": 16384},
}


def measured(app: LoadedSpec, rates: tuple[float, ...] = STEADY, **told: Any) -> Measurement:
    """Return a bench of an app as it is now."""
    plain: dict[str, Any] = {"version": app.spec.version, "workload": workload_digest(app)}
    plain |= {"hardware": "olares-one", "date": "2026-05-20", "runs": tuple(map(Run, rates))}
    return Measurement("bench", "smallapp", **plain | told)


def imported(**told: Any) -> Measurement:
    plain: dict[str, Any] = {"version": "1.2.3", "published": Published(135.97)}
    plain["source"] = "a publication"
    return Measurement("bench", "smallapp", **plain | told)


def summary(folder: Path, *kept: Measurement, machine: str = "") -> str:
    loaded(folder, TEXT)
    for measurement in kept:
        keep(folder, measurement)
    return english(loaded(folder, TEXT), machine).summary


def test_texts_say_what_was_measured(tmp_path: Path) -> None:
    app = loaded(tmp_path, TEXT)
    known = measured(app, accepted_tokens=25_920, drafted_tokens=29_997)
    assert summary(tmp_path, known) == (
        "A small app, 16K context, 250.5 tokens/s, 86.4 % of drafts kept"
    )


def test_without_evidence_its_parts_are_left_out(tmp_path: Path) -> None:
    assert summary(tmp_path) == "A small app, 16K context"


def test_a_translation_and_a_long_text_are_filled_too(tmp_path: Path) -> None:
    changes = TEXT | {
        "about": "Writes {tps} tokens/s",
        "i18n": {"de-DE": {"summary": "Eine App, {tps} Token/s"}},
    }
    keep(tmp_path, measured(loaded(tmp_path, changes)))
    app = loaded(tmp_path, changes)
    assert english(app).about.startswith("Writes 250.5 tokens/s\n")
    assert translated(app, "de-DE").summary == "Eine App, 250.5 Token/s"


def test_two_speeds_have_no_headline_whatever_was_measured_before(tmp_path: Path) -> None:
    app = loaded(tmp_path, TEXT)
    steady = measured(app)
    uneven = measured(app, TWO_SPEEDS, date="2026-05-21")
    assert summary(tmp_path, steady, uneven) == "A small app, 16K context"


def test_published_quick_phases_are_no_headline(tmp_path: Path) -> None:
    quick = imported(published=Published(224.0, two_speeds=True))
    assert summary(tmp_path, quick) == "A small app, 16K context"


def test_the_newest_measurement_wins_by_its_date_then_by_its_number(tmp_path: Path) -> None:
    app = loaded(tmp_path, TEXT)
    late = measured(app, (300.0,) * 4, date="2026-05-22")
    early = measured(app, (200.0,) * 4, date="2026-05-21")
    again = measured(app, (301.0,) * 4, date="2026-05-22")
    assert "300.0 tokens/s" in summary(tmp_path / "a", late, early)
    assert "301.0 tokens/s" in summary(tmp_path / "b", late, again, early)


@pytest.mark.parametrize(
    "change",
    [
        {"users": 2},
        {"settings": {"image": True}},
        {"settings": {"prompt_tokens": 64_000}},
        {"workload": "0" * 64},
        {"version": "", "trial": "other drafts"},
        {"hardware": "l4"},
        {"runs": (Run(100.0, cold=True),)},
    ],
    ids=",".join,
)
def test_what_is_not_of_the_app_or_not_comparable_says_nothing(
    change: dict[str, Any], tmp_path: Path
) -> None:
    app = loaded(tmp_path, TEXT)
    kept = summary(tmp_path, measured(app, **change), machine="olares-one")
    assert kept == "A small app, 16K context"


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        ({}, True),
        ({"image": "vllm/vllm-openai:v0.21.0", "context": 16384}, True),
        ({"version": "1.2.2"}, False),
        ({"version": ""}, False),
        ({"version": "", "trial": "other drafts"}, False),
        ({"context": 65536}, False),
        ({"image": "vllm/vllm-openai:v0.20.0"}, False),
    ],
)
def test_an_imported_number_is_shown_for_its_own_version_only(
    told: dict[str, Any], counts: bool, tmp_path: Path
) -> None:
    shown = ", 136.0 tokens/s" if counts else ""
    assert summary(tmp_path, imported(**told)) == f"A small app, 16K context{shown}"


def test_a_bump_with_new_texts_keeps_the_number_and_a_new_setting_loses_it(tmp_path: Path) -> None:
    keep(tmp_path, measured(loaded(tmp_path, TEXT)))
    bumped = TEXT | {"version": "1.2.4", "changes": {"1.2.4": ["New texts"]}}
    assert current_speed(loaded(tmp_path, bumped)) is not None
    faster = bumped | {"engine": {"context": 16384, "args": {"max-num-seqs": 8}}}
    assert current_speed(loaded(tmp_path, faster)) is None


def test_files_that_are_no_evidence_of_the_app_count_for_nothing(tmp_path: Path) -> None:
    app = loaded(tmp_path, TEXT)
    folder = tmp_path / "evidence" / "smallapp"
    folder.mkdir(parents=True)
    sound = measurement_json(measured(app))
    (folder / "1.2.3-bench-1.json").write_bytes(sound.replace(b"250.35", b"350.35"))
    (folder / "1.2.4-bench-1.json").write_bytes(sound)
    (folder / "notes.md").write_text("250 tokens/s")
    (folder / "1.2.3-bench-2.json").mkdir()
    (folder / "1.2.3-bench-3.json").write_bytes(b"")
    (folder / "1.2.3-bench-4.json").write_bytes(
        measurement_json(replace(measured(app), app="otherapp"))
    )
    assert evidence_of(loaded(tmp_path, TEXT)) == ()


def test_a_remembered_check_notices_new_changed_and_removed_evidence(tmp_path: Path) -> None:
    path = write_spec(tmp_path / "apps", TEXT).relative_to(tmp_path)

    def inputs() -> dict[str, str]:
        app, _ = load_spec(tmp_path / path)
        assert app is not None
        return spec_inputs(tmp_path, path, app.files, app.absent, app.folders)

    def still(was: dict[str, str]) -> bool:
        return InputsNow(tmp_path).are(was)

    none = inputs()
    assert still(none)
    first = keep(tmp_path / "apps", imported())
    assert not still(none)
    one = inputs()
    assert still(one)
    second = keep(tmp_path / "apps", imported())
    assert not still(one)
    second.unlink()
    assert still(one)
    # A temporary file of somebody who is just writing is nobody's business.
    first.with_name(".1.2.3-bench-2.json.x").touch()
    assert still(one)
    first.write_bytes(b"typed in")
    assert not still(one)
    first.unlink()
    assert still(none)


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Return a market whose app was measured, released, and then set to be faster."""
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    write_spec(tmp_path / "apps", TEXT)
    app, _ = load_spec(tmp_path / "apps" / "smallapp.yaml")
    assert app is not None
    keep(tmp_path / "apps", measured(app, (135.52, 136.06, 135.97, 135.85)))
    publish(tmp_path)
    faster = TEXT | {"engine": {"context": 16384, "args": {"max-num-seqs": 4}}}
    write_spec(tmp_path / "apps", faster)
    return tmp_path


def notes(market: Path) -> str:
    workspace = read_workspace(market)
    state: AppState = app_state(workspace.apps[0], read_ledger(market), workspace.read_file)
    edited = bump_edit(state, "patch").text
    return edited[edited.index("changes:") :]


def benched(market: Path, rates: tuple[float, ...], **told: Any) -> None:
    app, _ = load_spec(market / "apps" / "smallapp.yaml")
    assert app is not None
    keep(market / "apps", measured(app, rates, **{"date": "2026-05-21"} | told))


def test_change_notes_tell_what_was_gained(market: Path) -> None:
    # A try on the way, under the version that is still the released one.
    benched(market, (180.0,) * 4, workload="0" * 64)
    benched(market, STEADY)
    # (135.52 + 136.06 + 135.97 + 135.85) / 4 = 135.85, and the mean of the ten is 250.548.
    assert "135.9 → 250.5 tokens/s, +84 %" in notes(market)


def test_a_slight_change_of_a_number_in_the_texts_is_told(market: Path) -> None:
    write_spec(market / "apps", TEXT)
    benched(market, (136.4,) * 4)
    # 136.4 is less than 0.5 % above 135.85.
    assert "Speed in the texts: 135.9 → 136.4 tokens/s" in notes(market)


def test_change_notes_tell_nothing_of_speed_that_nobody_measured(market: Path) -> None:
    assert "tokens/s" not in notes(market)
    assert "Engine.args added: {" in notes(market)


def test_change_notes_do_not_average_two_speeds(market: Path) -> None:
    benched(market, TWO_SPEEDS)
    assert "tokens/s" not in notes(market)


def test_change_notes_compare_what_was_measured_on_one_machine(market: Path) -> None:
    benched(market, STEADY)
    benched(market, (500.0,) * 4, hardware="rtx-4090", date="2026-05-22")
    assert "135.9 → 250.5 tokens/s, +84 %" in notes(market)


def test_change_notes_tell_nothing_of_another_machine(market: Path) -> None:
    benched(market, (500.0,) * 4, hardware="rtx-4090")
    assert "tokens/s" not in notes(market)


def test_change_notes_tell_nothing_of_another_context(market: Path) -> None:
    benched(market, STEADY, context=4096)
    assert "tokens/s" not in notes(market)
