"""What a spec says that its app can do: it decides which checks of a smoke test are run.

Settings count, not words of a text: an engine that is not told to read images or to call tools
does neither. The switches are those of vllm 0.21.0 (entrypoints/openai/cli_args.py,
engine/arg_utils.py), llama.cpp b11434 (common/arg.cpp), SGLang (server_args.py) and TabbyAPI
(common/config_models.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chartgen.engines import engine_facts
from chartgen.memory.given import Given, whole
from chartgen.models.facts import ModelFacts
from chartgen.models.store import Shelf
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import AppEngine, EngineBase, LlamaCppEngine, TabbyEngine

_ALIASES: Mapping[str, str] = {
    "mm": "mmproj",
    "mmu": "mmproj-url",
    "embeddings": "embedding",
    "served-model-name": "served-name",
    "alias": "served-name",
    "a": "served-name",
    "max-model-len": "context",
    "c": "context",
    "ctx-size": "context",
    "context-length": "context",
}
# vLLM's values of --runner, --convert and the former --task for models that give vectors.
_POOLING = frozenset({"pooling", "embed", "embedding"})
_SPEECH = re.compile(r"speech|tts|voice", re.IGNORECASE)
_EMBEDDING = re.compile(r"embedding|embedder", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether a spec claims something, and what in it says so, or why it does not.

    `by_model` tells that no setting asks for it: the model can do it, and nothing switches it off.
    """

    holds: bool
    because: str
    by_model: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a smoke test takes from a spec.

    `served_name` is the model's name in the API, None where any will do. `health` is the path that
    answers when the app is ready, None where it has none. `context` is in tokens.
    """

    served_name: str | None
    health: str | None
    context: int | None
    chat: Claim
    vision: Claim
    tools: Claim
    embedding: Claim
    speech: Claim

    @property
    def listed(self) -> bool:
        """Tell whether a list of models is expected."""
        return self.chat.holds or self.embedding.holds


def claims_of(spec: AppSpec, shelf: Shelf) -> Claims:
    """Return what a spec claims; `shelf` holds the facts of its models."""
    engine = spec.engine
    given = Given.of(engine.args, _ALIASES)
    if isinstance(engine, AppEngine):
        return _of_app(spec, engine)
    source = engine.model
    facts = shelf.models.get((source.hf, source.file)) if source and source.hf else None
    embedding = _embedding(spec, engine, given)
    chat = Claim(True, f"engine.kind is {engine.kind}")
    vision, tools = _vision(engine, given, facts), _tools(engine, given)
    if embedding.holds:
        chat = vision = tools = Claim(False, f"an embedding model: {embedding.because}")
    found = Claims(
        served_name=served_name(spec),
        health=engine_facts(engine.kind).health,
        context=_context(engine, given),
        chat=chat,
        vision=vision,
        tools=tools,
        embedding=embedding,
        speech=Claim(False, f"engine.kind is {engine.kind}, which does not speak"),
    )
    return _with_gateway(spec, found)


def served_name(spec: AppSpec) -> str | None:
    """Return the name that requests ask for: the first that the model is served under.

    None for a container of any kind that states none.
    """
    return next(iter(served_names(spec)), None)


def served_names(spec: AppSpec) -> tuple[str, ...]:
    """Return all names that the model is served under.

    None for a container of any kind that states none. An argument of the engine counts before
    `engine.served_name`; llama.cpp takes several with commas between them.
    """
    engine = spec.engine
    if isinstance(engine, AppEngine):
        return () if engine.served_name is None else (engine.served_name,)
    value = Given.of(engine.args, _ALIASES).values.get("served-name")
    values = value if isinstance(value, (list, tuple)) else () if value is None else (value,)
    stated = (name.strip() for one in values for name in str(one).split(","))
    return tuple(filter(None, stated)) or (engine.served_name or spec.name,)


def _of_app(spec: AppSpec, engine: AppEngine) -> Claims:
    """Return the claims of a container of any kind: its roles of weights and its texts tell."""
    none = Claim(False, "engine.kind is app, and nothing else in the spec says so")
    found = Claims(
        served_name=served_name(spec),
        health=engine.health,
        context=engine.context,
        chat=none,
        vision=none,
        tools=none,
        embedding=_told(spec, engine, _EMBEDDING, none),
        speech=_told(spec, engine, _SPEECH, none),
    )
    return _with_gateway(spec, found)


def _with_gateway(spec: AppSpec, claims: Claims) -> Claims:
    """Add what the spec tells the device's model gateway."""
    gateway = spec.gateway
    if gateway is None:
        return claims
    if gateway.mode == "embedding":
        return replace(claims, embedding=Claim(True, "gateway.mode is embedding"))
    found = claims
    if not claims.chat.holds and not claims.embedding.holds:
        found = replace(found, chat=Claim(True, "gateway.mode is chat"))
    if "vision" in gateway.supports and (not claims.vision.holds or claims.vision.by_model):
        found = replace(found, vision=Claim(True, "gateway.supports has vision"))
    if "tools" in gateway.supports and not claims.tools.holds:
        found = replace(found, tools=Claim(True, "gateway.supports has tools"))
    return found


