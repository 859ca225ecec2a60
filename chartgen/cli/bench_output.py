"""What `chartgen bench` prints: the runs, what they say, and what would be asked."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartgen.cli.json_errors import error_words
from chartgen.cli.table import table
from chartgen.engines import engine_facts
from chartgen.evidence.beside import other_context
from chartgen.evidence.plot import runs_text
from chartgen.measure.bench_report import (
    HEAD,
    RIGHT,
    bench_json,
    bench_notes,
    run_names,
    run_rows,
    run_text,
    summary_text,
)

if TYPE_CHECKING:
    from chartgen.cli.console import Console
    from chartgen.errors import ChartgenError, RemoteError
    from chartgen.measure.address import Address
    from chartgen.measure.endpoint import ServedModel
    from chartgen.measure.runs import BenchPlan, Series
    from chartgen.spec.load import LoadedSpec


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured, where, and how."""

    loaded: LoadedSpec
    address: Address
    plan: BenchPlan
    machine: str

    @property
    def app(self) -> str:
        """Return name and version of the app."""
        return f"{self.loaded.spec.name} {self.loaded.spec.version}"


@dataclass(frozen=True, slots=True)
class Told:
    """What the endpoint says of itself."""

    engine: str
    model: ServedModel


def show_series(
    console: Console,
    asked: Asked,
    told: Told,
    series: Series,
    *,
    kept: Path | None,
    stop: RemoteError | KeyboardInterrupt | None = None,
    failure: ChartgenError | None = None,
    unfit: str = "",
) -> None:
    """Print the runs, the plot and the statistics to stdout, or JSON; notes to stderr.

    `stop` is what ended the runs early, `failure` why something could not be written, `unfit` why
    they stand for no release.
    """
    spec, plan, url = asked.loaded.spec, asked.plan, asked.address.url
    # A slot of llama.cpp tells its share of the context.
    context = told.model.context
    notes = bench_notes(
        series,
        plan,
        stated_context=spec.engine.context if other_context(asked.loaded, context) else None,
        told_context=context,
        engine=told_title(spec.engine.kind),
        told_engine=told.engine,
    )
    if console.settings.json:
        document: dict[str, Any] = {
            **_document(asked),
            "engine": told.engine,
            **bench_json(series, plan),
            "finished": stop is None,
            "standard": not unfit and stop is None,
            "notes": list(notes),
            "evidence": None if kept is None else kept.as_posix(),
        }
        if error := stop or failure:
            document["error"] = error_words(error)
        console.data(json.dumps(document, indent=2) + "\n")
    else:
        width = min(console.width, 100)
        fancy = (sys.stdout.encoding or "").lower().startswith("utf")
        engine = f", {told.engine}" if told.engine else ""
        console.data(f"{asked.app} at {url}{engine}\n\n")
        rows = run_rows(series, plan.users)
        console.data(table(HEAD, rows, width=width, right=RIGHT) + "\n")
        names = run_names(series, plan.users)
        console.data(runs_text(series.runs, width=width, unicode=fancy, labels=names) + "\n")
        console.data(summary_text(series, plan))
    for note in notes:
        console.note(f"note: {note}")


def told_title(kind: str) -> str:
    """Return what an endpoint of an engine calls itself, empty where that is not known."""
    # SGLang and TabbyAPI are told by no page that engine_version asks for.
    return engine_facts(kind).title if kind in ("vllm", "llamacpp") else ""


def show_plan(console: Console, asked: Asked) -> None:
    """Print what a bench would ask."""
    plan = asked.plan
    requests = (plan.warm_up + plan.runs) * plan.users
    if console.settings.json:
        document = {
            **_document(asked),
            "users": plan.users,
            "requests": requests,
            "settings": plan.settings(),
            "dry_run": True,
        }
        console.data(json.dumps(document, indent=2) + "\n")
        return
    order = f"{plan.users} at a time, the first {plan.warm_up * plan.users} to warm up"
    rows = [
        ("endpoint", asked.address.url),
        ("model", plan.model),
        ("machine", asked.machine),
        ("requests", f"{requests}, {order}"),
        ("answers", f"at most {plan.max_tokens:,} tokens each"),
        ("sampling", f"temperature {plan.temperature:g}, top-p {plan.top_p:g}"),
    ]
    if plan.prompt_tokens:
        rows.append(("prompts", f"filled up to about {plan.prompt_tokens:,} tokens"))
    console.data("".join(f"{label:<10}{text}\n" for label, text in rows))
    console.note("nothing was asked")


def _document(asked: Asked) -> dict[str, Any]:
    """Return what each JSON document begins with."""
    return {
        "app": asked.loaded.spec.name,
        "version": asked.loaded.spec.version,
        "url": asked.address.url,
        "hardware": asked.machine,
    }


def progress_text(series: Series, plan: BenchPlan, done: int) -> str:
    """Return how far a bench has come after so many rounds."""
    if done < plan.warm_up:
        return f"warm-up {done} of {plan.warm_up} done"
    if not series.rounds:
        return f"warm-up done; run 1 of {plan.runs}"
    last = series.rounds[-1].runs[-1]
    return f"run {len(series.rounds)} of {plan.runs}: {run_text(last)}"
