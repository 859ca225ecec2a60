"""The memory plan of an app on llama.cpp's server: all layers on one GPU.

Everything is allocated at the start: weights, caches of target and draft model, and compute
buffers, which are reserved for the largest batch (allowances here).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chartgen.memory.allowances import allowance, allowance_data
from chartgen.memory.inputs import PlanInput
from chartgen.memory.layers import llama_layers
from chartgen.memory.llamacpp_kv import (
    CELL_STEP,
    CacheRefusal,
    LlamaCache,
    LlamaLayer,
    llama_cache,
)
from chartgen.memory.llamacpp_settings import LlamaRun, llama_run
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import MIB, Part, verdict
from chartgen.models.facts import ModelFacts
from chartgen.spec.engine import LlamaCppEngine

_TITLES = {"main": "Weights", "draft": "Draft model", "mmproj": "Image projector"}
_NAMES = {"main": "weights", "draft": "draft", "mmproj": "mmproj"}


@dataclass(frozen=True, slots=True)
class _Model:
    """The two sets of layers that keep a cache."""

    layers: Sequence[LlamaLayer]
    draft_layers: Sequence[LlamaLayer]


def run_of(given: PlanInput) -> LlamaRun:
    """Return what the spec's arguments ask for."""
    engine = given.spec.engine
    assert isinstance(engine, LlamaCppEngine)
    target = given.facts("main")
    native = target.native_context if target is not None else None
    return llama_run(engine, given.types, native, given.environment)


def llama_plan(given: PlanInput, run: LlamaRun | None = None, *, search: bool = True) -> Plan:
    """Return the plan of a spec, or of a variation of its settings.

    Without `search` the longest context that fits is not looked for.
    """
    run = run_of(given) if run is None else run
    target = given.facts("main")
    missing = _missing(given, run)
    card = given.hardware.gpu_memory_mib * MIB
    outside = _outside(given, card)
    budget = card - sum(part.size for part in outside)
    model = _model(given, run)
    parts = [*_files(given, run), *_buffers(given, run, model)]
    sizes_known = all(item.size is not None for item in given.weights.values())
    sizes_known = sizes_known and target is not None
    available = budget - sum(part.size for part in parts)
    blank = Plan(
        app=given.spec.name,
        engine="llamacpp",
        release=given.release,
        release_exact=given.release_exact,
        release_told_by=given.release_told_by,
        hardware=given.hardware,
        card=card,
        budget=budget,
        budget_by="the card less driver",
        outside=outside,
        parts=tuple(parts),
        context=None if missing else run.cache.context,
        native_context=target.native_context if target is not None else None,
        kv_needed=None,
        kv_available=available if sizes_known else None,
        available_certainty="allowance",
        longest=None,
        requests=None,
        verdict="unknown",
        settings=_settings(run),
        missing=missing,
        notes=tuple(_notes(given, run)),
    )
    if missing:
        return blank
    caches = _caches(model, run)
    if isinstance(caches, CacheRefusal):
        return replace(blank, verdict="does not fit", refusal=caches.reason)
    needed = sum(cache.total_bytes for cache in caches) if run.cache_on_gpu else 0
    most = max(blank.native_context or 0, run.cache.context)
    return replace(
        blank,
        context=caches[0].context,
        kv_needed=needed,
        longest=_longest(given, run, model, budget, most) if search else None,
        requests=1.0 if run.cache.unified else float(run.cache.slots),
        verdict=verdict(available - needed, budget),
    )


def _caches(model: _Model, run: LlamaRun) -> tuple[LlamaCache, ...] | CacheRefusal:
    """Return the caches of target and draft model."""
    own = llama_cache(model.layers, run.cache)
    if isinstance(own, CacheRefusal):
        return own
    if not model.draft_layers:
        return (own,)
    drafts = llama_cache(model.draft_layers, run.draft)
    return drafts if isinstance(drafts, CacheRefusal) else (own, drafts)


def _longest(given: PlanInput, run: LlamaRun, model: _Model, budget: int, most: int) -> int:
    """Return the longest --ctx-size that fits, up to `most`; masks grow with it, too."""
    files = sum(part.size for part in _files(given, run))

    def fits(context: int) -> bool:
        there = run.at(context)
        caches = _caches(model, there)
        if isinstance(caches, CacheRefusal):
            return False
        needed = sum(cache.total_bytes for cache in caches) if run.cache_on_gpu else 0
        return files + sum(part.size for part in _buffers(given, there, model)) + needed <= budget

    if fits(most):
        return most
    step = CELL_STEP if run.cache.unified else CELL_STEP * run.cache.slots
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle - 1)
    return low * step


def _model(given: PlanInput, run: LlamaRun) -> _Model:
    target, draft = given.facts("main"), given.facts("draft")
    own = llama_layers(target.layers) if target is not None else ()
    drafts: tuple[LlamaLayer, ...] = ()
    if run.drafts_itself and target is not None:
        drafts = llama_layers(target.mtp_layers)
    elif draft is not None and not _reads_target(draft):
        drafts = llama_layers(draft.layers)
    return _Model(own, drafts)


