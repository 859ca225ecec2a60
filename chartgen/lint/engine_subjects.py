"""What a spec says of its engine, by name: the subjects that knowledge rules compare.

| subject                     | what it is                                                    |
|-----------------------------|---------------------------------------------------------------|
| `kv-cache-dtype`            | an argument, by its normal spelling, whoever set it           |
| `speculative-config.method` | a key of an argument's JSON object, or its dotted form        |
| `env.NAME`                  | a variable of the engine's container                          |
| `role.mmproj`               | true where the spec has weights of that role                  |
| `model.…`, `draft.…`        | facts of the main and of the draft model, where known         |
| `hardware.…`                | facts of the card that the spec itself names                  |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chartgen.engines.arguments import normal
from chartgen.engines.llamacpp_variables import arguments_of_variables
from chartgen.hardware import hardware_profiles
from chartgen.models.facts import ModelFacts
from chartgen.spec.app import AppSpec

# Short spellings that charts use, by engine, with the argument they stand for
# (vllm 0.21.0 entrypoints/openai/cli_args.py, llama.cpp b11434 common/arg.cpp).
_SHORT: Mapping[str, Mapping[str, str]] = {
    "vllm": {"sc": "speculative-config", "cc": "compilation-config", "tp": "tensor-parallel-size"},
    "llamacpp": {
        "fa": "flash-attn",
        "ctk": "cache-type-k",
        "ctv": "cache-type-v",
        "c": "ctx-size",
        "np": "parallel",
        "b": "batch-size",
        "ub": "ubatch-size",
        "ngl": "n-gpu-layers",
        "kvu": "kv-unified",
    },
}


def engine_subjects(
    spec: AppSpec, model: ModelFacts | None = None, draft: ModelFacts | None = None
) -> dict[str, Any]:
    """Return all subjects of a spec; what is not known of a model is left out."""
    engine = spec.engine
    subjects: dict[str, Any] = {}
    for key, value in _arguments(spec).items():
        name = main_name(engine.kind, key)
        if value is not None:
            subjects[_dotted(name)] = value
            subjects |= dict(_members(name, value))
    subjects |= {f"env.{name}": str(value) for name, value in spec.env.items()}
    subjects |= dict.fromkeys((f"role.{role}" for role in engine.roles), True)
    profile = hardware_profiles().get(spec.hardware or "")
    if profile is not None and profile.compute_capability:
        subjects["hardware.compute-capability"] = profile.compute_capability
    if model is not None:
        subjects |= _model(model)
    if draft is not None and draft.vocabulary is not None:
        subjects["draft.vocabulary"] = draft.vocabulary
    if draft is not None and draft.drafter is not None:
        target = draft.drafter.target_hidden
        subjects["draft.method"] = draft.drafter.method
        subjects |= {"draft.target-hidden": target} if target is not None else {}
    return subjects


def main_name(kind: str, key: str) -> str:
    """Return the long spelling of an argument without dashes: `-np` is `parallel`."""
    return _SHORT.get(kind, {}).get(normal(key), normal(key))


def _arguments(spec: AppSpec) -> dict[str, Any]:
    """Return the arguments as written, and those that follow from fields and variables."""
    fields = {
        "vllm": {"max-model-len": spec.engine.context},
        "llamacpp": {"ctx-size": spec.engine.context},
        "sglang": {"context-length": spec.engine.context},
    }
    known = {name: item.value for name, item in spec.env.items() if item.value is not None}
    variables = arguments_of_variables(known) if spec.engine.kind == "llamacpp" else {}
    stated = {name: x for name, x in fields.get(spec.engine.kind, {}).items() if x is not None}
    return {**variables, **stated, **spec.engine.args}


def _dotted(name: str) -> str:
    """Return a name with `_` in the keys of a JSON object, as the engine writes them."""
    head, dot, rest = name.partition(".")
    return head + dot + rest.replace("-", "_")


def _members(name: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield f"{name}.{key}", member


def _model(facts: ModelFacts) -> dict[str, Any]:
    kinds = [layer for layer in facts.layers if layer.kind in {"full", "sliding", "chunked"}]
    sliding = [layer for layer in kinds if layer.kind == "sliding"]
    rope = facts.rope_scaling
    known = {
        "model.family": facts.family or None,
        "model.hidden": facts.hidden,
        "model.vocabulary": facts.vocabulary,
        "model.native-context": facts.native_context,
        "model.trained-context": rope.original_context or None if rope is not None else None,
        "model.largest-head": max((layer.key_dim for layer in kinds), default=None),
        "model.sliding-layers": len(sliding) if facts.layers else None,
        "model.sliding-window": sliding[0].window if sliding else None,
    }
    return {name: value for name, value in known.items() if value is not None}
