"""Rendering by Helm's own library."""

from __future__ import annotations

import sys

import pytest

from chartgen.chart import Chart
from chartgen.errors import MissingToolError
from chartgen.helm import HelmRenderError, open_chart, render, render_text

helm_python = pytest.importorskip("helm_python")


def chart(**templates: str) -> Chart:
    files = {f"templates/{name}": text.encode() for name, text in templates.items()}
    files["Chart.yaml"] = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"
    files["values.yaml"] = b"color: red\n"
    return Chart("web", files)


CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  color: {{ .Values.color | quote }}
  answer: {{ .Values.answer | default 0 }}
"""


def test_values_release_and_namespace_arrive() -> None:
    rendered = render(
        chart(config=CONFIG), {"color": "blue", "answer": 42}, release="mine", namespace="space"
    )
    (item,) = rendered.objects
    assert item.template == "templates/config"
    assert (item.api_version, item.kind) == ("v1", "ConfigMap")
    assert (item.name, item.namespace) == ("mine", "space")
    assert item.data["data"] == {"color": "blue", "answer": 42}
    assert rendered.broken == ()
    assert 'color: "blue"' in rendered.texts["templates/config"]


def test_values_of_the_chart_stand_where_none_are_given() -> None:
    (item,) = render(chart(config=CONFIG), {}, release="a", namespace="b").objects
    assert item.data["data"]["color"] == "red"


def test_partials_notes_and_empty_documents_are_no_objects() -> None:
    templates = {
        "_names.tpl": '{{ define "x" }}kind: Broken{{ end }}',
        "NOTES.txt": "Thank you",
        "list.yaml": "\n  ---\na: 1\n---\n# only a remark\n--- \n\n---\nb: 2\n",
    }
    rendered = render(chart(**templates), {}, release="a", namespace="b")
    assert [item.data for item in rendered.objects] == [{"a": 1}, {"b": 2}]
    assert list(rendered.texts) == ["templates/list.yaml"]


def test_documents_are_read_as_a_device_reads_them() -> None:
    text = "a: yes\nb: 'yes'\nc: 017\nd: 1.0\n"
    (item,) = render(chart(x=text), {}, release="a", namespace="b").objects
    assert item.data == {"a": True, "b": "yes", "c": 15, "d": 1}
    assert (item.kind, item.name, item.namespace, item.api_version) == ("", "", "", "")


@pytest.mark.parametrize("text", ["- a list\n", "just words\n", "a: [1\n", "a: \x00b\n"])
def test_documents_that_are_no_objects_are_kept_apart(text: str) -> None:
    rendered = render(chart(good="a: 1\n", odd=text), {}, release="a", namespace="b")
    assert [item.template for item in rendered.objects] == ["templates/good"]
    (broken,) = rendered.broken
    assert broken.template == "templates/odd"
    assert broken.reason


def test_hooks_are_told_apart() -> None:
    hook = "kind: Job\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n"
    rendered = render(chart(a="kind: Job\n", b=hook), {}, release="a", namespace="b")
    assert [item.is_hook for item in rendered.objects] == [False, True]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: {{ .Values.nothing.here }}\n", 2, "nil pointer"),
        ('a: 1\n\nb: {{ fail "because" }}\n', 3, "because"),
        ("a: {{ if }}\n", 1, "missing value"),
        ("a: {{ nothing }}\n", 1, "not defined"),
    ],
)
def test_failure_says_where(text: str, line: int, words: str) -> None:
    with pytest.raises(HelmRenderError, match=words) as caught:
        render(chart(**{"bad.yaml": text}), {}, release="a", namespace="b")
    assert (caught.value.template, caught.value.line) == ("templates/bad.yaml", line)
    assert "\n" not in str(caught.value)


def test_chart_that_does_not_load() -> None:
    with (
        pytest.raises(HelmRenderError, match=r"Chart\.yaml"),
        open_chart(Chart("web", {"templates/a.yaml": b"a: 1\n"})),
    ):
        pass


def test_one_loaded_chart_renders_many_times_and_is_closed() -> None:
    before = helm_python.open_handles_count()
    with open_chart(chart(config=CONFIG)) as opened:
        colors = [
            opened.render({"color": color}, release="a", namespace="b").objects[0].data["data"]
            for color in ("blue", "green", "blue")
        ]
        assert helm_python.open_handles_count() == before + 1
    assert [data["color"] for data in colors] == ["blue", "green", "blue"]
    assert helm_python.open_handles_count() == before


def test_handle_is_closed_after_a_failure() -> None:
    before = helm_python.open_handles_count()
    with pytest.raises(HelmRenderError):
        render(chart(a='{{ fail "x" }}'), {}, release="a", namespace="b")
    assert helm_python.open_handles_count() == before


def test_text_alone_is_rendered_with_partials() -> None:
    partial = b'{{ define "greeting" }}Hello {{ .Values.name }}{{ end }}'
    text = '{{ template "greeting" . }} in {{ .Release.Namespace }}: {{ "{{" }}'
    output = render_text(text, {"name": "you"}, release="a", namespace="here", partials=[partial])
    assert output == "Hello you in here: {{"


def test_missing_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "helm_python", None)
    with pytest.raises(MissingToolError, match="helm-python-sdk"):
        render(chart(), {}, release="a", namespace="b")
