"""Planning: from a spec, the facts of its models, an engine release and a card to a plan.

    given = plan_input(spec, shelf, hardware)
    plan(given)                               the plan of the spec as it stands
    plan(with_release(given, "0.33.0"))       the same on another release: an image bump
    plan(with_card(given, hardware))          the same on another card

The engines differ only below `plan`; grids and suggestions vary the settings of one engine.
"""

from __future__ import annotations

from dataclasses import replace

from chartgen.engines import engine_facts
from chartgen.engines.release import spec_release
from chartgen.engines.table import table_releases
from chartgen.hardware import Hardware
from chartgen.memory.boot_log import measured_from_field
from chartgen.memory.inputs import PLANNED, Measured, PlanInput, weights_with_facts
from chartgen.memory.llamacpp_kv import CacheType, cache_types
from chartgen.memory.llamacpp_plan import llama_plan
from chartgen.memory.llamacpp_plan import run_of as llama_run_of
from chartgen.memory.llamacpp_settings import LlamaRun
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import MIB
from chartgen.memory.vllm_plan import run_of as vllm_run_of
from chartgen.memory.vllm_plan import vllm_plan
from chartgen.memory.vllm_settings import VllmRun
from chartgen.models.store import Shelf
from chartgen.spec.app import AppSpec

Run = VllmRun | LlamaRun


def plan_input(
    spec: AppSpec, shelf: Shelf, hardware: Hardware, measured: Measured | None = None
) -> PlanInput:
    """Return what the plan of a spec is made from, with the release that its image holds.

    `measured` is what a log of that release said, for the spec's own settings and card; without
    it what the spec itself states as measured (`gpu.kv_available`).
    """
    measured = measured or measured_of(spec)
    found = spec_release(spec)
    number = found.number or found.table
    own = found.fork.kv_types if found.fork is not None else {}
    types = {name: CacheType(name, layout.elements, layout.bytes) for name, layout in own.items()}
    return PlanInput(
        spec=spec,
        weights=weights_with_facts(spec, shelf),
        hardware=hardware,
        release=number,
        release_exact=found.exact,
        release_told_by=found.told_by,
        measured=replace(measured, release=measured.release or number) if measured else None,
        types={**cache_types(), **types},
    )


def measured_of(spec: AppSpec) -> Measured | None:
    """Return the memory for the KV cache that a spec states as measured, None where it does not."""
    stated = spec.gpu.kv_available if spec.gpu is not None else None
    return measured_from_field(stated) if stated is not None else None


def with_release(given: PlanInput, release: str) -> PlanInput:
    """Return the same on another release; cache types of a fork stay."""
    found = spec_release(given.spec, release)
    return replace(
        given,
        release=found.number or found.table,
        release_exact=found.exact,
        release_told_by="",
    )


def plans(spec: AppSpec) -> bool:
    """Tell whether chartgen knows how the spec's engine uses GPU memory."""
    return spec.engine.kind in PLANNED


def plan(given: PlanInput, run: Run | None = None, *, search: bool = True) -> Plan:
    """Return the plan of a spec; `run` replaces the settings that its arguments ask for.

    Without `search` the longest context that fits is not looked for, which takes most of the time.

    An engine that chartgen does not plan, or a release that it does not know, gives a plan with the
    verdict "unknown" that names what is missing.
    """
    kind = given.spec.engine.kind
    try:
        if kind == "vllm" and (run is None or isinstance(run, VllmRun)):
            return vllm_plan(given, run, search=search)
        if kind == "llamacpp" and (run is None or isinstance(run, LlamaRun)):
            return llama_plan(given, run, search=search)
    except ValueError:
        # Only for a release older than all that are known.
        oldest = table_releases(kind)[0] if table_releases(kind) else "those known"
        asked = given.release or "an unknown release"
        missing = (
            f"how {engine_facts(kind).title} {asked}, which is older than {oldest}, uses memory"
        )
        return _unknown(given, (missing,))
    return _unknown(given, (f"how the engine {kind} uses GPU memory",))


def run_of(given: PlanInput) -> Run:
    """Return the settings that a spec's arguments ask for, to vary them.

    Raises ValueError for an engine that is not planned, or a release that is not known.
    """
    if given.spec.engine.kind == "vllm":
        return vllm_run_of(given)
    if given.spec.engine.kind == "llamacpp":
        return llama_run_of(given)
    raise ValueError(f"{given.spec.engine.kind} is not planned")


def planned(given: PlanInput, context: int | None = None) -> tuple[Plan, Run | None]:
    """Return a plan, with another context where one is asked for, and the settings behind it."""
    try:
        run: Run | None = run_of(given)
    except ValueError:
        return plan(given), None
    if run is not None and context is not None:
        run = run.at(context)
    return plan(given, run), run


def with_card(given: PlanInput, hardware: Hardware) -> PlanInput:
    """Return the same on another card; what was measured on the first no longer holds there."""
    return replace(given, hardware=hardware, measured=None)


def capped(given: PlanInput) -> PlanInput | None:
    """Return the same with a card of the size that the spec asks for, None where it asks for none.

    Olares 1.12.6 and later make the request a hard cap, and the library that enforces it
    (HAMi-core, cuMemGetInfo_v2) tells the engine that the cap is all there is.
    """
    wanted = given.spec.gpu_memory
    if wanted is None or given.hardware.unified:
        return None
    size = min(given.hardware.gpu_memory_mib, int(wanted.request // MIB))
    return replace(given, hardware=replace(given.hardware, gpu_memory_mib=size))


def _unknown(given: PlanInput, missing: tuple[str, ...]) -> Plan:
    card = given.hardware.gpu_memory_mib * MIB
    return Plan(
        app=given.spec.name,
        engine=given.spec.engine.kind,
        release=given.release,
        release_exact=given.release_exact,
        release_told_by=given.release_told_by,
        hardware=given.hardware,
        card=card,
        budget=card,
        budget_by="the card",
        outside=(),
        parts=(),
        context=None,
        native_context=None,
        kv_needed=None,
        kv_available=None,
        available_certainty="allowance",
        longest=None,
        requests=None,
        verdict="unknown",
        missing=missing,
    )
