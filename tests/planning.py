"""Models and specs for tests of memory plans: Gemma 4 26B-A4B as its config has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chartgen.hardware import hardware_profiles
from chartgen.memory.inputs import Measured, PlanInput
from chartgen.memory.plan import plan_input
from chartgen.models.facts import Drafter, Layer, ModelFacts, Vision
from chartgen.models.store import Shelf
from chartgen.spec.app import AppSpec
from chartgen.spec.load import load_spec
from tests.specs import write_spec

# text_config of google/gemma-4-26B-A4B-it: five windowed layers and a full one, five times.
WINDOW = Layer("sliding", kv_heads=8, key_dim=256, value_dim=256, window=1024)
FULL = Layer("full", kv_heads=2, key_dim=512, value_dim=512)
GEMMA_LAYERS = ((WINDOW,) * 5 + (FULL,)) * 5
TARGET = "cyankiwi/gemma-4-26B-A4B-it-AWQ-4bit"
ASSISTANT = "google/gemma-4-26B-A4B-it-assistant"
GEMMA = ModelFacts(
    name=TARGET,
    family="gemma4",
    architecture="Gemma4ForConditionalGeneration",
    layers=GEMMA_LAYERS,
    native_context=262144,
    hidden=2816,
    heads=16,
    vocabulary=262144,
    vision=Vision(280, 2496),
    dtype="bfloat16",
    weight_bytes=17_180_000_000,
)
DRAFT = ModelFacts(
    name=ASSISTANT,
    family="gemma4_assistant",
    architecture="Gemma4AssistantForCausalLM",
    layers=(WINDOW, WINDOW, WINDOW, FULL),
    drafter=Drafter("mtp", 1, shares_target_cache=True),
    weight_bytes=840_000_000,
)
SHELF = Shelf({(TARGET, None): GEMMA, (ASSISTANT, None): DRAFT})
# The published settings of the vision app with multi-token prediction (market story 2).
VISION: dict[str, Any] = {
    "engine": {
        "kind": "vllm",
        "image": "vllm/vllm-openai:v0.21.0-cu129",
        "model": {"hf": TARGET, "size": "17GB"},
        "draft": {"hf": ASSISTANT, "size": "840MB"},
        "context": 131072,
        "args": {
            "attention-backend": "triton_attn",
            "kv-cache-dtype": "fp8",
            "gpu-memory-utilization": 0.94,
            "max-num-seqs": 4,
            "max-num-batched-tokens": 8192,
            "limit-mm-per-prompt": {"image": 1},
            "speculative-config": {"method": "gemma4_mtp", "num_speculative_tokens": 3},
        },
    },
    "gpu": {"memory": "24400Mi"},
}
GGUF = "owner/gemma-GGUF"
LLAMA: dict[str, Any] = {
    "engine": {
        "kind": "llamacpp",
        "image": "ghcr.io/ggml-org/llama.cpp:server-cuda13-b8740",
        "model": {"hf": GGUF, "file": "g.gguf", "size": "17GB"},
        "context": 131072,
        "args": {"parallel": 1, "flash-attn": "on"},
    },
    "gpu": {"memory": "23Gi"},
}
LLAMA_SHELF = Shelf({(GGUF, "g.gguf"): GEMMA})


def spec(folder: Path, changes: dict[str, Any]) -> AppSpec:
    """Return a spec: the small one of the tests with changes."""
    loaded, findings = load_spec(write_spec(folder, changes))
    assert loaded is not None, findings
    return loaded.spec


def given(
    folder: Path,
    changes: dict[str, Any] = VISION,
    *,
    shelf: Shelf = SHELF,
    hardware: str = "olares-one",
    measured: Measured | None = None,
) -> PlanInput:
    """Return what the plan of a spec is made from."""
    return plan_input(spec(folder, changes), shelf, hardware_profiles()[hardware], measured)
