"""`$` in commands, arguments and variables arrives as it was written (design §7.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chartgen.market.engine_command import engine_command
from chartgen.render.expansion import as_given, unexpanded
from tests.kubelet import expand, started
from tests.specs import chart

DOLLARS = [
    "$(A)",
    "$(UNKNOWN)",
    "$$(A)",
    "$$$(A)",
    "$$",
    "a$$b",
    "$",
    "a$",
    "$a$(A)$b",
    "$(",
    "$(A",
    "$($(A))",
    "$é$",
    "echo $$ $(date) ${A} $A \\$(A)",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # From Kubernetes' own tests; A is defined there.
        ("$$(A)", "$(A)"),
        ("$$$$$$(A)", "$$$(A)"),
        ("$$$$$$$(A)", "$$$a value"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("foo$(Awhoops!", "foo$(Awhoops!"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("${A}", "${A}"),
        ("end$", "end$"),
    ],
)
def test_the_model_of_the_kubelet_does_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "a value"}) == expected


@pytest.mark.parametrize("text", DOLLARS)
def test_a_text_survives_the_expansion(text: str) -> None:
    written = unexpanded(text)
    assert expand(written, {"A": "a value", "$(A": "another"}) == text
    assert as_given(written) == text


@given(
    text=st.text(st.sampled_from("$()Aaé{} \n")), names=st.sets(st.text(st.sampled_from("$(Aaé")))
)
def test_any_text_survives_the_expansion(text: str, names: set[str]) -> None:
    assert expand(unexpanded(text), dict.fromkeys(names, "a value")) == text
    assert as_given(unexpanded(text)) == text


@pytest.mark.parametrize("text", ["", "plain", "$HOME", "${A}", "100$", "a$b$c", "`$?`"])
def test_what_kubernetes_leaves_alone_is_not_touched(text: str) -> None:
    assert unexpanded(text) == text


def test_words_and_variables_of_every_container_arrive(tmp_path: Path) -> None:
    text = "$(A) $$ $(date)"
    changes = {
        "engine": {"args": {"text": text, "json": {"key": text}}},
        "env": {"A": "a value", "B": text},
        "steps": [{"name": "step", "image": "busybox:1.36", "run": text, "env": {"A": text}}],
        "sidecars": [{"name": "car", "image": "busybox:1.36", "command": [text], "args": [text]}],
    }
    made = chart(tmp_path, changes)
    document = made.files["templates/deployment-smallapp.yaml"].decode()
    lines = [line for line in document.splitlines() if "{{" not in line]
    pod = yaml.safe_load("\n".join(lines))["spec"]["template"]["spec"]
    engine, sidecar = pod["containers"]
    words, variables = started(engine)
    assert words[words.index("--text") + 1] == text
    assert words[words.index("--json") + 1] == f'{{"key":"{text}"}}'
    assert (variables["A"], variables["B"]) == ("a value", text)
    assert started(sidecar)[0] == [text, text]
    (step,) = (item for item in pod["initContainers"] if item["name"] == "step")
    assert started(step) == (["/bin/sh", "-c", text], {"A": text})


def test_the_page_shows_what_runs(tmp_path: Path) -> None:
    made = chart(tmp_path, {"engine": {"args": {"text": "$(A) $$"}}, "env": {"A": "$(B)"}})
    shown = engine_command(made)
    assert shown is not None
    assert shown.words[-1] == "$(A) $$"
    assert ("A", "$(B)") in shown.environment
