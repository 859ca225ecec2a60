"""SGLang: `python3 -m sglang.launch_server`, OpenAI API on port 30000 (engines 4)."""

from __future__ import annotations

from chartgen.engines.arguments import merged, words
from chartgen.engines.base import (
    EngineFacts,
    Start,
    Weights,
    as_weights,
    reference,
    without_nulls,
)
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import SglangEngine

FACTS = EngineFacts(
    kind="sglang",
    title="SGLang",
    port=30000,
    health="/health",
    # Like vLLM: weights, compilation and graph capture.
    load_seconds=900,
    container="sglang",
    json_flags=frozenset({"json-model-override-args"}),
)


def weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights by role."""
    return tuple(as_weights(role, source) for role, source in spec.engine.roles.items())


def start(spec: AppSpec) -> Start:
    """Return the command line that serves the spec's model."""
    engine = spec.engine
    assert isinstance(engine, SglangEngine)
    by_role = {item.role: reference(item, spec.fetch.by) for item in weights(spec)}
    presets = without_nulls(
        {
            "model-path": by_role["main"],
            "served-model-name": engine.served_name or spec.name,
            "host": "0.0.0.0",
            "port": engine.port or FACTS.port,
            "context-length": engine.context,
            "speculative-draft-model-path": by_role.get("draft"),
            "chat-template": by_role.get("chat_template"),
        }
    )
    return Start(
        command=("python3", "-m", "sglang.launch_server"),
        args=tuple(words(merged(presets, engine.args))),
        presets={
            "model-path": "engine.model",
            "served-model-name": "engine.served_name",
            "host": "",
            "port": "engine.port",
            "context-length": "engine.context",
            "speculative-draft-model-path": "engine.draft",
        },
    )
