"""What a bench found: rows, sentences and JSON, made from the finished rounds alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from chartgen.evidence.figures import rate_text, share_text
from chartgen.evidence.record import Run
from chartgen.evidence.statistics import LEAST_RUNS, Summary, TwoSpeeds, summarise
from chartgen.measure.bench_evidence import is_other_engine
from chartgen.measure.chat import SHORT_TOKENS
from chartgen.measure.runs import BenchPlan, Series

HEAD = ("RUN", "TOKENS", "FIRST s", "DECODE tokens/s", "END-TO-END tokens/s", "ACCEPTED")
RIGHT = (1, 2, 3, 4, 5)
# No prompt takes that share of the time of an answer of some length; a proxy that buffers does.
_HELD_BACK = 0.95
# Share of the shortest answer of a round that lies between the first words of its first request and
# those of its last one, where these stood in a queue.
_QUEUED = 0.8
# A prompt that misses the length asked for by more than this is told.
_LENGTH_SLACK = 0.1


def run_rows(series: Series, users: int) -> list[tuple[str, ...]]:
    """Return a row for each run, the cold ones first."""
    names = run_names(series, users)
    return [(name, *_cells(run)) for name, run in zip(names, series.runs, strict=True)]


def run_text(run: Run) -> str:
    """Return one run in a few words."""
    return f"{run.completion_tokens} tokens, {rate_text(run.tokens_per_second)} tokens/s"


def summary_text(series: Series, plan: BenchPlan) -> str:
    """Return the statistics as text: what the series says, and whether it has one speed or two."""
    summary = summarise(series.runs)
    if summary is None:
        return "No run has finished but a cold one, which tells nothing of the speed.\n"
    queued = plan.users > 1 and _waited(series)
    rows = [("verdict", _verdict(summary, queued=queued))]
    if summary.speeds is None:
        label = "mean" if summary.count > 1 else "speed"
        rows.append((label, f"{rate_text(summary.mean)} tokens/s end to end{_each(plan)}"))
    else:
        rows += _speed_rows(summary.speeds)
    if summary.count > 1:
        rows.append(("median", rate_text(summary.median)))
        edges = f"from {rate_text(summary.least)} to {rate_text(summary.most)}"
        deviation = f"standard deviation {summary.deviation:.2f}"
        rows.append(("range", f"{rate_text(summary.range)}, {edges}; {deviation}"))
    if summary.cold is not None:
        rows.append(("cold", f"{rate_text(summary.cold.tokens_per_second)}, not counted above"))
    if plan.users > 1 and series.total is not None:
        rows.append(("together", f"{rate_text(series.total)} tokens/s for {plan.users} users"))
    drafts = series.drafts
    if drafts is not None and drafts.acceptance is not None:
        share = share_text(drafts.acceptance)
        rows.append(("drafts", f"{drafts.accepted:,} of {drafts.drafted:,} accepted, {share}"))
    return "".join(f"{label:<9}{text}\n" for label, text in rows)


def bench_notes(
    series: Series,
    plan: BenchPlan,
    *,
    stated_context: int | None = None,
    told_context: int | None = None,
    engine: str = "",
    told_engine: str = "",
) -> tuple[str, ...]:
    """Return what should be known before the numbers are believed.

    `engine` is the title of the spec's engine where an endpoint would tell another one, and
    `told_engine` what the endpoint says, with a version.
    """
    notes: list[str] = []
    warm = [run for run in series.runs if not run.cold]
    if is_other_engine(told_engine, engine):
        notes.append(
            f"the endpoint says that it is {told_engine}, and the spec's engine is {engine}: check "
            "that it runs this release"
        )
    if series.rounds and not series.streaming:
        notes.append(
            "the endpoint does not stream, or counts no tokens in streams (no `usage`): measured "
            "without streaming, so there is no time to the first token, and the rates include it"
        )
    if stated_context and told_context and stated_context != told_context:
        notes.append(
            f"the endpoint's context is {told_context:,} tokens, the spec's {stated_context:,}: "
            "check that it runs this release"
        )
    short = [run.completion_tokens or 0 for run in warm]
    if short and min(short) < min(SHORT_TOKENS, plan.max_tokens):
        notes.append(
            f"an answer had {min(short):,} tokens only, of {plan.max_tokens:,} allowed; rates of "
            "short answers vary more"
        )
    # A long prompt may take nearly all of the time by itself.
    if series.streaming and any(
        run.first_token_seconds is None or (not plan.prompt_tokens and _came_late(run))
        for run in warm
    ):
        notes.append(
            "answers came all at once at their end: something between here and the engine holds "
            "streams back, so nothing tells when the first word came, and how fast the others did"
        )
    given = next((run.prompt_tokens for run in warm if run.prompt_tokens), None)
    wanted = plan.prompt_tokens
    if given and wanted and abs(given - wanted) > _LENGTH_SLACK * wanted:
        why = "" if plan.fill_words else ", as many as the question alone has"
        notes.append(f"the prompts had {given:,} tokens where {wanted:,} were asked for{why}")
    if plan.users > 1 and _waited(series):
        notes.append(
            f"some requests waited for others to end: the engine works on fewer than {plan.users} "
            "at a time, which is no fault of its speed"
        )
    return tuple(notes)


def _came_late(run: Run) -> bool:
    """Tell whether nearly all of a run's time went by before its first token."""
    tokens, first = run.completion_tokens or 0, run.first_token_seconds
    if first is None or tokens < SHORT_TOKENS:
        return False
    return first > _HELD_BACK * tokens / run.tokens_per_second


