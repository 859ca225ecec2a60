"""llama.cpp's server: official images and forks, OpenAI API on port 8080.

Source: llama.cpp b11434, common/arg.cpp and tools/server (engines 3).
"""

from __future__ import annotations

from collections.abc import Mapping

from chartgen.engines.arguments import merged, words
from chartgen.engines.base import EngineFacts, Start, Weights, as_weights, without_nulls
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import LlamaCppEngine

FACTS = EngineFacts(
    kind="llamacpp",
    title="llama.cpp",
    port=8080,
    health="/health",
    # Reading 22 GB from a slow disk and warming up (app-corpus 1.2, probe tuples P1 and P4).
    load_seconds=600,
    container="llamacpp",
    json_flags=frozenset({"chat-template-kwargs"}),
)
# Long spellings that builds from b8740 to b11434 share; forks state their own in `spellings`.
SPELLINGS: Mapping[str, str] = {
    "model": "model",
    "mmproj": "mmproj",
    "draft": "model-draft",
    "chat_template": "chat-template-file",
    "served_name": "alias",
    "context": "ctx-size",
}
_FIELDS = {
    "model": "engine.model",
    "mmproj": "engine.mmproj",
    "draft": "engine.draft",
    "chat_template": "engine.chat_template",
    "served_name": "engine.served_name",
    "context": "engine.context",
}


def weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights by role."""
    return tuple(as_weights(role, source) for role, source in spec.engine.roles.items())


def start(spec: AppSpec) -> Start:
    """Return the command line that serves the spec's model."""
    engine = spec.engine
    assert isinstance(engine, LlamaCppEngine)
    by_role = {item.role: item.path for item in weights(spec)}
    spelt: dict[str, str] = {**SPELLINGS, **{str(k): v for k, v in engine.spellings.items()}}
    presets = without_nulls(
        {
            spelt["model"]: by_role["main"],
            spelt["mmproj"]: by_role.get("mmproj"),
            spelt["draft"]: by_role.get("draft"),
            spelt["chat_template"]: by_role.get("chat_template"),
            spelt["served_name"]: engine.served_name or spec.name,
            "host": "0.0.0.0",
            "port": engine.port or FACTS.port,
            spelt["context"]: engine.context,
        }
    )
    reserved = {spelt[key]: field for key, field in _FIELDS.items()}
    return Start(
        command=(engine.binary,),
        args=tuple(words(merged(presets, engine.args), list_separator=",")),
        presets=reserved | {"port": "engine.port", "host": "", "c": "engine.context"},
    )
