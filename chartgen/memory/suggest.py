"""The smallest changes that make a wanted context fit, each with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chartgen.hardware import hardware_profiles
from chartgen.memory.inputs import PlanInput
from chartgen.memory.llamacpp_kv import CacheType
from chartgen.memory.llamacpp_settings import LlamaRun
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import MIB, mib
from chartgen.memory.plan import plan, run_of, with_card
from chartgen.memory.vllm_kv_batch import uses_async_scheduling
from chartgen.memory.vllm_kv_family import kv_family
from chartgen.memory.vllm_kv_layer import ELEMENT_BYTES
from chartgen.memory.vllm_plan import taken_beside
from chartgen.memory.vllm_settings import VllmRun

Run = VllmRun | LlamaRun
# Below this a prompt is read so slowly that nobody would want it.
_LEAST_BATCH = 512
_LEAST_UBATCH = 128
# Enough sequences for a few people at once; fewer are only suggested where these do not fit.
_FEW_SEQUENCES = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Changes to a spec that go together, what they cost, and the plan with them.

    `changes` are pairs of where (`engine.args.…`, `engine.context`, `hardware`) and the value to
    write there.
    """

    changes: tuple[tuple[str, str], ...]
    cost: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Option:
    """One change to the settings of an engine."""

    changes: tuple[tuple[str, str], ...]
    cost: str
    run: Run


def suggest(given: PlanInput, context: int | None = None) -> tuple[Suggestion, ...]:
    """Return changes that make a context fit, the ones that change least first.

    `context` is by default the spec's own. Nothing where it fits already, or where no plan can be
    made. Pairs are tried where no single change suffices; another card and a shorter context come
    last.
    """
    try:
        run = run_of(given)
    except ValueError:
        return ()
    run = run if context is None else run.at(context)
    now = plan(given, run)
    if now.kv_needed is None or now.verdict != "does not fit":
        return ()
    singles = [(option, plan(given, option.run)) for option in _options(given, run)]
    found = [Suggestion(o.changes, o.cost, there) for o, there in singles if _fits(there)]
    if not found:
        found = list(_pairs(given, [option for option, _ in singles]))
    return (*found, *_other_card(given, run), *_shorter(given, run, now))


def _fits(there: Plan) -> bool:
    return there.verdict in ("fits", "tight")


def _options(given: PlanInput, run: Run) -> Iterator[_Option]:
    if isinstance(run, VllmRun):
        yield from _fewer_sequences(given, run)
        yield from _smaller_batch(given, run)
        yield from _one_in_flight(given, run)
        yield from _higher_utilisation(given, run)
        yield from _narrow_type(given, run)
    else:
        for step in (_windows_only, _smaller_ubatch, _narrow_llama_type):
            yield from step(given, run)


def _pairs(given: PlanInput, singles: list[_Option]) -> Iterator[Suggestion]:
    """Yield pairs of changes that suffice together, each pair once."""
    seen = set()
    for first in singles:
        for second in _options(given, first.run):
            changes = (*first.changes, *second.changes)
            places = frozenset(place for place, _ in changes)
            if len(places) < len(changes) or places in seen:
                continue
            there = plan(given, second.run)
            if _fits(there):
                seen.add(places)
                yield Suggestion(changes, f"{first.cost}; {second.cost}", there)


def _largest(least: int, most: int, good: Callable[[int], bool]) -> int | None:
    """Return the largest number for which something holds that holds for all smaller ones."""
    if most < least or not good(least):
        return None
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if good(middle) else (least, middle - 1)
    return least


def _smaller_batch(given: PlanInput, run: VllmRun) -> Iterator[_Option]:
    """The windows of sliding layers reserve a batch, so a smaller one leaves room for context.

    A batch below the largest multimodal item is refused where items must lie in one batch; items
    of that kind are then switched off, which is no loss where the spec did not name them.
    """

    def with_batch(tokens: int) -> VllmRun:
        dropped = {
            name: 0
            for name, size in run.items.items()
            if run.prefix_lm and size > tokens and name not in run.limits
        }
        kv = replace(run.kv, batched_tokens=tokens)
        return replace(run, kv=kv, limits={**run.limits, **dropped})

    least = max(_LEAST_BATCH, run.sequences)
    tokens = _largest(
        least,
        run.kv.batched_tokens - 1,
        lambda size: (
            not plan(given, with_batch(size)).refusal and _fits(plan(given, with_batch(size)))
        ),
    )
    changed = with_batch(tokens if tokens is not None else least)
    changes = [("engine.args.max-num-batched-tokens", str(changed.kv.batched_tokens))]
    cost = "prompts are read in smaller steps, so long ones take a little longer to begin"
    dropped = sorted(set(changed.limits) - set(run.limits))
    changes += [(f"engine.args.limit-mm-per-prompt.{name}", "0") for name in dropped]
    if dropped:
        cost += f"; no {' and no '.join(dropped)} items, of which one is larger than the batch"
    if changed.kv.batched_tokens < run.kv.batched_tokens:
        yield _Option(tuple(changes), cost, changed)


