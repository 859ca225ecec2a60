"""Whatever a person writes comes back equal: through YAML, and through Helm and YAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chartgen.chart import Chart
from chartgen.yaml_text import Helm, When, quoted, yaml_text

# Half characters cannot be written as UTF-8; a spec with one is refused when it is read.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
AWKWARD = [
    "on",
    "yes",
    "null",
    "~",
    "1e3",
    "0x10",
    "12:30",
    "007",
    "1_000",
    "",
    " ",
    "a: b",
    "# not a comment",
    "- not a list",
    "{{ .Values.x }}",
    "{{{{",
    "{",
    "}}",
    "[[ x ]]",
    "[% if %]",
    "{% raw %}",
    '{{ include "evil" . }}',
    "{{/* */}}",
    "$(X)",
    "$$(X)",
    "`backtick`",
    "a\nb\n",
    "a\nb",
    "a\n\n\nb\n\n",
    "\n a",
    " a\nb",
    "a \nb",
    "\ta\n\tb",
    "a\tb\nc",
    "a\r\nb",
    "\x00\x07\x1b[31m",
    "\x85\u2028\u2029\ufeff",
    "emoji 😀 é 中",
    "---\na\n...",
    "|\n",
    "'single' \"double\" \\back",
    "{\n{",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_come_back_equal(text: str) -> None:
    written = yaml_text({"key": text, "list": [text, {"inner": text}], text: 1})
    assert "{{" not in written
    assert yaml.safe_load(written) == {"key": text, "list": [text, {"inner": text}], text: 1}


@given(value=st.dictionaries(TEXT, VALUES, min_size=1))
def test_any_value_comes_back_equal(value: dict[str, object]) -> None:
    written = yaml_text(value)
    assert "{{" not in written
    assert yaml.safe_load(written) == value


@given(text=TEXT)
def test_quoted_text_never_opens_a_go_action(text: str) -> None:
    assert "{{" not in quoted(text)
    assert yaml.safe_load(quoted(text)) == text


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=30))
def test_any_text_comes_back_equal_through_helm(texts: list[str]) -> None:
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    from chartgen.helm import render

    data = {f"k{number}": text for number, text in enumerate([*texts, *AWKWARD])}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
    chart = Chart(
        "probe",
        {
            "Chart.yaml": b"apiVersion: v2\nname: probe\nversion: 1.0.0\n",
            "values.yaml": b"{}\n",
            "templates/x.yaml": yaml_text(body).encode(),
        },
    )
    (found,) = render(chart, {}, release="probe", namespace="default").objects
    assert found.data["data"] == data


def test_long_texts_are_readable_blocks() -> None:
    assert yaml_text({"run": "one\n  two\nthree\n"}) == "run: |\n  one\n    two\n  three\n"


def test_helm_text_is_quoted_unless_a_number_is_meant() -> None:
    value = {
        "path": Helm("{{ .Values.a }}") + '/b"{{c',
        "count": Helm("{{ .Values.n }}", bare=True),
    }
    assert yaml_text(value) == ('path: "{{ .Values.a }}/b\\"{\\x7bc"\ncount: {{ .Values.n }}\n')


def test_conditional_entries_and_items_stand_between_if_and_end() -> None:
    value = {"env": [When(".Values.a", {"name": "A", "value": 1}), {"name": "B"}]}
    assert yaml_text(value) == (
        'env:\n{{- if .Values.a }}\n- name: "A"\n  value: 1\n{{- end }}\n- name: "B"\n'
    )


def test_a_list_item_cannot_begin_with_a_condition() -> None:
    with pytest.raises(ValueError, match="cannot be conditional"):
        yaml_text([{"a": When(".Values.a", 1)}])
