"""`chartgen bench`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.json_errors import error_words, told_in_json
from chartgen.cli.options import command
from chartgen.errors import ChartgenError, RemoteError

if TYPE_CHECKING:
    from chartgen.measure.address import Address
    from chartgen.measure.connection import Connection
    from chartgen.measure.endpoint import ServedModel
    from chartgen.measure.runs import BenchPlan, Series
    from chartgen.spec.load import LoadedSpec


# A file of evidence holds some 3,000 runs (chartgen.evidence.record.MAX_BYTES).
_MOST_REQUESTS = 2500


@command("bench")
@click.argument("spec", type=click.Path(), metavar="SPEC")
@click.argument("url")
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Runs that count."
)
@click.option(
    "--warm-up",
    type=click.IntRange(0, 100),
    default=1,
    show_default=True,
    help="Runs before them; the first of all is told apart as cold.",
)
@click.option(
    "--users",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Requests at the same time.",
)
@click.option("--prompt-tokens", type=click.IntRange(1), help="Fill prompts up to this length.")
@click.option("--fill", type=click.IntRange(1, 100), help="Fill this much of the context, in %.")
@click.option("--image", is_flag=True, help="Send a picture with each prompt.")
@click.option(
    "--max-tokens",
    type=click.IntRange(2, 1_000_000),
    default=2500,
    show_default=True,
    help="Longest answer.",
)
@click.option(
    "--temperature", type=click.FloatRange(0, 5), default=0.6, show_default=True, help="Sampling."
)
@click.option(
    "--top-p", type=click.FloatRange(0, 1), default=0.95, show_default=True, help="Sampling."
)
@click.option(
    "--stall",
    type=click.FloatRange(0.1, 3600),
    default=120.0,
    show_default=True,
    help="Longest silence of the endpoint, in seconds.",
)
@click.option("--model", metavar="NAME", help="Model name, where it is not the spec's.")
@click.option("--hardware", metavar="NAME", help="Machine it runs on; by default the spec's.")
@click.option("--svg", type=click.Path(path_type=Path), help="Write the plot to this file.")
@click.option("--no-save", is_flag=True, help="Write no evidence file.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be asked; ask nothing.")
@told_in_json
def bench(
    console: Console,
    spec: str,
    url: str,
    runs: int,
    warm_up: int,
    users: int,
    prompt_tokens: int | None,
    fill: int | None,
    image: bool,
    max_tokens: int,
    temperature: float,
    top_p: float,
    stall: float,
    model: str | None,
    hardware: str | None,
    svg: Path | None,
    no_save: bool,
    dry_run: bool,
) -> int:
    """Measure the speed of a running app.

    SPEC is the app's name or the path of its spec. Streams chat completions from the
    OpenAI-compatible endpoint at URL, and asks nothing else: a fixed prompt for a whole HTML game,
    counted by the server, timed here. Tells one speed from two, and keeps the runs as evidence
    beside the spec. An API key is taken from CHARTGEN_API_KEY. Exits with 4 if a run is broken.
    """
    from chartgen.cli.measured import machine_of, measured_spec
    from chartgen.measure.address import read_endpoint
    from chartgen.measure.runs import BenchPlan, fill_tokens

    loaded = measured_spec(console.settings.folder, spec)
    _check_api(loaded)
    machine = machine_of(loaded, console.settings.folder, hardware)
    if runs * users > _MOST_REQUESTS:
        raise click.UsageError(f"--runs times --users is more than {_MOST_REQUESTS:,} requests.")
    if runs == 1 and not warm_up:
        raise click.UsageError("--runs 1 without a --warm-up is a cold run, which never counts.")
    if fill is not None:
        if prompt_tokens is not None:
            raise click.UsageError("--fill and --prompt-tokens both set the length of prompts.")
        if loaded.spec.engine.context is None:
            raise click.UsageError("--fill needs engine.context in the spec; or --prompt-tokens.")
        prompt_tokens = fill_tokens(loaded.spec.engine.context, fill, max_tokens)
        if not prompt_tokens:
            raise click.UsageError(
                f"A context of {loaded.spec.engine.context:,} tokens leaves no room to fill beside "
                f"an answer of {max_tokens:,}; lower --max-tokens."
            )
    plan = BenchPlan(
        model=model or loaded.spec.engine.served_name or loaded.spec.name,
        runs=runs,
        warm_up=warm_up,
        users=users,
        prompt_tokens=prompt_tokens or 0,
        image=image,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        silence_seconds=stall,
    )
    asked = _Asked(loaded, read_endpoint(url), plan, machine)
    if dry_run:
        _show_plan(console, asked)
    else:
        _measure(console, asked, svg=svg, save=not no_save)
    return DONE


@dataclass(frozen=True, slots=True)
class _Asked:
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
class _Told:
    """What the endpoint says of itself."""

    engine: str
    model: ServedModel


def _measure(console: Console, asked: _Asked, *, svg: Path | None, save: bool) -> None:
    """Run a bench to its end, show it and keep it.

    Raises RemoteError for a broken run and KeyboardInterrupt for one that was stopped, after what
    had finished was shown.
    """
    from chartgen.cli.measured import api_key, content_digests, gain_note
    from chartgen.evidence.plot import runs_svg
    from chartgen.files import write_atomically
    from chartgen.measure.bench_report import run_names
    from chartgen.measure.connection import Connection
    from chartgen.measure.endpoint import check_served, engine_version
    from chartgen.measure.runs import Series, fitted, measure

    connection = Connection(asked.address, api_key())
    console.progress(f"asking {asked.address.url}")
    model = check_served(connection, asked.plan.model)
    told = _Told(engine_version(connection), model)
    # Before the runs: the market's settings may be edited while they take their time.
    content = content_digests(asked.loaded, console.settings.folder) if save else {}
    _warn_of_others(console, connection)
    asked = replace(asked, plan=fitted(connection, asked.plan))
    plan, series, done = asked.plan, Series(), 0
    try:
        for found in measure(connection, plan):
            series, done = series.with_round(found), done + 1
            console.progress(_progress(series, plan, done))
    except (KeyboardInterrupt, RemoteError) as stop:
        connection.hang_up()
        console.end_progress()
        if series.runs:
            _show(console, asked, told, series, kept=None, stop=stop)
        word = "stopped" if isinstance(stop, KeyboardInterrupt) else "broken off"
        shown = ", which are shown" if series.rounds else ""
        console.note(
            f"{word} after {len(series.rounds)} of {plan.runs} runs{shown}; "
            "nothing is kept as evidence"
        )
        raise
    console.end_progress()
    kept, failure = None, None
    try:
        kept = _keep(asked, told, series, content) if save else None
        if svg is not None:
            title, names = f"{asked.app} on {asked.machine}", run_names(series, plan.users)
            picture = runs_svg(series.runs, title, labels=names)
            write_atomically(svg, picture.encode())
    except ChartgenError as error:
        # What was measured is worth showing, also where it cannot be written down.
        failure = error
    _show(console, asked, told, series, kept=kept, failure=failure)
    if kept is not None:
        console.note(f"kept as {kept.as_posix()}")
        if not (asked.plan.standard and series.streaming):
            console.note(
                "note: it was not the standard bench (one user, four runs or more, default prompt, "
                "length and sampling, streamed), so texts, market and leaderboard take no number "
                "from it"
            )
        if gain := gain_note(console.settings.folder, asked.loaded, kept):
            console.note(f"note: {gain}")
    if failure is not None:
        raise failure


def _show(
    console: Console,
    asked: _Asked,
    told: _Told,
    series: Series,
    *,
    kept: Path | None,
    stop: RemoteError | KeyboardInterrupt | None = None,
    failure: ChartgenError | None = None,
) -> None:
    """Print the runs, the plot and the statistics to stdout, or JSON; notes to stderr.

    `stop` is what ended the runs early, `failure` why something could not be written.
    """
    from chartgen.cli.table import table
    from chartgen.evidence.plot import runs_text
    from chartgen.measure.bench_report import (
        HEAD,
        RIGHT,
        bench_json,
        bench_notes,
        run_names,
        run_rows,
        summary_text,
    )

    spec, plan, url = asked.loaded.spec, asked.plan, asked.address.url
    notes = bench_notes(
        series,
        plan,
        stated_context=spec.engine.context,
        told_context=told.model.context,
        engine=_told_title(spec.engine.kind),
        told_engine=told.engine,
    )
    if console.settings.json:
        document: dict[str, Any] = {
            **_document(asked),
            "engine": told.engine,
            **bench_json(series, plan),
            "finished": stop is None,
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


def _told_title(kind: str) -> str:
    """Return what an endpoint of an engine calls itself, empty where that is not known."""
    from chartgen.engines import engine_facts

    # SGLang and TabbyAPI are told by no page that engine_version asks for.
    return engine_facts(kind).title if kind in ("vllm", "llamacpp") else ""


def _keep(asked: _Asked, told: _Told, series: Series, content: dict[str, str]) -> Path:
    """Write the evidence file."""
    from chartgen.cli.measured import today
    from chartgen.evidence.record import Measurement
    from chartgen.evidence.store import keep
    from chartgen.evidence.workload import workload_digest

    spec, plan = asked.loaded.spec, asked.plan
    # A single user's runs have each their own.
    drafts = series.drafts if plan.users > 1 else None
    measurement = Measurement(
        kind="bench",
        app=spec.name,
        version=spec.version,
        workload=workload_digest(asked.loaded),
        content=content,
        image=spec.engine.image,
        engine=told.engine,
        hardware=asked.machine,
        date=today(),
        context=told.model.context or spec.engine.context,
        users=plan.users,
        settings=plan.settings(streaming=series.streaming),
        runs=series.runs,
        accepted_tokens=None if drafts is None else drafts.accepted,
        drafted_tokens=None if drafts is None else drafts.drafted,
    )
    return keep(asked.loaded.path.parent, measurement)


def _show_plan(console: Console, asked: _Asked) -> None:
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


def _document(asked: _Asked) -> dict[str, Any]:
    """Return what each JSON document begins with."""
    return {
        "app": asked.loaded.spec.name,
        "version": asked.loaded.spec.version,
        "url": asked.address.url,
        "hardware": asked.machine,
    }


def _check_api(loaded: LoadedSpec) -> None:
    from chartgen.engines import engine_facts
    from chartgen.errors import RefusedError

    kind = loaded.spec.engine.kind
    if not engine_facts(kind).openai_api:
        raise RefusedError(
            f"{loaded.file}: an app of engine kind {kind!r} has no chat completions, whose tokens "
            "a bench counts; `chartgen smoke` checks what it does"
        )


def _warn_of_others(console: Console, connection: Connection) -> None:
    """Say so where somebody else uses the endpoint."""
    from chartgen.measure.endpoint import read_counters

    running = read_counters(connection).running
    if running:
        console.note(f"note: the endpoint works on {running} other requests, which slows these")


def _progress(series: Series, plan: BenchPlan, done: int) -> str:
    from chartgen.measure.bench_report import run_text

    if done < plan.warm_up:
        return f"warm-up {done} of {plan.warm_up} done"
    if not series.rounds:
        return f"warm-up done; run 1 of {plan.runs}"
    last = series.rounds[-1].runs[-1]
    return f"run {len(series.rounds)} of {plan.runs}: {run_text(last)}"
