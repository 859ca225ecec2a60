"""What the next steps would do: a plan per context, setting and card, as rows of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chartgen.hardware import hardware_profiles
from chartgen.memory.inputs import PlanInput
from chartgen.memory.llamacpp_settings import LlamaRun
from chartgen.memory.outcome import Plan
from chartgen.memory.plan import plan, run_of, with_card
from chartgen.memory.vllm_settings import VllmRun

CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072, 196608, 262144, 524288, 1048576)
# A ladder longer than this tells nothing more.
_MOST_CONTEXTS = 7
_BATCHES = (2048, 4096, 8192, 16384)
_UBATCHES = (256, 512, 1024, 2048)
# vLLM's full and half width, and the types of llama.cpp that charts use.
_VLLM_TYPES = ("bfloat16", "fp8")
_LLAMA_TYPES = ("f16", "q8_0", "q4_0")
_UTILISATION_STEP = 0.02


@dataclass(frozen=True, slots=True)
class Step:
    """One row: what is changed, to which value, and the plan then; `asked` is the spec itself."""

    what: str
    value: str
    plan: Plan
    asked: bool = False


def grid(given: PlanInput, run: VllmRun | LlamaRun | None = None) -> tuple[Step, ...]:
    """Return the steps around a spec's settings, or around `run`; none where nothing is planned."""
    try:
        run = run_of(given) if run is None else run
    except ValueError:
        return ()
    asked = plan(given, run)
    if asked.kv_needed is None or asked.context is None:
        return ()
    rows = list(_contexts(given, run, asked))
    rows += _vllm_steps(given, run) if isinstance(run, VllmRun) else _llama_steps(given, run)
    rows += _cards(given, run)
    return tuple(rows)


def _contexts(given: PlanInput, run: VllmRun | LlamaRun, asked: Plan) -> Iterator[Step]:
    own = asked.context or 0
    most = max(asked.native_context or 0, own)
    ladder = sorted({length for length in CONTEXTS if length <= most} | {own})
    for length in ladder[-_MOST_CONTEXTS:]:
        there = asked if length == own else plan(given, run.at(length))
        yield Step("context", str(length), there, asked=length == own)


def _vllm_steps(given: PlanInput, run: VllmRun) -> Iterator[Step]:
    for sequences in (max(1, run.sequences // 2), run.sequences * 2):
        if sequences != run.sequences:
            there = plan(given, replace(run, sequences=sequences))
            yield Step("sequences", str(sequences), there)
    for name in _VLLM_TYPES:
        if name != run.kv.kv_type:
            there = plan(given, replace(run, kv=replace(run.kv, kv_type=name)))
            yield Step("KV type", name, there)
    if run.cache_bytes is None:
        for by in (-_UTILISATION_STEP, _UTILISATION_STEP):
            share = round(run.utilisation + by, 2)
            if 0 < share < 1:
                there = plan(given, replace(run, utilisation=share))
                yield Step("utilisation", f"{share:g}", there)
    for tokens in _BATCHES:
        if tokens != run.kv.batched_tokens:
            there = plan(given, replace(run, kv=replace(run.kv, batched_tokens=tokens)))
            yield Step("batch", str(tokens), there)


def _llama_steps(given: PlanInput, run: LlamaRun) -> Iterator[Step]:
    cache = run.cache
    for slots in (1, 2, 4):
        if slots != cache.slots:
            settings = replace(cache, slots=slots, unified=False)
            draft = replace(run.draft, slots=slots, unified=False)
            there = plan(given, replace(run, cache=settings, draft=draft))
            yield Step("slots", str(slots), there)
    for name in _LLAMA_TYPES:
        kind = given.types[name]
        if kind not in (cache.type_k, cache.type_v):
            settings = replace(cache, type_k=kind, type_v=kind)
            yield Step("KV type", name, plan(given, replace(run, cache=settings)))
    for tokens in _UBATCHES:
        if tokens != cache.ubatch:
            settings = replace(cache, ubatch=tokens, batch=max(cache.batch, tokens))
            yield Step("ubatch", str(tokens), plan(given, replace(run, cache=settings)))
    windowed = any(layer.window for layer in getattr(given.facts("main"), "layers", ()))
    if windowed:
        settings = replace(cache, full_windows=not cache.full_windows)
        word = "window only" if cache.full_windows else "full length"
        yield Step("windows", word, plan(given, replace(run, cache=settings)))


def _cards(given: PlanInput, run: VllmRun | LlamaRun) -> Iterator[Step]:
    """Yield one row per size of card; sizes within a tenth of each other say the same."""
    seen = [given.hardware.gpu_memory_mib]
    profiles = sorted(hardware_profiles().values(), key=lambda card: card.gpu_memory_mib)
    for card in profiles:
        size = card.gpu_memory_mib
        if all(abs(size - other) > other // 10 for other in seen):
            seen.append(size)
            yield Step("card", card.name, plan(with_card(given, card), run))
