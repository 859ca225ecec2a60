"""A bench as evidence: what is kept of it, and whether it may stand for its release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chartgen.evidence.record import Measurement
from chartgen.evidence.statistics import LEAST_RUNS
from chartgen.evidence.workload import workload_digest
from chartgen.measure.chat import SHORT_TOKENS

if TYPE_CHECKING:
    from chartgen.measure.runs import BenchPlan, Series
    from chartgen.spec.load import LoadedSpec


def why_not_compared(
    plan: BenchPlan,
    series: Series,
    *,
    names: tuple[str, ...],
    stopped: bool = False,
    told_engine: str = "",
    title: str = "",
) -> str:
    """Return why no text, market or leaderboard may take a number from a bench; empty if they may.

    `names` are those that the spec's model is served under, `title` is that of the spec's engine,
    empty where no endpoint tells it, and `told_engine` what the endpoint says that it is.
    """
    counted = [run for found in series.rounds for run in found.runs if not run.cold]
    lengths = [run.completion_tokens for run in counted if run.completion_tokens is not None]
    if stopped:
        return "it was stopped before its end"
    if plan.model not in names:
        return f"it asked for the model {plan.model}, which is not that of the spec"
    if unusual := plan.unusual:
        return f"the standard bench has another {' and '.join(unusual)}"
    if len(counted) < LEAST_RUNS:
        return f"fewer than {LEAST_RUNS} runs count"
    if not series.streaming:
        return "it was not streamed"
    if lengths and min(lengths) < SHORT_TOKENS:
        return f"an answer had {min(lengths):,} tokens only"
    if is_other_engine(told_engine, title):
        return f"the endpoint says that it is {told_engine}"
    return ""


def is_other_engine(told: str, title: str) -> bool:
    """Tell whether an endpoint (`told`, with a version) is another engine than that of a spec."""
    return bool(title and told) and not told.startswith(f"{title} ")


def bench_measurement(
    loaded: LoadedSpec,
    plan: BenchPlan,
    series: Series,
    *,
    engine: str,
    context: int | None,
    hardware: str,
    date: str,
    content: Mapping[str, str],
    unfit: str,
) -> Measurement:
    """Return the record of a bench of what a spec runs.

    `engine` and `context` (tokens) are what the endpoint tells, `hardware` is a profile, `date`
    is YYYY-MM-DD, `content` are the content digests of the charts by platform, and `unfit` says
    why it stands for no release.
    """
    spec = loaded.spec
    # A single user's runs have each their own.
    drafts = series.drafts if plan.users > 1 else None
    return Measurement(
        kind="bench",
        app=spec.name,
        version=spec.version,
        workload=workload_digest(loaded),
        content=content,
        image=spec.engine.image,
        engine=engine,
        hardware=hardware,
        date=date,
        context=context or spec.engine.context,
        users=plan.users,
        settings={
            **plan.settings(),
            "stream": series.streaming,
            "standard": not unfit,
            **({"not_standard": unfit} if unfit else {}),
        },
        runs=series.runs,
        accepted_tokens=None if drafts is None else drafts.accepted,
        drafted_tokens=None if drafts is None else drafts.drafted,
    )
