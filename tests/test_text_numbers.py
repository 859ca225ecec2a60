"""What a release says of its texts and of the measured numbers in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.figures import tells_gain
from chartgen.evidence.record import Measurement, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.release.diff import setting_changes
from chartgen.release.plan import AppState, app_state, bump_edit, changed_findings
from chartgen.release.workspace import read_workspace
from chartgen.render.patches import merge_patch
from chartgen.spec.load import load_spec
from tests.page_markets import STEADY, VISION_SPEC, bench, market, pages_of, release_of
from tests.publishing import publish
from tests.specs import write_spec
from tests.test_market_page import Page, flat

TEXT: dict[str, Any] = {
    "summary": "A small app, {tps} tokens/s, {acceptance} of drafts kept",
    "about": "It runs at {tps} tokens/s. It sees.",
    "engine": {"context": 4096},
}
FAST, SLOW, UNEVEN = (3977.0,) * 4, (2960.2,) * 4, (218.0, 62.0, 223.0, 63.0, 215.0, 62.0)


def benched(folder: Path, rates: tuple[float, ...], day: int, **told: Any) -> None:
    app, _ = load_spec(folder / "apps" / "smallapp.yaml")
    assert app is not None
    plain = {"workload": workload_digest(app), "hardware": "olares-one"}
    plain |= {"date": f"2026-05-{day:02}", "runs": tuple(map(Run, rates))}
    keep(folder / "apps", Measurement("bench", "smallapp", "1.2.3", **plain | told))


def state(folder: Path) -> AppState:
    workspace = read_workspace(folder)
    return app_state(workspace.apps[0], workspace.ledger, workspace.read_file)


def notes(folder: Path) -> list[str]:
    """The notes that a bump would write: the lines up to the first that was there before."""
    text = bump_edit(state(folder), "patch").text.partition("1.2.4:\n")[2]
    lines = text.partition("1.2.3")[0].splitlines()
    return [line.strip().removeprefix("- ").strip('"') for line in lines if "- " in line]


def released(folder: Path, *rates: tuple[float, ...], text: dict[str, Any] = TEXT) -> Path:
    """Return a market whose app was measured and released."""
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    write_spec(folder / "apps", text)
    for series in rates:
        benched(folder, series, 20, accepted_tokens=864, drafted_tokens=1000)
    publish(folder)
    return folder


def test_a_new_bench_is_named_as_what_changed_the_texts(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST)
    benched(folder, SLOW, 21, accepted_tokens=864, drafted_tokens=1000)
    (found,) = changed_findings([state(folder)])
    assert found.rule == "bump-needed"
    assert found.message.endswith(
        "a new bench changed the number in the texts: 3977.0 → 2960.2 tokens/s"
    )
    assert notes(folder) == ["Speed in the texts: 3977.0 → 2960.2 tokens/s"]


def test_the_diff_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = released(tmp_path, FAST)
    benched(folder, SLOW, 21)
    assert main(["-C", str(folder), "diff"]) == 0
    shown = capsys.readouterr().out
    assert (
        "a new bench changed the numbers in the texts: 3977.0 → 2960.2 tokens/s, no longer 86.4 % "
        "of the drafts accepted\n"
    ) in shown
    assert "evidence/" not in shown


def test_a_number_that_the_evidence_no_longer_bears_out(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST, text={"summary": "Small, {tps} tokens/s"})
    benched(folder, UNEVEN, 21)
    (found,) = changed_findings([state(folder)])
    assert found.message.endswith(
        "the evidence no longer bears out the number in the texts: 3977.0 tokens/s"
    )


@pytest.mark.parametrize(
    ("text", "rates", "told"),
    [
        (
            TEXT,
            {"rates": SLOW, "accepted_tokens": 500, "drafted_tokens": 1000},
            [
                "Speed in the texts: 3977.0 → 2960.2 tokens/s",
                "Accepted drafts in the texts: 86.4 % → 50.0 %",
            ],
        ),
        # Two speeds have no number, and the texts lose theirs.
        (
            {"summary": "Small, {tps} tokens/s"},
            {"rates": UNEVEN},
            ["Speed: no number in the texts any more"],
        ),
        # Only a translation shows it.
        (
            {"i18n": {"de-DE": {"summary": "Klein, {tps} Token/s"}}},
            {"rates": SLOW},
            ["Speed in the texts: 3977.0 → 2960.2 tokens/s"],
        ),
        # Without a full text of its own the summary stands there.
        (
            {"summary": "Small, {tps} t/s, {tps} t/s and {version}"},
            {"rates": SLOW},
            ["Speed in the texts: 3977.0 → 2960.2 tokens/s"],
        ),
    ],
    ids=["both", "two speeds", "translation", "twice"],
)
def test_notes_tell_what_became_of_the_numbers(
    text: dict[str, Any], rates: dict[str, Any], told: list[str], tmp_path: Path
) -> None:
    folder = released(tmp_path, FAST, text=text)
    benched(folder, day=21, **rates)
    assert notes(folder) == told


def test_a_first_bench_brings_a_number_into_the_texts(tmp_path: Path) -> None:
    folder = released(tmp_path, text={"summary": "Small, {tps} tokens/s"})
    benched(folder, SLOW, 21)
    found = state(folder).difference
    assert found is not None
    assert found.cause == "a new bench brought the number into the texts: 2960.2 tokens/s"
    assert not found.shared
    assert notes(folder) == ["Speed in the texts: 2960.2 tokens/s"]


def test_a_bench_changes_nothing_where_no_text_shows_a_number(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST, text={"summary": "Small, 1.0 of it"})
    benched(folder, SLOW, 21)
    assert state(folder).state == "unchanged"


def test_a_new_text_and_a_new_bench_are_both_told(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST)
    write_spec(folder / "apps", TEXT | {"summary": "Tiny at {tps} t/s, kind, {tps} tokens/s"})
    benched(folder, SLOW, 21, accepted_tokens=864, drafted_tokens=1000)
    assert notes(folder) == ["Speed in the texts: 3977.0 → 2960.2 tokens/s", "New summary"]


def test_a_number_that_went_with_a_setting_is_no_news(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST)
    write_spec(folder / "apps", TEXT | {"engine": {"context": 8192}})
    assert notes(folder) == ["Context 4096 → 8192"]


def test_a_gain_tells_the_number_already(tmp_path: Path) -> None:
    folder = released(tmp_path, SLOW)
    write_spec(folder / "apps", TEXT | {"engine": {"context": 8192}})
    benched(folder, FAST, 21)
    # 3977 / 2960.2 = 1.3435
    assert notes(folder) == ["2960.2 → 3977.0 tokens/s, +34 %", "Context 4096 → 8192"]


def test_a_changed_note_of_a_released_version_is_named(tmp_path: Path) -> None:
    folder = released(tmp_path, FAST)
    write_spec(folder / "apps", TEXT | {"changes": {"1.2.3": ["Other words"]}})
    (found,) = changed_findings([state(folder)])
    assert found.message.endswith("is released with other content: its change notes changed")


BEFORE: dict[str, Any] = {
    "title": "Small {tps}",
    "summary": "A small app with {context} context and a good many words, {tps} tokens/s",
    "about": "Old",
    "i18n": {
        "de-DE": {"summary": "Klein, {tps}", "changes": {"1.0.0": ["Neu"]}},
        "fr-FR": {"title": "Petit"},
    },
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"summary": "Another {context}"}, ["new summary"]),
        ({"title": "Small"}, ["new title"]),
        ({"about": {"from": "about.md"}}, ["new description"]),
        ({"about": None}, ["description removed"]),
        ({"i18n": {"de-DE": {"summary": "Kleiner, {tps}"}}}, ["new summary in de-DE"]),
        ({"i18n": {"de-DE": {"about": "Neu"}}}, ["description in de-DE added"]),
        ({"i18n": {"zh-CN": {"summary": "{tps}"}}}, ["texts in zh-CN added"]),
        ({"i18n": {"fr-FR": None}}, ["texts in fr-FR removed"]),
        ({"i18n": None}, ["texts in de-DE removed", "texts in fr-FR removed"]),
        ({"i18n": {"de-DE": {"changes": {"1.0.1": ["Neuer"]}}}}, []),
    ],
)
def test_texts_are_told_in_few_words_and_without_braces(
    changes: dict[str, Any], told: list[str]
) -> None:
    after = merge_patch(BEFORE, changes)
    assert [str(change) for change in setting_changes(BEFORE, after)] == told


def test_texts_where_there_were_none() -> None:
    found = setting_changes({}, {"about": "New", "i18n": {"de-DE": {"title": "Klein"}}})
    assert [str(change) for change in found] == ["description added", "texts in de-DE added"]


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("135.9 → 250.5 tokens/s, +84 %", True),
        ("Faster: 136->251 t/s", True),
        ("Speed in the texts: 3977.0 → 2960.2 tokens/s", True),
        ("Now 250.5 tokens/s", False),
        ("60 to 100 tokens/s", False),
        ("Context 4096 → 8192", False),
        ("Context 4096 → 8192 tokens, 50 t/s", False),
    ],
)
def test_a_gain_in_a_note_is_known(note: str, told: bool) -> None:
    assert tells_gain(note) is told


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("136.0 → 240.0 tokens/s, +76 %", "136.0 → 240.0 tokens/s, +76 %"),
        ("Quicker", "136.0 → 250.5 tokens/s, +84 % Quicker"),
    ],
)
def test_the_history_of_an_app_tells_a_gain_once(note: str, shown: str) -> None:
    quicker = VISION_SPEC | {"engine": VISION_SPEC["engine"] | {"context": 65536}}
    grown = market().grown(release_of("vision", "1.0.2", 14, quicker, notes=[note]))
    measured = grown.measured(
        bench("vision", "1.0.1", (136.0,), context=131072),
        bench("vision", "1.0.2", STEADY, context=65536),
    )
    text = flat(Page(pages_of(measured)["/apps/vision.html"]).text).partition("Changes")[2]
    assert f"1.0.2 14 Nov 2026 {shown} " in text