def _reads_target(facts: ModelFacts) -> bool:
    """Tell whether a draft model works in the target's cache, with no context of its own."""
    return facts.drafter is not None and facts.drafter.shares_target_cache


def _files(given: PlanInput, run: LlamaRun) -> list[Part]:
    """Return the files that are loaded whole into GPU memory."""
    found = []
    for role, item in given.weights.items():
        if role not in _TITLES or item.size is None:
            continue
        if role == "mmproj" and not run.projector_on_gpu:
            continue
        source = f"{item.name}: {item.told_by}"
        found.append(Part(_NAMES[role], _TITLES[role], item.size, "published", source))
    return found


def _buffers(given: PlanInput, run: LlamaRun, model: _Model) -> list[Part]:
    """Return the context and the compute buffers of target, draft and projector."""
    data = allowance_data()["llamacpp"]
    build = _build(given.release)
    found = [allowance("context", data["context"])]
    masks = logits = rows = 0
    width = data["masks"]["bytes_since" if build >= data["masks"]["since"] else "bytes_before"]
    for facts, settings in ((given.facts("main"), run.cache), (given.facts("draft"), run.draft)):
        if facts is None or _reads_target(facts):
            continue
        ubatch = min(settings.context, settings.batch, settings.ubatch)
        outputs = ubatch if build < data["outputs"]["all_before"] else settings.slots
        logits += outputs * (facts.vocabulary or 0) * 4
        masks += ubatch * settings.context * width
        rows += ubatch * (facts.hidden or 0)
    found.append(allowance("outputs", data["outputs"], logits))
    found.append(allowance("masks", data["masks"], masks))
    found.append(allowance("activation", data["activation"], rows * data["activation"]["factor"]))
    # Nobody can guess them for a model of which nothing is known.
    found = [part for part in found if part.size > 0]
    converted = _converted(model, run) * data["conversion"]["bytes"]
    if converted:
        found.append(allowance("conversion", data["conversion"], converted))
    if "mmproj" in given.weights and run.projector_on_gpu:
        found.append(allowance("projector", data["projector"]))
    return found


def _converted(model: _Model, run: LlamaRun) -> int:
    """Return the elements of the largest layer whose quantised cache is read as f16."""
    most = 0
    for layer in model.layers:
        if layer.kind == "attention":
            keys = layer.keys if run.cache.type_k.quantised else 0
            values = layer.values if run.cache.type_v.quantised else 0
            most = max(most, run.cache.context * layer.heads * (keys + values))
    return most


def _build(release: str) -> int:
    """Return the number of a build; one that is not known counts as old, which takes more."""
    found = re.search(r"\d+", release)
    return int(found[0]) if found else 0


def _outside(given: PlanInput, card: int) -> tuple[Part, ...]:
    data = allowance_data()
    parts = [allowance("driver", data["driver"], data["driver"]["share"] * card)]
    if given.hardware.unified:
        parts.append(allowance("system", data["system"]))
    return tuple(parts)


def _missing(given: PlanInput, run: LlamaRun) -> tuple[str, ...]:
    found: list[str] = []
    main, draft = given.weights.get("main"), given.weights.get("draft")
    target = given.facts("main")
    if target is None:
        found.append(f"facts of {main.name if main is not None else 'the model'}")
    elif not target.layers:
        found += [f"{name} of {target.name}" for name in target.missing or ("layers",)]
    if draft is not None and not _knows(draft.facts):
        found.append(f"facts of {draft.name}")
    if run.problem and target is not None:
        found.append(run.problem)
    found += [f"size of {item.name}" for item in given.weights.values() if item.size is None]
    return tuple(found)


def _knows(facts: ModelFacts | None) -> bool:
    return facts is not None and (facts.drafter is not None or bool(facts.layers))


def _settings(run: LlamaRun) -> tuple[tuple[str, str], ...]:
    cache = run.cache
    kinds = cache.type_k.name
    if cache.type_v != cache.type_k:
        kinds = f"{cache.type_k.name} and {cache.type_v.name}"
    slots = f"{cache.slots}, {'one cache' if cache.unified else 'context split'}"
    return (
        ("context", str(cache.context)),
        ("slots", slots if cache.slots > 1 else "1"),
        ("ubatch", str(cache.ubatch)),
        ("KV type", kinds),
        *((("windows", "at full length (--swa-full)"),) if cache.full_windows else ()),
    )


def _notes(given: PlanInput, run: LlamaRun) -> list[str]:
    notes = []
    cache = run.cache
    if cache.slots > 1 and not cache.unified:
        notes.append(f"each of the {cache.slots} slots has its part of the context")
    if run.on_host:
        listed = ", ".join(f"--{name}" for name in run.on_host)
        notes.append(f"{listed} keeps weights in host memory; the plan counts them all")
    target = given.facts("main")
    if target is not None and target.native_context and cache.context > target.native_context:
        notes.append(
            f"the context is longer than the {target.native_context} tokens that the model was "
            "made for"
        )
    return notes
