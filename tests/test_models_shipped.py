"""The facts that ship with the apps of this repository, and the command that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chartgen.cli import main
from chartgen.models.facts import Layer, State, layer_counts
from chartgen.models.store import Shelf, load_shelf, read_model
from chartgen.models.store_text import model_text
from chartgen.spec.load import load_spec
from chartgen.spec.sources import ModelSource

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "apps"
FILES = sorted((APPS / "models").glob("*.yaml"))
GEMMA = "cyankiwi/gemma-4-26B-A4B-it-AWQ-4bit"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    loaded, findings = load_shelf(APPS)
    assert findings == ()
    return loaded


def sources() -> list[tuple[str, ModelSource]]:
    """All weights of the apps that a vLLM or llama.cpp serves, with the app's name."""
    found = []
    for path in sorted(APPS.glob("*.yaml")):
        loaded, _ = load_spec(path)
        assert loaded is not None
        if loaded.spec.engine.kind in ("vllm", "llamacpp"):
            found += [(path.stem, source) for source in loaded.spec.engine.roles.values()]
    return found


SOURCES = sources()


@pytest.mark.parametrize(
    ("app", "source"), SOURCES, ids=[f"{app}-{one.hf}-{one.file}" for app, one in SOURCES]
)
def test_every_model_of_an_app_is_known(app: str, source: ModelSource, shelf: Shelf) -> None:
    assert source.hf is not None
    facts = shelf.find(source.hf, source.file)

    assert facts is not None
    assert facts.missing == ()
    assert facts.weight_bytes is not None
    # What an app downloads may be more than its weights, and is rounded.
    assert source.size is not None
    assert 0.95 <= facts.weight_bytes / source.size <= 1.02


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_as_the_writer_writes_it_and_says_its_sources(path: Path) -> None:
    stored, findings = read_model(path.read_bytes(), path.name)

    assert findings == ()
    assert stored is not None
    assert model_text(stored) == path.read_text(encoding="utf-8")
    assert {"weight_bytes", "config" if stored.config else "gguf"} <= set(stored.source)


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ((GEMMA, None), {Layer("sliding", 8, 256, 256, 1024): 25, Layer("full", 2, 512, 512): 5}),
        (("unsloth/gemma-4-26B-A4B-it-GGUF", "gemma-4-26B-A4B-it-UD-Q4_K_XL.gguf"),
         {Layer("sliding", 8, 256, 256, 1024): 25, Layer("full", 2, 512, 512): 5}),
        (("google/gemma-4-26B-A4B-it-assistant", None), {Layer("none"): 4}),
        (("z-lab/gemma-4-26B-A4B-it-DFlash", None),
         {Layer("sliding", 8, 128, 128, 2048): 4, Layer("full", 8, 128, 128): 1}),
        (("unsloth/Qwen3.6-27B-GGUF", "Qwen3.6-27B-UD-Q3_K_XL.gguf"),
         {Layer("gated-delta", state=State(10240, 4, (48, 128, 128))): 48,
          Layer("full", 4, 256, 256): 16}),
        (("unsloth/Qwen3.6-35B-A3B-MTP-GGUF", "Qwen3.6-35B-A3B-UD-Q3_K_XL.gguf"),
         {Layer("gated-delta", state=State(8192, 4, (32, 128, 128))): 30,
          Layer("full", 2, 256, 256): 10}),
        (("nvidia/NVIDIA-Nemotron-Labs-3-Elastic-30B-A3B-NVFP4", None),
         {Layer("mamba", state=State(6144, 4, (64, 64, 128), "float32")): 23,
          Layer("none"): 23, Layer("full", 2, 128, 128): 6}),
    ],
)  # fmt: skip
def test_the_layers_are_the_published_ones(
    model: tuple[str, str | None], layers: dict[Layer, int], shelf: Shelf
) -> None:
    facts = shelf.find(*model)

    assert facts is not None
    assert dict(layer_counts(facts.layers)) == layers


def test_the_drafters_are_known_as_such(shelf: Shelf) -> None:
    assistant = shelf.find("google/gemma-4-26B-A4B-it-assistant")
    dflash = shelf.find("z-lab/gemma-4-26B-A4B-it-DFlash")
    target = shelf.find(GEMMA)

    assert assistant is not None and assistant.drafter is not None
    assert dflash is not None and dflash.drafter is not None
    assert target is not None and target.drafter is None
    assert assistant.drafter.shares_target_cache
    assert not dflash.drafter.shares_target_cache
    assert {assistant.drafter.target_hidden, dflash.drafter.target_hidden} == {target.hidden}
    assert dflash.drafter.target_layers == len(target.layers)


def test_the_parameters_of_the_drafters_make_up_their_weights(shelf: Shelf) -> None:
    """Sizes of layers and weights were found in different places; they must agree."""
    embeddings = 262144 * 1024
    attention = 3 * 2 * 1024 * 16 * 256 + 2 * 1024 * 16 * 512
    assistant = embeddings + attention + 4 * 3 * 1024 * 8192 + 3 * 2816 * 1024
    dflash = 5 * (2 * 2816 * 32 * 128 + 2 * 2816 * 8 * 128 + 3 * 2816 * 5632) + 6 * 2816 * 2816

    for name, parameters in (
        ("google/gemma-4-26B-A4B-it-assistant", assistant),
        ("z-lab/gemma-4-26B-A4B-it-DFlash", dflash),
    ):
        facts = shelf.find(name)
        assert facts is not None and facts.weight_bytes is not None
        assert abs(facts.weight_bytes / (2 * parameters) - 1) < 0.001


def test_show_prints_the_facts(capsys: Capture) -> None:
    assert main(["-C", str(ROOT), "model", "show", GEMMA]) == 0

    shown = capsys.readouterr().out
    assert "25 sliding, 8 heads of 256, window 1,024" in shown
    assert "5 full, 2 heads of 512" in shown
    assert "inferred    weight_bytes" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_show_prints_all_models(capsys: Capture) -> None:
    assert main(["-C", str(ROOT), "model", "show"]) == 0

    assert len(capsys.readouterr().out.splitlines()) == len(FILES) + 1


def test_show_prints_json(capsys: Capture) -> None:
    assert main(["-C", str(ROOT), "model", "show", "--json", GEMMA]) == 0
    one = json.loads(capsys.readouterr().out)
    assert main(["-C", str(ROOT), "model", "show", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)["models"]

    assert one["name"] == GEMMA
    assert one["layers"][0]["window"] == 1024
    assert one["inferred"] == ["weight_bytes"]
    assert one in every


def test_show_of_an_unknown_model_says_how_to_fetch_it(capsys: Capture) -> None:
    assert main(["-C", str(ROOT), "model", "show", "org/model:a.gguf"]) == 2

    assert "chartgen model fetch org/model --file a.gguf" in capsys.readouterr().err


def test_show_tells_what_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "apps" / "models").mkdir(parents=True)
    (tmp_path / "apps" / "models" / "org--model.yaml").write_text("hf: org/model\nbytes: 1\n")

    assert main(["-C", str(tmp_path), "model", "show"]) == 1

    assert "spec-unknown-key" in capsys.readouterr().err
