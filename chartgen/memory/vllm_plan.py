"""The memory plan of an app on vLLM.

The share is what --gpu-memory-utilization leaves (vllm 0.21.0, v1/worker/gpu_worker.py
determine_available_memory): from it go the weights, then what the profiling run finds (allowances
here), and the rest is the KV cache, whose need is exact.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from chartgen.hardware import Hardware
from chartgen.memory.allowances import allowance, allowance_data
from chartgen.memory.inputs import Measured, PlanInput, Weights
from chartgen.memory.layers import vllm_layers
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import MIB, Certainty, Part, mib, verdict
from chartgen.memory.vllm_kv import KvCache, judge, kv_cache, longest_context, need_bytes
from chartgen.memory.vllm_kv_batch import batch_faults
from chartgen.memory.vllm_kv_layer import KvLayer
from chartgen.memory.vllm_kv_settings import KvSettings
from chartgen.memory.vllm_settings import VllmRun, vllm_run
from chartgen.models.facts import ModelFacts
from chartgen.spec.engine import VllmEngine

# Beside its share vLLM's process has a CUDA context of its own on the card.
_CONTEXT = 500 * MIB


def run_of(given: PlanInput) -> VllmRun:
    """Return what the spec's arguments ask for; raises ValueError for an unknown release."""
    engine = given.spec.engine
    assert isinstance(engine, VllmEngine)
    return vllm_run(engine, given.release, given.hardware, given.facts("main"), given.environment)


def vllm_plan(given: PlanInput, run: VllmRun | None = None, *, search: bool = True) -> Plan:
    """Return the plan of a spec, or of a variation of its settings.

    Without `search` the longest context that fits is not looked for. Raises ValueError for a
    release of which nothing is known.
    """
    run = run_of(given) if run is None else run
    card = given.hardware.gpu_memory_mib * MIB
    share = math.ceil(card * run.utilisation)
    target = given.facts("main")
    missing = (*_missing(given, target), *(f"a sound value of {flag}" for flag in run.unread))
    parts = _weights(given, run)
    sizes_known = all(item.size is not None for item in given.weights.values())
    sizes_known = sizes_known and target is not None and target.hidden is not None
    if given.measured is not None:
        parts += _measured_rest(given, run, given.measured)
    else:
        parts += _allowances(run, target)
    inside = sum(part.size for part in parts)
    available = run.cache_bytes if run.cache_bytes is not None else share - inside
    budget = inside + available if run.cache_bytes is not None else share
    blank = Plan(
        app=given.spec.name,
        engine="vllm",
        release=given.release,
        release_exact=given.release_exact,
        release_told_by=given.release_told_by,
        hardware=given.hardware,
        card=card,
        budget=budget,
        budget_by=(
            f"--gpu-memory-utilization {run.utilisation:g}"
            if run.cache_bytes is None
            else "--kv-cache-memory-bytes"
        ),
        outside=_outside(card, budget),
        parts=tuple(parts),
        context=None if missing else run.kv.max_model_len,
        native_context=target.native_context if target is not None else None,
        kv_needed=None,
        kv_available=available if sizes_known else None,
        available_certainty=_certainty(given, run),
        longest=None,
        requests=None,
        verdict="unknown",
        settings=_settings(run),
        missing=missing,
        notes=tuple(_notes(given, run, card, share)),
    )
    if missing or target is None:
        return blank
    return _with_cache(blank, given, run, vllm_layers(target, given.facts("draft"), run.kv), search)


def _with_cache(
    plan: Plan, given: PlanInput, run: VllmRun, layers: tuple[KvLayer, ...], search: bool
) -> Plan:
    """Return a plan completed by the arithmetic of the KV cache."""
    available = plan.kv_available or 0
    native = plan.native_context or run.kv.max_model_len
    farthest = max(native, run.kv.max_model_len)
    longest = None
    if search or run.fits_itself:
        wide = _cache(layers, replace(run.kv, max_model_len=farthest))
        longest = longest_context(wide, available) if not wide.refusal else 0
    context = max(1, longest or 0) if run.fits_itself else run.kv.max_model_len
    cache = _cache(layers, replace(run.kv, max_model_len=context))
    result = judge(cache, available)
    faults = batch_faults(
        run.kv.release,
        batched_tokens=run.kv.batched_tokens,
        max_model_len=context,
        sequences=run.sequences,
        chunked_prefill=run.chunked_prefill,
        item_tokens=run.items,
        limits=run.limits,
        prefix_lm=run.prefix_lm,
    )
    refusal = cache.refusal or next((fault.sentence for fault in faults), "")
    spare = result.checked_bytes - result.need_bytes
    judged = verdict(spare, plan.budget)
    if judged == "fits" and plan.card - plan.budget < taken_beside(given.hardware):
        judged = "tight"
    return replace(
        plan,
        context=context,
        kv_needed=result.need_bytes,
        kv_available=result.checked_bytes,
        longest=longest,
        requests=result.concurrency,
        verdict="does not fit" if refusal else judged,
        refusal=refusal,
    )


@lru_cache(maxsize=64)
def _cache(layers: tuple[KvLayer, ...], settings: KvSettings) -> KvCache:
    """Return how vLLM lays out a cache; neither a card nor a share of it changes that."""
    return kv_cache(layers, settings)