def _fewer_sequences(given: PlanInput, run: VllmRun) -> Iterator[_Option]:
    """The profiling run samples for all sequences at once; vLLM's own default is 256 of them."""
    count = _largest(
        min(_FEW_SEQUENCES, run.sequences),
        run.sequences - 1,
        lambda number: _fits(plan(given, replace(run, sequences=number))),
    )
    changed = replace(run, sequences=count or _FEW_SEQUENCES)
    if changed.sequences < run.sequences:
        cost = "further requests wait until one of these is done"
        changes = (("engine.args.max-num-seqs", str(changed.sequences)),)
        yield _Option(changes, cost, changed)


def _one_in_flight(_given: PlanInput, run: VllmRun) -> Iterator[_Option]:
    """Releases that reserve every batch in flight have two with asynchronous scheduling."""
    if kv_family(run.kv.release).in_flight and uses_async_scheduling(run.kv):
        changed = replace(run, kv=replace(run.kv, async_scheduling=False))
        cost = "the processor no longer prepares the next batch while one runs, which costs speed"
        yield _Option((("engine.args.async-scheduling", "false"),), cost, changed)


def _higher_utilisation(given: PlanInput, run: VllmRun) -> Iterator[_Option]:
    if run.cache_bytes is not None:
        return
    card = given.hardware.gpu_memory_mib * MIB
    most = (card - taken_beside(given.hardware)) * 100 // card
    first = int(run.utilisation * 100) + 1
    for hundredths in range(first, most + 1):
        changed = replace(run, utilisation=hundredths / 100)
        there = plan(given, changed)
        if _fits(there) or hundredths == most:
            left = mib(there.card - there.budget)
            cost = f"{left} MiB are left for driver, CUDA graphs and everything else on the card"
            value = f"{changed.utilisation:g}"
            yield _Option((("engine.args.gpu-memory-utilization", value),), cost, changed)
            return


def _narrow_type(_given: PlanInput, run: VllmRun) -> Iterator[_Option]:
    name = run.kv.kv_type if run.kv.kv_type != "auto" else run.kv.model_dtype
    if ELEMENT_BYTES.get(name, 0) > 1:
        changed = replace(run, kv=replace(run.kv, kv_type="fp8"))
        cost = "the cache is kept in 8 bits; no loss was measured on Gemma 4"
        yield _Option((("engine.args.kv-cache-dtype", "fp8"),), cost, changed)


def _windows_only(_given: PlanInput, run: LlamaRun) -> Iterator[_Option]:
    if run.cache.full_windows:
        changed = replace(run, cache=replace(run.cache, full_windows=False))
        cost = "prompts are read again where a conversation goes back further than the window"
        yield _Option((("engine.args.swa-full", "false"),), cost, changed)


def _smaller_ubatch(given: PlanInput, run: LlamaRun) -> Iterator[_Option]:
    facts = given.facts("mmproj")
    target = given.facts("main")
    vision = (facts.vision if facts is not None else None) or (
        target.vision if target is not None else None
    )
    image = (vision.image_tokens if vision is not None else None) or 0
    tokens = run.cache.ubatch // 2
    while tokens >= max(_LEAST_UBATCH, image):
        changed = replace(run, cache=replace(run.cache, ubatch=tokens))
        last = tokens // 2 < max(_LEAST_UBATCH, image)
        if _fits(plan(given, changed)) or last:
            cost = "prompts are read in smaller steps, so long ones take longer to begin"
            yield _Option((("engine.args.ubatch-size", str(tokens)),), cost, changed)
            return
        tokens //= 2


def _narrow_llama_type(given: PlanInput, run: LlamaRun) -> Iterator[_Option]:
    """Yield narrower types of the cache; one for keys and values, as charts have it."""
    costs = {
        "q8_0": "a cache in 8 bits, with no loss that is commonly noticed",
        "q4_0": "a cache in 4 bits, which long contexts may show",
    }
    own = max(_width(run.cache.type_k), _width(run.cache.type_v))
    for name, cost in costs.items():
        kind = given.types[name]
        if _width(kind) < own:
            cache = replace(run.cache, type_k=kind, type_v=kind, flash_attention=True)
            changed = replace(run, cache=cache)
            changes = (("engine.args.cache-type-k", name), ("engine.args.cache-type-v", name))
            yield _Option(changes, cost, changed)


def _width(kind: CacheType) -> float:
    return kind.size / kind.block


def _other_card(given: PlanInput, run: Run) -> Iterator[Suggestion]:
    """Yield the smallest card on which it fits."""
    cards = sorted(hardware_profiles().values(), key=lambda card: card.gpu_memory_mib)
    for card in cards:
        if card.gpu_memory_mib > given.hardware.gpu_memory_mib:
            there = plan(with_card(given, card), run)
            if _fits(there):
                yield Suggestion((("hardware", card.name),), f"another card: {card.title}", there)
                return


def _shorter(given: PlanInput, run: Run, now: Plan) -> Iterator[Suggestion]:
    if now.longest:
        there = plan(given, run.at(now.longest))
        if _fits(there):
            cost = "the longest context that fits with all other settings as they are"
            yield Suggestion((("engine.context", str(now.longest)),), cost, there)
