"""Checks of the GPU memory plan: what does not fit, fits barely, or asks for the wrong sum.

A spec whose models have no facts, and an engine that is not planned, give no findings here:
`chartgen plan` names what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chartgen.findings import Finding, Place, Severity
from chartgen.hardware import Hardware
from chartgen.lint.engine import engine_findings
from chartgen.lint.engine_subjects import main_name
from chartgen.lint.rules import finding
from chartgen.memory.inputs import PlanInput
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import GIB, mib
from chartgen.memory.plan import capped, plan, plan_input, plans, run_of
from chartgen.memory.vllm_plan import taken_beside
from chartgen.memory.vllm_settings import VllmRun
from chartgen.models.beside import shelf_of
from chartgen.spec.load import LoadedSpec

# Phrases of refusals that name an argument otherwise than by its name.
_NAMED: Mapping[str, Mapping[str, str]] = {
    "vllm": {"KV type": "kv-cache-dtype", "Chunked MM": "max-num-batched-tokens"},
    "llamacpp": {"values": "cache-type-v", "keys": "cache-type-k"},
}
# Asking for this much more than the plan takes is worth a word.
_GENEROUS = 1.25
# MiB; finer steps say nothing, as allowances are no finer.
_CAP_STEP = 32
_ROUND = 256


def memory_findings(loaded: LoadedSpec, hardware: Hardware) -> Iterator[Finding]:
    """Yield the findings on the GPU memory of a spec on a card."""
    if not plans(loaded.spec) or loaded.spec.gpu is None:
        return
    shelf = shelf_of(loaded)
    if not shelf.models:
        return
    given = plan_input(loaded.spec, shelf, hardware)
    found = plan(given, search=False)
    if found.verdict == "unknown" or _several_gpus(given):
        return
    if found.verdict == "does not fit":
        found = plan(given)
    items = (*_fit(loaded, found), *_beyond(loaded, given, found), *_asked(loaded, given, found))
    for item in items:
        # Where the release is only the nearest one, its arithmetic is a hint and no verdict.
        inexact = not found.release_exact and item.severity is Severity.ERROR
        yield replace(item, severity=Severity.WARNING) if inexact else item


def _several_gpus(given: PlanInput) -> bool:
    """Tell whether the plan is that of one of several GPUs, of which an app gets only one."""
    run = run_of(given)
    return isinstance(run, VllmRun) and run.kv.tensor_parallel * run.kv.pipeline_parallel > 1


def _fit(loaded: LoadedSpec, found: Plan) -> Iterator[Finding]:
    place = _place(loaded)
    if found.refusal:
        place = _refused_at(loaded, found.refusal) or place
        # What the checks of arguments say of the same value is nearer to the point, and of a model
        # that the release does not have nothing more is said.
        if not any(
            item.place == place or item.rule == "engine-model-unsupported"
            for item in engine_findings(loaded)
        ):
            yield finding("memory-refused", place, f"the engine does not start: {found.refusal}")
        return
    figures = _figures(found)
    if found.verdict == "does not fit":
        message = f"{figures}; the longest context that fits is {found.longest or 0:,}"
        remedy = f"Run `chartgen plan {loaded.file} --suggest`, which says what would make it fit."
        yield finding("memory-over-card", place, message, remedy)
    elif found.verdict == "tight":
        yield finding("memory-tight", place, f"{figures}, which is less than 3 % to spare")
    yield from _queue(loaded, found)


def _beyond(loaded: LoadedSpec, given: PlanInput, found: Plan) -> Iterator[Finding]:
    """Say what a context takes beyond the length that the model was made for."""
    native, context = found.native_context, found.context
    if found.refusal or not native or not context or context <= native:
        return
    there = plan(given, run_of(given).at(native), search=False)
    more = (found.kv_needed or 0) - (there.kv_needed or 0)
    message = (
        f"{context - native:,} tokens beyond the {native:,} that the model was made for take "
        f"{mib(more):,} MiB of KV cache"
    )
    yield finding("memory-beyond-native", _place(loaded), message)


def _queue(loaded: LoadedSpec, found: Plan) -> Iterator[Finding]:
    """Compare the sequences that the spec asks for with those that the cache holds."""
    key = _arguments(loaded).get("max-num-seqs")
    wanted = loaded.spec.engine.args.get(key) if key is not None else None
    if found.engine != "vllm" or not isinstance(wanted, int) or found.requests is None:
        return
    assert key is not None
    if found.verdict in ("fits", "tight") and wanted > found.requests >= 1:
        message = (
            f"{wanted} sequences may run at once, and the KV cache holds {found.requests:.2f} of "
            f"the full {found.context:,} tokens"
        )
        yield finding("memory-sequences", loaded.place("engine", "args", key), message)


def _figures(found: Plan) -> str:
    needed = (found.kv_needed or 0) / GIB
    there = max(0, found.kv_available or 0) / GIB
    return (
        f"{found.context:,} tokens need {needed:.2f} GiB of KV cache, and {there:.2f} GiB are left "
        f"of the {found.hardware.gpu_memory_mib:,} MiB of {found.hardware.title}"
    )


def _asked(loaded: LoadedSpec, given: PlanInput, found: Plan) -> Iterator[Finding]:
    """Compare the GPU memory that the manifest asks for with the plan."""
    wanted = loaded.spec.gpu_memory
    small = capped(given)
    if wanted is None or small is None or found.verdict == "does not fit":
        return
    place = loaded.place("gpu", "memory")
    cap = small.hardware.gpu_memory_mib
    if "modern" in loaded.spec.platforms and plan(small, search=False).verdict == "does not fit":
        least = _least_cap(given, cap)
        message = (
            f"a card of {cap:,} MiB, which is all that Olares 1.12.6 shows the engine, is too "
            f"small for {found.context:,} tokens; {least:,} MiB are enough"
        )
        rounded = min(-(-least // _ROUND) * _ROUND, given.hardware.gpu_memory_mib)
        yield finding("gpu-memory-below-plan", place, message, f"Ask for {rounded}Mi or more.")
    taken = mib(found.taken) + mib(_driver(found))
    if int(wanted.request) > found.taken * _GENEROUS + _driver(found):
        message = f"{cap:,} MiB are asked for, and the plan takes {taken:,}"
        remedy = f"Ask for {taken * 11 // 10}Mi."
        yield finding("gpu-memory-above-plan", place, message, remedy)


def _driver(found: Plan) -> int:
    """Return what lies beside the engine's own share whatever it does."""
    if found.engine == "vllm":
        return min(taken_beside(found.hardware), max(0, found.card - found.budget))
    return sum(part.size for part in found.outside)


