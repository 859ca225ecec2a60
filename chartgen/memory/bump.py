"""What another release of the engine would change for an app: to be read before an image bump."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from chartgen.memory.inputs import PlanInput
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import GIB
from chartgen.memory.plan import planned, with_release
from chartgen.memory.vllm_kv_family import kv_changes

# Traits of vLLM's cache that change how much of it a context takes, or how much there is.
_SIZES = frozenset(
    {
        "full_fallback",
        "gpu_memory_utilization",
        "graph_estimate",
        "group_slack",
        "hybrid_block",
        "hybrid_prefix_caching",
        "in_flight",
        "need",
        "null_block",
        "pad_states",
        "retained",
        "states",
        "unequal_pages",
        "value_dim_full",
        "value_dim_sliding",
    }
)
# Those of recurrent states, which most models do not have.
_OF_STATES = frozenset({"hybrid_block", "hybrid_prefix_caching", "pad_states", "states"})


def bump_notes(given: PlanInput, release: str, context: int | None = None) -> tuple[str, ...]:
    """Return what changes for an app from its own release to another: the figures, then why.

    Of everything that changed in between only that is named which came with a change of the
    figures of this very app.
    """
    before = planned(given, context)[0]
    after = planned(with_release(given, release), context)[0]
    notes = []
    if before.kv_needed is not None and after.kv_needed is not None:
        notes.append(
            f"{after.context:,} tokens need {after.kv_needed / GIB:.2f} GiB on {after.release}; "
            f"they needed {before.kv_needed / GIB:.2f} GiB on {before.release}."
        )
    if before.longest is not None and after.longest is not None:
        notes.append(
            f"The longest context that fits is {after.longest:,}; it was {before.longest:,}."
        )
    if after.engine == "vllm" and _figures(before) != _figures(after):
        notes += _reasons(given, before, after, context)
    return tuple(notes)


def _reasons(given: PlanInput, before: Plan, after: Plan, context: int | None) -> Iterator[str]:
    try:
        changes = kv_changes(before.release, after.release)
    except ValueError:
        return
    figures = _figures(before)
    for since, group in groupby(changes, key=lambda change: change.since):
        there = _figures(planned(with_release(given, since), context)[0])
        if there != figures:
            told = _SIZES - _without_part(given, before)
            yield from (f"{since}: {item.note}" for item in group if item.trait in told)
        figures = there


def _without_part(given: PlanInput, before: Plan) -> frozenset[str]:
    """Return the traits that have no part in a model: what it does not have did not change."""
    target = given.facts("main")
    states = target is not None and any(layer.state is not None for layer in target.layers)
    found = _OF_STATES if not states else frozenset()
    return found if before.refusal else found | {"unequal_pages"}


def _figures(plan: Plan) -> tuple[int | None, int | None, int | None]:
    return plan.kv_needed, plan.kv_available, plan.longest
