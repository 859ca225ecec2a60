"""vLLM: `vllm serve MODEL`, OpenAI API on port 8000.

Sources: vllm 0.21.0, entrypoints/openai/cli_args.py and engine/arg_utils.py (engines 1).
"""

from __future__ import annotations

import json
import re
from typing import Any

from chartgen.engines.arguments import compact_json, merged, normal, words
from chartgen.engines.base import EngineFacts, Start, Weights, as_weights, without_nulls
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import VllmEngine
from chartgen.spec.sources import ModelSource
from chartgen.spec.values import REPOSITORY

FACTS = EngineFacts(
    kind="vllm",
    title="vLLM",
    port=8000,
    health="/health",
    # Loading, torch.compile and graph capture of a 17 GB model took 8 to 10 minutes at worst
    # (app-corpus 1.2, probe tuples P2 and P5).
    load_seconds=900,
    container="vllm",
    json_flags=frozenset(
        {
            "speculative-config",
            "limit-mm-per-prompt",
            "compilation-config",
            "attention-config",
            "hf-overrides",
            "mm-processor-kwargs",
            "media-io-kwargs",
            "override-generation-config",
            "default-chat-template-kwargs",
            "kv-transfer-config",
            "structured-outputs-config",
            "additional-config",
        }
    ),
)


def speculative_config(engine: VllmEngine) -> dict[str, Any] | None:
    """Return the speculative configuration as an object, from the argument or its dotted form.

    None where there is none, or where the argument is no JSON object (a finding elsewhere).
    """
    for key, value in engine.args.items():
        if normal(key) in {"speculative-config", "sc"}:
            return _as_object(value)
    dotted = {
        normal(key).partition(".")[2].replace("-", "_"): value
        for key, value in engine.args.items()
        if normal(key).startswith("speculative-config.")
    }
    return dotted or None


def _as_object(value: Any) -> dict[str, Any] | None:
    """Return a JSON object given as such or as text, None for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return dict(value) if isinstance(value, dict) else None


def weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights: those by role, and a draft repository that only the arguments name."""
    engine = spec.engine
    assert isinstance(engine, VllmEngine)
    found = [as_weights(role, source) for role, source in engine.roles.items()]
    config = speculative_config(engine) or {}
    draft = config.get("model")
    named = isinstance(draft, str) and re.fullmatch(REPOSITORY, draft) is not None
    if engine.draft is None and named and draft != engine.model.hf:
        found.append(as_weights("draft", ModelSource(hf=draft)))
    return tuple(found)


def start(spec: AppSpec) -> Start:
    """Return the command line that serves the spec's model."""
    engine = spec.engine
    assert isinstance(engine, VllmEngine)
    by_role = {item.role: item for item in weights(spec)}
    main = by_role["main"]
    revision = main.source.revision
    presets = without_nulls(
        {
            "served-model-name": engine.served_name or spec.name,
            "host": "0.0.0.0",
            "port": engine.port or FACTS.port,
            "revision": revision if _by_name(main) and revision != "main" else None,
            "max-model-len": engine.context,
            "chat-template": by_role["chat_template"].path if "chat_template" in by_role else None,
        }
    )
    arguments = dict(engine.args)
    if engine.draft is not None:
        arguments = _with_draft(arguments, by_role["draft"])
    return Start(
        command=("vllm", "serve", _name(main)),
        args=tuple(words(merged(presets, arguments))),
        presets={
            "served-model-name": "engine.served_name",
            "host": "",
            "port": "engine.port",
            "max-model-len": "engine.context",
            "model": "engine.model",
        },
    )


def _by_name(item: Weights) -> bool:
    return item.source.hf is not None and not item.source.wanted_files


def _name(item: Weights) -> str:
    """Whole repositories go by their name: vLLM finds them in the cache, also offline."""
    return str(item.source.hf) if _by_name(item) else item.path


def _with_draft(arguments: dict[str, Any], draft: Weights) -> dict[str, Any]:
    """Put the draft model into the speculative configuration, as its first keys."""
    named: dict[str, Any] = {"model": _name(draft)}
    if _by_name(draft) and draft.source.revision != "main":
        named["revision"] = draft.source.revision
    for key, value in arguments.items():
        if normal(key) == "speculative-config":
            config = _as_object(value)
            if config is not None:
                whole = named | config
                arguments[key] = compact_json(whole) if isinstance(value, str) else whole
            return arguments
    return arguments | {f"speculative-config.{key}": value for key, value in named.items()}