def _least_cap(given: PlanInput, low: int) -> int:
    """Return the least GPU memory in MiB with which the app's settings fit."""
    high = given.hardware.gpu_memory_mib
    while high - low > _CAP_STEP:
        middle = (low + high) // 2
        card = replace(given.hardware, gpu_memory_mib=middle)
        if plan(replace(given, hardware=card), search=False).verdict == "does not fit":
            low = middle
        else:
            high = middle
    return high


def _refused_at(loaded: LoadedSpec, refusal: str) -> Place | None:
    """Return the place of the argument that a refusal names."""
    kind = loaded.spec.engine.kind
    words = refusal.replace("_", "-")
    named = (*_NAMED.get(kind, {}).items(), *((name, name) for name in _arguments(loaded)))
    for phrase, name in named:
        if phrase in words and name in _arguments(loaded):
            return loaded.place("engine", "args", _arguments(loaded)[name])
    return None


def _arguments(loaded: LoadedSpec) -> dict[str, str]:
    """Return the keys of the arguments by their main names."""
    return {main_name(loaded.spec.engine.kind, key): key for key in loaded.spec.engine.args}


def _place(loaded: LoadedSpec) -> Place:
    """Return the place of the context, where the spec states one."""
    if loaded.spec.engine.context is not None:
        return loaded.place("engine", "context")
    return loaded.place("engine", "args", key=True)
