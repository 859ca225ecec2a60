"""Checks of the words in braces in an app's texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.check import check_app
from chartgen.evidence.record import Measurement, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.findings import Finding, Severity
from chartgen.lint.placeholders import placeholder_findings
from chartgen.release.record import Release
from tests.specs import MARKET, loaded


def findings(folder: Path, changes: dict[str, Any]) -> list[Finding]:
    return list(placeholder_findings(loaded(folder, changes), "olares-one"))


def told(folder: Path, changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.rule, item.place.path) for item in findings(folder, changes)]


def filled_in(text: str) -> list[dict[str, Any]]:
    """The small spec with a text in each of the places where placeholders are filled."""
    return [
        {"summary": text},
        {"about": text},
        {"i18n": {"de-DE": {"summary": text}}},
        {"i18n": {"de-DE": {"about": text}}},
    ]


@pytest.mark.parametrize("changes", filled_in("Sees {contxt}"), ids=str)
def test_a_misspelt_placeholder_is_named_at_its_place(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    engine = {"engine": {"context": 4096}}
    (found,) = findings(tmp_path, changes | engine)
    key = next(iter(changes))
    where = key if key != "i18n" else f"i18n.de-DE.{next(iter(changes['i18n']['de-DE']))}"
    assert (found.rule, found.severity, found.place.path) == (
        "text-placeholder",
        Severity.WARNING,
        where,
    )
    assert found.message.startswith("{contxt} stands for nothing")
    assert found.remedy.startswith("Write {context}")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("{TPS}", "{tps}"),
        ("{Tps}", "{tps}"),
        ("{ tps }", "{tps}"),
        ("{tpss}", "{tps}"),
        ("{{tps}}", "{tps}"),
        ("{{ tps }}", "{tps}"),
        ("{gpu-memory}", "{gpu_memory}"),
        ("{served_nam}", "{served_name}"),
        ("{something}", "the name in braces"),
        ("{a-b}", "the name in braces"),
        # There is a placeholder of the name, and this app has nothing for it.
        ("{context}", "the name in braces"),
    ],
)
def test_what_was_meant_is_told(word: str, meant: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"summary": f"Sees, {word} tokens/s"})
    assert found.rule == "text-placeholder"
    assert word in found.message
    assert meant in found.remedy


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1} and {"tps": [1]}',
        "{{ .Values.tps }}, {{ name }} and {{other}}",
        "`{something}` and ``{a_b} ` {c_d}``",
        "```\n{something: {TPS}}\n```",
        "${tps} and ${SOMETHING}",
        "{NAME}, {0}, {}, {x}, {one two}, x^{n}",
        "{title} {version} {engine} {image} {model} {served_name} {port} {gpu_memory}",
    ],
)
def test_other_braces_are_left_alone(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, {"summary": "Kind", "about": text}) == []


def test_a_word_in_a_file_is_shown_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("First\n\nRuns `{x_y}` at {tpss}, {tpss}\n")
    (found,) = findings(tmp_path, {"about": {"from": "about.md"}})
    assert found.place.file.endswith("/about.md")
    assert (found.place.line, found.place.column) == (3, 17)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"title": "Small {tps}"}, "title"),
        ({"title": "Small { Model }"}, "title"),
        ({"changes": {"1.2.3": ["New", "Now {tps} t/s"]}}, "changes.1.2.3[1]"),
        ({"changes": {"1.2.3": "{context} of context"}}, "changes.1.2.3[0]"),
        ({"entrances": [{"title": "{title}"}]}, "entrances[0].title"),
        ({"i18n": {"de-DE": {"title": "Klein {tps}"}}}, "i18n.de-DE.title"),
        ({"i18n": {"de-DE": {"changes": {"1.2.3": ["{TPS}"]}}}}, "i18n.de-DE.changes.1.2.3[0]"),
    ],
)
def test_a_placeholder_where_none_is_filled_is_an_error(
    changes: dict[str, Any], where: str, tmp_path: Path
) -> None:
    (found,) = findings(tmp_path, changes)
    assert (found.rule, found.severity) == ("placeholder-not-filled", Severity.ERROR)
    assert found.place.path == where
    assert found.place.line > 0


def test_a_speed_in_a_note_may_be_left_to_the_bump(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"changes": {"1.2.3": ["Now {tps} tokens/s"]}})
    assert "chartgen bump" in found.remedy
    assert "{tps}" in found.message


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        # Notes of other versions are shown to nobody, or cannot be changed any more.
        ({"changes": {"1.2.3": ["New"], "1.2.2": ["{tps}"], "2.0.0": ["{tps}"]}}, []),
        ({"changes": {"1.2.3": ["Mends `{model}` in prompts"]}}, []),
        ({"changes": {"1.2.3": ["Mends {something}"]}}, ["text-placeholder"]),
        ({"changes": {"1.2.3": ["Path is now /v1/models/{model}"]}}, []),
        ({"changes": {"1.2.3": ["Path is now /v1/models/{name}/x"]}}, []),
        ({"changes": {"1.2.3": ["Answers '{reply}' with port={port} at {host}:{port}"]}}, []),
        ({"changes": {"1.2.3": ["Answers \u201c{reply}\u201d"]}}, []),
        ({"changes": {"1.2.3": ["Sends {content} and {model}"]}}, ["text-placeholder"] * 2),
        ({"changes": {"1.2.3": ["{contxt}, {tpss}"]}}, ["placeholder-not-filled"] * 2),
        ({"changes": {"1.2.3": ["Now {tps}/{tps}"]}}, ["placeholder-not-filled"]),
        ({"changes": {"1.2.3": ['Sends {"a": 1}']}}, []),
    ],
)
def test_notes_hold_other_words_in_braces(
    changes: dict[str, Any], rules: list[str], tmp_path: Path
) -> None:
    assert [rule for rule, _ in told(tmp_path, changes)] == rules


def test_the_notes_of_a_release_are_final(tmp_path: Path) -> None:
    app = loaded(tmp_path, {"changes": {"1.2.3": ["Now {tps} tokens/s, {something}"]}})
    latest = Release(1, "", "release", "smallapp", "1.2.2", "2026-05-20")
    assert len(list(placeholder_findings(app, latest=latest))) == 2
    assert list(placeholder_findings(app, latest=replace(latest, version="1.2.3"))) == []


def test_a_patch_of_the_manifest_has_braces_of_its_own(tmp_path: Path) -> None:
    manifest = {"metadata": {"title": "{title}"}, "spec": {"fullDescription": "{something}"}}
    assert findings(tmp_path, {"manifest": manifest}) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"summary": "Small at {tps} tokens/s with tools."}, "summary"),
        ({"about": "It writes {tps} tokens/s"}, "about"),
        ({"i18n": {"zh-CN": {"summary": "{tps} 词元/秒"}}}, "i18n.zh-CN.summary"),
    ],
)
def test_a_text_of_which_nothing_is_left_is_named_once(
    changes: dict[str, Any], where: str, tmp_path: Path
) -> None:
    app = loaded(tmp_path, changes)
    checked = check_app(app, MARKET)
    # The cause itself is a note, as everywhere.
    found = [item for item in checked.findings if item.severity is not Severity.NOTE]
    assert [(item.rule, item.severity, item.place.path) for item in found] == [
        ("text-emptied", Severity.WARNING, where)
    ]
    assert "{tps}" in found[0].message
    assert "a clause of its own" in found[0].remedy
    assert checked.sound
    keep(
        tmp_path,
        Measurement(
            "bench",
            "smallapp",
            "1.2.3",
            workload=workload_digest(app),
            hardware="olares-one",
            runs=tuple(map(Run, (250.0, 251.0, 252.0, 251.0))),
        ),
    )
    assert told(tmp_path, changes) == []
