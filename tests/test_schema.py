"""The JSON Schema and the pages made from the model say what the model takes, and stay current."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chartgen.document import read_document
from chartgen.spec.app import AppSpec
from chartgen.spec.examples import EXAMPLES
from chartgen.spec.load import parse_spec
from chartgen.spec.reference import reference_page
from chartgen.spec.schema import app_schema, schema_text
from tests.specs import SMALL
from tools import generate

ROOT = Path(__file__).resolve().parent.parent
SPECS = sorted((ROOT / "apps").glob("*.yaml"))
VALIDATOR = Draft202012Validator(app_schema())


def read(text: str) -> Any:
    document, findings = read_document(text.encode(), "spec")
    assert document is not None
    assert findings == ()
    return document


def model_takes(value: Any) -> bool:
    # JSON is YAML, and keeps every value of a spec as it is.
    spec, _ = parse_spec(read(json.dumps(value)))
    return spec is not None


def changed(path: str, value: Any) -> Any:
    """Return the small spec with one value set, or removed for ..., at a dotted path."""
    spec: Any = copy.deepcopy(SMALL)
    *parents, last = path.split(".")
    place = spec
    for part in parents:
        place = place.setdefault(part, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return spec


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(app_schema())
    assert app_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_text_is_the_schema_with_sorted_keys() -> None:
    text = schema_text()

    assert json.loads(text) == app_schema()
    assert text == json.dumps(app_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_every_key_of_a_spec_is_described() -> None:
    properties = app_schema()["properties"]

    assert set(properties) == set(AppSpec.model_fields)
    assert [key for key, node in properties.items() if not node.get("description")] == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_the_market_s_specs_are_valid(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(read(path.read_text("utf-8")).value)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "{{ .Values.x }}"),
        ("summary", 5),
        ("summary", True),
        ("developer", None),
        ("license", ["MIT", {"text": "Gemma", "url": "https://ai.google.dev/gemma/terms"}]),
        ("engine.model", "owner/model"),
        ("engine.release", 0.21),
        ("engine.args", {"a": True, "b": [1, "x"], "c": {"d": None}, "e": None}),
        ("engine.setup", {"run": "echo on"}),
        ("fetch", "engine"),
        ("gateway", True),
        ("env", {"A": "x", "B": 1, "C": False, "D": {"ask": "What?"}}),
        ("resources.cpu", 4),
        ("resources.memory", "8Gi"),
        ("gpu", {"memory": "8Gi", "modes": ["nvidia"]}),
        ("gpu", {"modes": {"nvidia": {"memory": "8Gi"}}}),
        ("probes", {"liveness": False, "startup": {"period": 5}}),
        ("changes", {"1.2.3": "One note"}),
        ("i18n", {"de-DE": {"about": "Text"}}),
        ("website", "https://example.com/x"),
    ],
)
def test_both_take(path: str, value: Any) -> None:
    spec = changed(path, value)

    assert model_takes(spec)
    assert list(VALIDATOR.iter_errors(spec)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nmae", "x"),
        ("name", ...),
        ("name", "Upper"),
        ("name", "9lives"),
        ("name", "a"),
        ("name", "a" * 31),
        ("version", "1.0"),
        ("version", "01.0.0"),
        ("version", "1.0.0-rc1"),
        ("title", ""),
        ("title", "x" * 31),
        ("summary", ["x"]),
        ("categories", []),
        ("categories", "AI"),
        ("website", "example.com"),
        ("platforms", ["modern", "ancient"]),
        ("engine", ...),
        ("engine", "vllm"),
        ("engine.kind", "ollama"),
        ("engine.model", ...),
        ("engine.model", {"hf": "no-owner"}),
        ("engine.model", {"hf": "owner/model", "branch": "x"}),
        ("engine.model", {"url": "ftp://example.com/x"}),
        ("engine.image", "Upper/case:1"),
        ("engine.port", 0),
        ("engine.port", 70000),
        ("engine.port", "8000"),
        ("engine.context", 0),
        ("engine.args", ["--x"]),
        ("engine.binary", "/bin/x"),
        ("fetch", "torrent"),
        ("env", {"9X": "1"}),
        ("env", {"X": ["1"]}),
        ("env", {"X": {"olares": "PATH"}}),
        ("files", {"relative/path": "a"}),
        ("storage", {"data": {"mount": "/data"}}),
        ("storage", {"data": {"kind": "usb", "mount": "/data"}}),
        ("steps", [{"name": "Upper", "image": "a:1"}]),
        ("entrances", []),
        ("entrances", [{"name": f"e{number}"} for number in range(11)]),
        ("resources", ...),
        ("resources.memory", "24 GB"),
        ("resources.memory", "lots"),
        ("i18n", {"german": {}}),
        ("changes", {"next": ["x"]}),
        ("waive", [{"rule": "x", "reason": "short"}]),
        ("manifest", []),
    ],
)
def test_both_refuse(path: str, value: Any) -> None:
    spec = changed(path, value)

    assert not model_takes(spec)
    assert list(VALIDATOR.iter_errors(spec)) != []


def examples() -> list[Any]:
    return [
        pytest.param(text, id=f"{path or 'top level'}-{number}")
        for path, found in EXAMPLES.items()
        for number, text in enumerate(found)
    ]


@pytest.mark.parametrize("text", examples())
def test_examples_of_the_page_are_valid(text: str) -> None:
    spec = SMALL | read(text).value

    assert model_takes(spec)
    assert list(VALIDATOR.iter_errors(spec)) == []


def test_every_example_stands_on_the_page() -> None:
    shown = re.findall(r"```yaml\n(.*?)\n```", reference_page(), flags=re.DOTALL)

    assert sorted(shown) == sorted(t.strip("\n") for found in EXAMPLES.values() for t in found)


def test_links_of_the_page_lead_to_its_headings() -> None:
    page = reference_page()
    # GitHub's anchors: lower case, no punctuation, dashes for spaces.
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in headings}

    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    assert links
    assert links - anchors == set()


def test_every_key_of_every_part_stands_on_the_page() -> None:
    page = reference_page()
    keys = {
        key
        for node in (app_schema(), *app_schema()["$defs"].values())
        for key in node.get("properties", {})
    }

    assert {key for key in keys if f"| `{key}` |" not in page} == set()


def test_drift_is_noticed_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    named = capsys.readouterr().out
    assert [path for path in generate.MAKERS if path not in named] == []
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    assert generate.outdated() == {}


def test_generated_files_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "40"},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