def _told(spec: AppSpec, engine: AppEngine, word: re.Pattern[str], none: Claim) -> Claim:
    for role in sorted(engine.models):
        if word.search(role):
            return Claim(True, f"engine.models.{role}")
    for name, text in (("title", spec.title), ("summary", spec.summary)):
        if word.search(text):
            return Claim(True, f"the {name}: {text}")
    return none


def _context(engine: EngineBase, given: Given) -> int | None:
    stated = given.count("context")
    if isinstance(engine, TabbyEngine):
        section = engine.config.get("model")
        stated = whole(section.get("max_seq_len")) if isinstance(section, Mapping) else None
    return stated or engine.context


def _vision(engine: EngineBase, given: Given, facts: ModelFacts | None) -> Claim:
    if isinstance(engine, LlamaCppEngine):
        if given.values.get("mmproj") is False:
            return Claim(False, "no-mmproj is set")
        if engine.mmproj is not None:
            return Claim(True, "engine.mmproj")
        named = [name for name in ("mmproj", "mmproj-url") if given.values.get(name)]
        return Claim(bool(named), f"--{named[0]}" if named else "no engine.mmproj")
    if isinstance(engine, TabbyEngine):
        section = engine.config.get("model")
        on = isinstance(section, Mapping) and section.get("vision") is True
        return Claim(on, "config.model.vision" if on else "no config.model.vision")
    if given.switch("language-model-only"):
        return Claim(False, "language-model-only is set")
    limits = given.item("limit-mm-per-prompt")
    if "image" in limits:
        limit = limits["image"]
        count = whole(limit.get("count", 1) if isinstance(limit, Mapping) else limit)
        return Claim(count != 0, f"limit-mm-per-prompt allows {count} images")
    if facts is not None and facts.vision is not None:
        return Claim(True, f"{facts.name} has a vision tower", by_model=True)
    missing = "the model's facts name no vision tower" if facts else "no limit-mm-per-prompt"
    return Claim(False, missing)


def _tools(engine: EngineBase, given: Given) -> Claim:
    name = {"vllm": "enable-auto-tool-choice", "llamacpp": "jinja", "sglang": "tool-call-parser"}
    wanted = name.get(str(getattr(engine, "kind", "")))
    if wanted is None:
        return Claim(False, "no setting of this engine tells")
    on = bool(given.text(wanted)) if wanted == "tool-call-parser" else given.switch(wanted)
    # A bare flag in a spec is `true`, and an empty one is on, too.
    return Claim(on, wanted if on else f"no {wanted}")


def _embedding(spec: AppSpec, engine: EngineBase, given: Given) -> Claim:
    if spec.gateway is not None and spec.gateway.mode == "embedding":
        return Claim(True, "gateway.mode")
    for name in ("runner", "convert", "task"):
        if given.text(name) in _POOLING:
            return Claim(True, f"{name} is {given.text(name)}")
    for name in ("embedding", "is-embedding"):
        if given.switch(name):
            return Claim(True, name)
    if isinstance(engine, TabbyEngine) and "embeddings" in engine.config:
        return Claim(False, "TabbyAPI serves embeddings beside its model")
    return Claim(False, f"engine.kind is {spec.engine.kind}, and nothing asks it for vectors")