def _waited(series: Series) -> bool:
    """Tell whether requests stood in a queue: one began when another of its round was nearly done.

    A queue lets whole answers pass; requests that run side by side begin within a part of one.
    """
    return any(_stood_in_queue(found.runs) for found in series.rounds)


def _stood_in_queue(runs: Sequence[Run]) -> bool:
    firsts = [run.first_token_seconds for run in runs if run.first_token_seconds is not None]
    answers = [
        run.completion_tokens / run.tokens_per_second - run.first_token_seconds
        for run in runs
        if run.completion_tokens and run.first_token_seconds is not None
    ]
    return bool(answers) and max(firsts) - min(firsts) > _QUEUED * min(answers)


def bench_json(series: Series, plan: BenchPlan) -> dict[str, Any]:
    """Return runs and statistics as plain data, rates in tokens per second."""
    summary = summarise(series.runs)
    drafts = series.drafts
    return {
        "users": plan.users,
        "settings": {**plan.settings(), "stream": series.streaming},
        "runs": [asdict(run) for run in series.runs],
        "summary": None if summary is None else _summary_json(summary),
        "headline": None if summary is None or summary.speeds is not None else summary.mean,
        "together_tokens_per_second": series.total,
        "drafted_tokens": None if drafts is None else drafts.drafted,
        "accepted_tokens": None if drafts is None else drafts.accepted,
        "acceptance": None if drafts is None else drafts.acceptance,
    }


def _summary_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as data; null stands for what so few runs cannot tell."""
    speeds = summary.speeds
    return {
        "count": summary.count,
        "mean": summary.mean,
        "median": summary.median,
        "least": summary.least,
        "most": summary.most,
        "range": summary.range if summary.count > 1 else None,
        "deviation": summary.deviation if summary.count > 1 else None,
        "steady": summary.steady if summary.count >= LEAST_RUNS else None,
        "two_speeds": None
        if speeds is None
        else {
            "fast": list(speeds.fast),
            "fast_mean": speeds.fast_mean,
            "fast_share": speeds.fast_share,
            "slow": list(speeds.slow),
            "slow_mean": speeds.slow_mean,
            "sequence": speeds.sequence,
        },
    }


def _verdict(summary: Summary, *, queued: bool) -> str:
    if queued:
        return "requests stood in a queue, so each rate holds its wait, too"
    if summary.speeds is not None:
        return "two speeds: no single number stands for these runs"
    if summary.count == 1:
        return f"one run, which tells no spread: {LEAST_RUNS} tell one speed from two"
    if summary.count < LEAST_RUNS:
        return f"too few runs to tell one speed from two: {LEAST_RUNS} are needed"
    if summary.steady:
        return "one steady speed"
    per_cent = 100 * summary.deviation / summary.mean
    return f"one speed, unsteady: the deviation is {per_cent:.0f} % of the mean"


def _speed_rows(speeds: TwoSpeeds) -> list[tuple[str, str]]:
    count = len(speeds.sequence)
    order = f"{speeds.sequence}, {speeds.stretches} stretches" if count <= 40 else ""
    rows = [
        (
            label,
            f"{len(group)} of {count} runs ({100 * len(group) / count:.0f} %), {_spread(group)}",
        )
        for label, group in (("fast", speeds.fast), ("slow", speeds.slow))
    ]
    return [*rows, ("order", order)] if order else rows


def _spread(group: Sequence[float]) -> str:
    mean = rate_text(sum(group) / len(group))
    return f"mean {mean} tokens/s, {rate_text(min(group))} to {rate_text(max(group))}"


def _each(plan: BenchPlan) -> str:
    return f" for each of {plan.users} users" if plan.users > 1 else ""


def run_names(series: Series, users: int) -> list[str]:
    """Return the name of each run: its round, with several users also the user's number."""
    rounds = [("cold", series.cold)] if series.cold else []
    rounds += [(str(at), found.runs) for at, found in enumerate(series.rounds, 1)]
    return [
        f"{name}{f'.{user}' if users > 1 else ''}{' cold' if run.cold and name != 'cold' else ''}"
        for name, runs in rounds
        for user, run in enumerate(runs, 1)
    ]


def _cells(run: Run) -> tuple[str, ...]:
    accepted = ""
    if run.drafted_tokens and run.accepted_tokens is not None:
        accepted = share_text(run.accepted_tokens / run.drafted_tokens)
    decode = run.decode_tokens_per_second
    return (
        f"{run.completion_tokens:,}" if run.completion_tokens is not None else "?",
        f"{run.first_token_seconds:.3f}" if run.first_token_seconds is not None else "",
        rate_text(decode) if decode is not None else "",
        rate_text(run.tokens_per_second),
        accepted,
    )
