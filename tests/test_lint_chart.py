"""The lint as a whole: sound charts, places, and what happens without its packages."""

from __future__ import annotations

import sys
from importlib.resources import files

import pytest
from sound_chart import Draft, legacy, two_parts
from test_lint_chart_layout import LAYOUT
from test_lint_chart_manifest import MANIFEST
from test_lint_chart_rendered import RENDERED
from test_lint_chart_resources import RESOURCES
from test_lint_chart_templates import TEMPLATES

from chartgen.chart import Chart
from chartgen.findings import Place, Severity
from chartgen.knowledge.book import knowledge_book
from chartgen.lint.chart import lint_chart
from chartgen.lint.rules import rule_book
from chartgen.resources import shipped_data

# Broken in tests of their own, not by a line of a table.
ELSEWHERE = {"checks-skipped", "chart-too-large"}


@pytest.mark.parametrize("draft", [Draft(), legacy(), two_parts()], ids=["v3", "legacy", "v2"])
def test_sound_chart_has_no_findings(draft: Draft) -> None:
    assert draft.lint() == ()


def test_every_rule_is_broken_by_a_test() -> None:
    rules = shipped_data("chartgen.lint", "rules_data/chart.yaml")
    tables = (LAYOUT, MANIFEST, RESOURCES, TEMPLATES, RENDERED)
    broken = {rule for table in tables for case in table for rule in case.values[0].split()}
    assert set(rules) == broken | ELSEWHERE


def test_rules_stand_in_one_file_only() -> None:
    folder = files("chartgen.lint").joinpath("rules_data")
    ids = [
        rule
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
        for rule in shipped_data("chartgen.lint", f"rules_data/{file.name}")
    ]
    ids += [entry.id for entry in knowledge_book()]
    assert sorted(ids) == list(rule_book())


def test_lint_is_the_same_twice() -> None:
    draft = Draft()
    draft.manifest["metadata"]["title"] = ""
    draft.container["image"] = "vllm/vllm-openai:latest"
    assert draft.lint() == draft.lint()


@pytest.mark.parametrize(
    ("origin", "file"),
    [
        ("charts/demo", "charts/demo/OlaresManifest.yaml"),
        ("charts/demo/", "charts/demo/OlaresManifest.yaml"),
        ("dist/demo-1.0.2.tgz", "dist/demo-1.0.2.tgz!OlaresManifest.yaml"),
        ("apps/demo.yaml", "apps/demo.yaml!OlaresManifest.yaml"),
        ("", "demo/OlaresManifest.yaml"),
    ],
)
def test_place_names_the_file_in_the_chart(origin: str, file: str) -> None:
    draft = Draft()
    draft.metadata["title"] = "A title that has more than thirty bytes"
    findings = lint_chart(draft.chart(origin), render=False)
    found = next(f for f in findings if f.rule == "metadata-too-long")
    # The title is the fifth key under metadata, which begins in line 4.
    assert found.place == Place(file, 9, 10, "metadata.title")
    assert found.severity is Severity.ERROR


def test_place_in_a_rendered_manifest_is_that_of_the_source() -> None:
    draft = legacy()
    text = draft.chart().files["OlaresManifest.yaml"].decode()
    head = "{{ if eq .Values.admin .Values.bfl.username }}\n# for the administrator\n{{ end }}\n"
    changed = head + text.replace("title: Demo\n", "title: A title of more than thirty bytes\n", 1)
    draft.files["OlaresManifest.yaml"] = changed.encode()
    found = next(f for f in draft.lint() if f.rule == "metadata-too-long")
    line = changed.splitlines().index("  title: A title of more than thirty bytes") + 1
    assert found.place == Place("demo/OlaresManifest.yaml", line, 0, "metadata.title")


def test_render_failure_points_into_the_template() -> None:
    draft = Draft()
    draft.files["templates/extra.yaml"] = b"apiVersion: v1\nkind: ConfigMap\n{{ .Values.a.b }}\n"
    found = next(f for f in draft.lint() if f.rule == "render-device")
    assert (found.place.file, found.place.line) == ("demo/templates/extra.yaml", 3)


def test_without_helm_one_finding_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "helm_python", None)
    (skipped,) = Draft().lint()
    assert skipped.rule == "checks-skipped"
    assert skipped.severity is Severity.WARNING
    assert "rendered objects" in skipped.message
    assert "helm-python-sdk" in skipped.message


def test_without_helm_a_template_of_a_manifest_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "helm_python", None)
    draft = legacy()
    draft.files["OlaresManifest.yaml"] = (
        draft.chart().files["OlaresManifest.yaml"] + b"# {{ .Values.admin }}\n"
    )
    (skipped,) = draft.lint()
    assert skipped.rule == "checks-skipped"
    assert "manifest" in skipped.message


def test_without_rendering_templates_may_be_broken() -> None:
    draft = Draft()
    draft.files["templates/extra.yaml"] = b"{{ .Values.a.b }}"
    assert draft.rules(render=False) == set()


def test_empty_chart_is_described_and_not_crashed_on() -> None:
    rules = {finding.rule for finding in lint_chart(Chart("demo", {}))}
    assert "chart-file-missing" in rules


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"42", b"metadata: 1\nspec: []\nentrances: {}\n", b"\xff", b"a: [b"]
)
def test_hostile_manifest_gives_findings(text: bytes) -> None:
    draft = Draft()
    draft.files["OlaresManifest.yaml"] = text
    assert any(f.severity is Severity.ERROR for f in draft.lint())
