"""Which checks a smoke test runs follows from the settings of the spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.measure.smoke_claims import Claims, claims_of, served_name, served_names
from chartgen.models.beside import shelf_of
from chartgen.models.facts import ModelFacts, Vision
from chartgen.models.store import Shelf
from chartgen.spec.load import load_spec
from tests.specs import loaded

ROOT = Path(__file__).resolve().parent.parent
GGUF = {"hf": "owner/model", "file": "model.gguf", "size": "4GB"}
LLAMA = {"kind": "llamacpp", "image": "ghcr.io/ggml-org/llama.cpp:server-b11434", "model": GGUF}
SGLANG = {"kind": "sglang", "image": "lmsysorg/sglang:v0.5.17"}
TABBY = {"kind": "tabbyapi", "image": "example/tabby:1.0"}
BOX = {
    "kind": "app",
    "image": "example/box:1.0",
    "port": 8000,
    "model": None,
    "models": {"main": {"hf": "owner/model", "size": "4GB"}},
}
SEES = Shelf({("owner/model", None): ModelFacts("owner/model", "gemma4", "", vision=Vision())})
BLIND = Shelf({("owner/model", None): ModelFacts("owner/model", "gemma4", "")})


def claims(folder: Path, shelf: Shelf | None = None, **changes: Any) -> Claims:
    """Return the claims of the small spec with changes."""
    return claims_of(loaded(folder, changes).spec, shelf or Shelf({}))


def held(found: Claims) -> set[str]:
    """Return the names of the claims that hold."""
    names = ("chat", "vision", "tools", "embedding", "speech")
    return {name for name in names if getattr(found, name).holds}


@pytest.mark.parametrize(
    ("engine", "wanted"),
    [
        ({}, {"chat"}),
        ({"args": {"limit-mm-per-prompt": {"image": 1}}}, {"chat", "vision"}),
        ({"args": {"limit-mm-per-prompt": '{"image": 2}'}}, {"chat", "vision"}),
        ({"args": {"limit_mm_per_prompt": {"image": {"count": 1}}}}, {"chat", "vision"}),
        ({"args": {"limit-mm-per-prompt": {"image": 0}}}, {"chat"}),
        ({"args": {"limit-mm-per-prompt": {"video": 0}}}, {"chat"}),
        (
            {"args": {"enable-auto-tool-choice": True, "tool-call-parser": "hermes"}},
            {"chat", "tools"},
        ),
        ({"args": {"enable-auto-tool-choice": False}}, {"chat"}),
        ({"args": {"tool-call-parser": "hermes"}}, {"chat"}),
        ({"args": {"runner": "pooling"}}, {"embedding"}),
        ({"args": {"task": "embed", "enable-auto-tool-choice": True}}, {"embedding"}),
        ({"args": {"task": "generate"}}, {"chat"}),
        (LLAMA, {"chat"}),
        (LLAMA | {"args": {"jinja": True}}, {"chat", "tools"}),
        (LLAMA | {"args": {"jinja": False}}, {"chat"}),
        (LLAMA | {"mmproj": GGUF | {"file": "mmproj.gguf"}}, {"chat", "vision"}),
        (LLAMA | {"args": {"mmproj": "/models/mmproj.gguf"}}, {"chat", "vision"}),
        (LLAMA | {"args": {"-mmu": "https://example.org/mmproj.gguf"}}, {"chat", "vision"}),
        (LLAMA | {"args": {"no-mmproj": True}}, {"chat"}),
        (LLAMA | {"args": {"embeddings": True}}, {"embedding"}),
        (SGLANG, {"chat"}),
        (SGLANG | {"args": {"tool-call-parser": "qwen3_coder"}}, {"chat", "tools"}),
        (SGLANG | {"args": {"is-embedding": True}}, {"embedding"}),
        (TABBY, {"chat"}),
        (TABBY | {"config": {"model": {"vision": True}}}, {"chat", "vision"}),
        (BOX, set()),
        (BOX | {"models": {"speech": {"hf": "owner/voice", "size": "1GB"}}}, {"speech"}),
        (BOX | {"models": {"embedding": {"hf": "owner/words", "size": "1GB"}}}, {"embedding"}),
    ],
)
def test_settings_claim(tmp_path: Path, engine: dict[str, Any], wanted: set[str]) -> None:
    assert held(claims(tmp_path, engine=engine)) == wanted


@pytest.mark.parametrize(
    ("shelf", "args", "sees"),
    [
        (SEES, {}, True),
        (BLIND, {}, False),
        (SEES, {"language-model-only": True}, False),
        (SEES, {"limit-mm-per-prompt": {"image": 0}}, False),
        (SEES, {"limit-mm-per-prompt": {"video": 0}}, True),
    ],
)
def test_facts_of_a_model_claim_vision(
    tmp_path: Path, shelf: Shelf, args: dict[str, Any], sees: bool
) -> None:
    found = claims(tmp_path, shelf, engine={"args": args}).vision
    assert (found.holds, found.by_model) == (sees, sees)


def test_settings_that_ask_for_vision_say_more_than_the_model(tmp_path: Path) -> None:
    asked = {"args": {"limit-mm-per-prompt": {"image": 1}}}
    assert not claims(tmp_path, SEES, engine=asked).vision.by_model
    stated = claims(tmp_path, SEES, gateway={"mode": "chat", "supports": ["vision"]})
    assert (stated.vision.holds, stated.vision.by_model) == (True, False)


@pytest.mark.parametrize(
    ("gateway", "engine", "wanted"),
    [
        ({"supports": ["vision", "tools"]}, {}, {"chat", "vision", "tools"}),
        ({"supports": ["thinking"]}, {}, {"chat"}),
        ({"mode": "embedding"}, {}, {"embedding"}),
        ({"supports": ["tools"]}, BOX, {"chat", "tools"}),
        ({"mode": "embedding"}, BOX, {"embedding"}),
    ],
)
def test_gateway_claims(
    tmp_path: Path, gateway: dict[str, Any], engine: dict[str, Any], wanted: set[str]
) -> None:
    assert held(claims(tmp_path, gateway=gateway, engine=engine)) == wanted


@pytest.mark.parametrize(
    ("summary", "wanted"),
    [("Text to speech in 600 languages", {"speech"}), ("Songs from a description", set())],
)
def test_summary_of_a_container_claims(tmp_path: Path, summary: str, wanted: set[str]) -> None:
    assert held(claims(tmp_path, engine=BOX, summary=summary)) == wanted


@pytest.mark.parametrize(
    ("engine", "names"),
    [
        ({}, ("smallapp",)),
        ({"served_name": "small"}, ("small",)),
        ({"args": {"served-model-name": ["one", "two"]}}, ("one", "two")),
        (LLAMA | {"args": {"alias": "one,two"}}, ("one", "two")),
        (LLAMA | {"args": {"-a": "short"}, "served_name": "long"}, ("short",)),
        (BOX, ()),
        (BOX | {"served_name": "voice"}, ("voice",)),
    ],
)
def test_served_names(tmp_path: Path, engine: dict[str, Any], names: tuple[str, ...]) -> None:
    first = names[0] if names else None
    assert claims(tmp_path, engine=engine).served_name == first
    spec = loaded(tmp_path, {"engine": engine}).spec
    assert (served_name(spec), served_names(spec)) == (first, names)


@pytest.mark.parametrize(
    ("engine", "context"),
    [
        ({}, None),
        ({"context": 4096}, 4096),
        ({"args": {"max-model-len": "128K"}}, 131072),
        (LLAMA | {"args": {"-c": 8192}}, 8192),
        (TABBY | {"config": {"model": {"max_seq_len": 16384}}, "context": 4096}, 16384),
    ],
)
def test_context(tmp_path: Path, engine: dict[str, Any], context: int | None) -> None:
    assert claims(tmp_path, engine=engine).context == context


@pytest.mark.parametrize(
    ("app", "wanted"),
    [
        ("gemma4-vision", {"chat", "vision", "tools"}),
        ("gemma4-mtp-llamacpp", {"chat", "tools"}),
        ("gemma4-vision-llamacpp", {"chat", "vision", "tools"}),
        ("omnivoice-tts", {"speech"}),
        ("acestep-music", set()),
    ],
)
def test_apps_of_this_repository(app: str, wanted: set[str]) -> None:
    found, findings = load_spec(ROOT / "apps" / f"{app}.yaml")
    assert found is not None, findings
    assert held(claims_of(found.spec, shelf_of(found))) == wanted