def _weights(given: PlanInput, run: VllmRun) -> list[Part]:
    titles = {"main": "Weights", "draft": "Draft model"}
    shards = run.kv.tensor_parallel * run.kv.pipeline_parallel
    found = []
    for role, item in given.weights.items():
        if role in titles and item.size is not None:
            size = -(-item.size // shards)
            found.append(_weight_part(role, titles[role], size, item))
    return found


def _weight_part(role: str, title: str, size: int, item: Weights) -> Part:
    name = "weights" if role == "main" else role
    return Part(name, title, size, "published", f"{item.name}: {item.told_by}")


def _allowances(run: VllmRun, target: ModelFacts | None) -> list[Part]:
    """Return what the profiling run will find, as far as it can be guessed."""
    data = allowance_data()["vllm"]
    hidden = (target.hidden if target is not None else None) or 0
    vocabulary = (target.vocabulary if target is not None else None) or 0
    tokens = max(run.kv.batched_tokens, data["activation"]["least_tokens"])
    logits = data["sampler"]["copies"] * run.sequences * vocabulary * 4
    found = [
        allowance("workspaces", data["workspaces"]),
        allowance("activation", data["activation"], data["activation"]["factor"] * tokens * hidden),
        allowance("sampler", data["sampler"], logits),
    ]
    # Nobody can guess them for a model of which nothing is known.
    found = [part for part in found if part.size > 0]
    if run.graphs and run.graph_estimate:
        found.append(allowance("graphs", data["graphs"]))
    if run.multimodal:
        found.append(allowance("encoder", data["encoder"]))
    return found


def _measured_rest(given: PlanInput, run: VllmRun, measured: Measured) -> list[Part]:
    """Return the residual that a log tells, and by how much larger settings should raise it."""
    base = run_of(replace(given, release=measured.release))
    target = given.facts("main")
    card = given.hardware.gpu_memory_mib * MIB
    weights = sum(part.size for part in _weights(given, base))
    left = max(measured.kv_available, _need_of_longest(given, base, measured.longest))
    rest = math.ceil(card * base.utilisation) - weights - left
    found = [Part("residual", "Residual of a run", rest, "measured", measured.told_by)]
    before = sum(part.size for part in _allowances(base, target))
    more = sum(part.size for part in _allowances(run, target)) - before
    if more > 0:
        source = "allowance of these settings against those that were measured"
        found.append(Part("more", "Larger batches", more, "allowance", source))
    return found


def _need_of_longest(given: PlanInput, base: VllmRun, longest: int) -> int:
    """Return what a context that the engine itself called possible needs."""
    target = given.facts("main")
    if not longest or target is None or not target.layers:
        return 0
    cache = _cache(vllm_layers(target, given.facts("draft"), base.kv), base.kv)
    return need_bytes(cache, longest) if not cache.refusal else 0


def _certainty(given: PlanInput, run: VllmRun) -> Certainty:
    if run.cache_bytes is not None:
        return "exact"
    return "allowance" if given.measured is None else "measured"


def _outside(card: int, budget: int) -> tuple[Part, ...]:
    """Return what lies beyond the share: the driver, and what the utilisation leaves unused."""
    data = allowance_data()
    driver = allowance("driver", data["driver"], data["driver"]["share"] * card)
    left = card - budget
    driver = replace(driver, size=min(driver.size + _CONTEXT, max(0, left)))
    unused = Part("unused", "Left unused", left - driver.size, "exact", "card less share")
    return (driver, unused) if left > 0 else ()


def _settings(run: VllmRun) -> tuple[tuple[str, str], ...]:
    drafting = run.kv.speculative_method
    return (
        ("context", f"{run.kv.max_model_len}" if not run.fits_itself else "auto"),
        ("batched tokens", str(run.kv.batched_tokens)),
        ("sequences", str(run.sequences)),
        ("KV type", run.kv.kv_type),
        *((("drafting", drafting),) if drafting else ()),
    )


def _missing(given: PlanInput, target: ModelFacts | None) -> tuple[str, ...]:
    """Name the numbers without which there is no verdict."""
    found: list[str] = []
    main = given.weights.get("main")
    if target is None:
        found.append(f"facts of {main.name if main is not None else 'the model'}")
    elif not target.layers:
        found += [f"{name} of {target.name}" for name in target.missing or ("layers",)]
    draft = given.weights.get("draft")
    if draft is not None and (draft.facts is None or draft.facts.drafter is None):
        known = draft.facts is not None and draft.facts.layers
        found += [] if known else [f"facts of {draft.name}"]
    found += [f"size of {item.name}" for item in given.weights.values() if item.size is None]
    return tuple(found)


def taken_beside(hardware: Hardware) -> int:
    """Return the bytes that are never free for the share: driver, CUDA context, a shared system."""
    data = allowance_data()
    share: float = data["driver"]["share"]
    system: int = data["system"]["mib"] if hardware.unified else 0
    return round(share * hardware.gpu_memory_mib * MIB) + _CONTEXT + system * MIB


def _notes(given: PlanInput, run: VllmRun, card: int, share: int) -> list[str]:
    notes = []
    taken = taken_beside(given.hardware)
    if run.cache_bytes is None and card - share < taken:
        notes.append(
            f"vLLM starts only if its share is free: {mib(card - share)} MiB are left beside it, "
            f"and driver and system take about {mib(taken)}"
        )
    if run.graphs and not run.graph_estimate:
        notes.append(
            "CUDA graphs are not counted before the cache is sized; they take a few hundred MiB "
            "of what is left unused"
        )
    native = given.facts("main")
    if (
        native is not None
        and native.native_context
        and run.kv.max_model_len > (native.native_context)
    ):
        notes.append(
            f"the context is longer than the {native.native_context} tokens that the model was "
            "made for"
        )
    return notes
