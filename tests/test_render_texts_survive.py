"""design §7.4: spec text arrives in the rendered objects as the same characters."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.kubelet import started
from tests.specs import chart
from tests.test_yaml_text import AWKWARD, TEXT

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
from chartgen.helm import render

# A title has its own bounds; the first line of a summary decides where placeholders stand.
ANY = TEXT | st.sampled_from(AWKWARD)
FIELD = ANY.filter(lambda text: text != "")
VALUES = {"workloads": {"smallapp": {"replicaCount": 1}, "weights": {"replicaCount": 1}}}


# Shrinking would render hundreds of charts more; the nine texts of a failure are short enough.
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    summary=FIELD,
    about=ANY,
    note=ANY,
    argument=ANY,
    word=ANY,
    inner=ANY,
    variable=ANY,
    content=ANY,
    script=ANY,
)
def test_texts_arrive_as_they_were_written(
    summary: str,
    about: str,
    note: str,
    argument: str,
    word: str,
    inner: str,
    variable: str,
    content: str,
    script: str,
) -> None:
    changes = {
        "summary": summary,
        "about": about,
        "changes": {"1.2.3": [note]},
        "engine": {
            "args": {"first": argument, "list": [word, "end"], "json": {"key": inner}},
            "setup": {"run": script},
        },
        "env": {"SOME": variable},
        "files": {"/etc/some.conf": {"content": content}},
    }
    with tempfile.TemporaryDirectory() as folder:
        made = chart(Path(folder), changes)
    rendered = render(made, VALUES, release="smallapp", namespace="app-namespace")
    objects = {(item.kind, item.name): item.data for item in rendered.objects}
    container = objects["Deployment", "smallapp"]["spec"]["template"]["spec"]["containers"][0]
    args, variables = started(container)
    assert args[args.index("--first") + 1] == argument
    assert args[args.index("--list") + 1] == word
    assert json.loads(args[args.index("--json") + 1])["key"] == inner
    assert variables["SOME"] == variable
    files = objects["ConfigMap", "files"]["data"]
    assert files["some.conf"] == content
    assert f"{script.rstrip(chr(10))}\n" in files["setup.sh"]
    manifest = yaml.safe_load(made.files["OlaresManifest.yaml"])
    assert manifest["metadata"]["description"] == summary
    assert manifest["spec"]["fullDescription"].startswith(about.rstrip("\n"))
    assert manifest["spec"]["upgradeDescription"] == note
    assert b"{{" not in made.files["OlaresManifest.yaml"]


@pytest.mark.parametrize("typed", [None, "pa$$word $(SOME)"])
def test_what_the_user_is_asked_for_arrives_as_it_was_typed(
    typed: str | None, tmp_path: Path
) -> None:
    env = {"SOME": "a value", "ASKED": {"ask": "What?", "default": "{{ $$ }} $(SOME)"}}
    made = chart(tmp_path, {"env": env})
    given = {"olaresEnv": {} if typed is None else {"ASKED": typed}}
    rendered = render(made, VALUES | given, release="smallapp", namespace="app-namespace")
    objects = {(item.kind, item.name): item.data for item in rendered.objects}
    engine = objects["Deployment", "smallapp"]
    _, variables = started(engine["spec"]["template"]["spec"]["containers"][0])
    assert variables["ASKED"] == (typed or "{{ $$ }} $(SOME)")


@pytest.mark.parametrize("text", [text for text in AWKWARD if 1 <= len(text.encode()) <= 30])
def test_titles_arrive_as_they_were_written(text: str, tmp_path: Path) -> None:
    made = chart(tmp_path, {"title": text})
    manifest = yaml.safe_load(made.files["OlaresManifest.yaml"])
    assert manifest["metadata"]["title"] == text
    assert manifest["entrances"][0]["title"] == text
