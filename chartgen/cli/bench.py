"""`chartgen bench`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE
from chartgen.cli.json_errors import told_in_json
from chartgen.cli.options import FiniteRange, command
from chartgen.errors import ChartgenError, RemoteError

if TYPE_CHECKING:
    from chartgen.cli.bench_output import Asked, Told
    from chartgen.measure.connection import Connection
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
    "--temperature", type=FiniteRange(0, 5), default=0.6, show_default=True, help="Sampling."
)
@click.option("--top-p", type=FiniteRange(0, 1), default=0.95, show_default=True, help="Sampling.")
@click.option(
    "--stall",
    type=FiniteRange(0.1, 3600),
    help="Longest silence of the endpoint, in seconds.  [default: 120, more for long prompts "
    "and several users]",
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
    stall: float | None,
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
    from chartgen.cli.bench_output import Asked, show_plan
    from chartgen.cli.measured import machine_of, measured_spec
    from chartgen.measure.address import read_endpoint
    from chartgen.measure.runs import BenchPlan, fill_tokens, usual_silence
    from chartgen.measure.smoke_claims import served_name

    loaded = measured_spec(console.settings.folder, spec)
    _check_api(loaded)
    machine = machine_of(loaded, console.settings.folder, hardware)
    if svg is not None:
        _check_picture(svg)
    if runs * users > _MOST_REQUESTS:
        raise click.UsageError(f"--runs times --users is more than {_MOST_REQUESTS:,} requests.")
    if runs == 1 and not warm_up:
        raise click.UsageError("--runs 1 without a --warm-up is a cold run, which never counts.")
    if fill is not None:
        if prompt_tokens is not None:
            raise click.UsageError("--fill and --prompt-tokens both set the length of prompts.")
        if loaded.spec.engine.context is None:
            raise click.UsageError("--fill needs engine.context in the spec; or --prompt-tokens.")
        context = loaded.spec.engine.context
        prompt_tokens = fill_tokens(context, fill, max_tokens)
        if prompt_tokens and prompt_tokens < context * fill // 100:
            console.note(
                f"note: beside an answer of {max_tokens:,} tokens there is room for a prompt of "
                f"{prompt_tokens:,}, which is {prompt_tokens * 100 // context} % of the context"
            )
        if not prompt_tokens:
            raise click.UsageError(
                f"A context of {context:,} tokens leaves no room to fill beside "
                f"an answer of {max_tokens:,}; lower --max-tokens."
            )
    plan = BenchPlan(
        model=model or served_name(loaded.spec) or loaded.spec.name,
        runs=runs,
        warm_up=warm_up,
        users=users,
        prompt_tokens=prompt_tokens or 0,
        image=image,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        silence_seconds=stall or usual_silence(prompt_tokens or 0, users, max_tokens),
    )
    asked = Asked(loaded, read_endpoint(url), plan, machine)
    if dry_run:
        show_plan(console, asked)
    else:
        _measure(console, asked, svg=svg, save=not no_save)
    return DONE


def _measure(console: Console, asked: Asked, *, svg: Path | None, save: bool) -> None:
    """Run a bench to its end, show it and keep it.

    Raises RemoteError for a broken run, after what had finished was shown, and KeyboardInterrupt
    for a bench that was stopped, after its finished runs were kept, too.
    """
    from chartgen.cli.bench_output import Told, progress_text, show_series, told_title
    from chartgen.cli.measured import api_key, content_digests, gain_note
    from chartgen.evidence.beside import other_context
    from chartgen.evidence.plot import runs_svg
    from chartgen.files import write_atomically
    from chartgen.measure.bench_evidence import why_not_compared
    from chartgen.measure.bench_report import run_names
    from chartgen.measure.connection import Connection
    from chartgen.measure.endpoint import check_served, engine_version
    from chartgen.measure.runs import Series, fitted, measure
    from chartgen.measure.smoke_claims import served_names

    connection = Connection(asked.address, api_key())
    console.progress(f"asking {asked.address.url}")
    model = check_served(connection, asked.plan.model)
    told = Told(engine_version(connection), model)
    # Before the runs: the market's settings may be edited while they take their time.
    content = content_digests(asked.loaded, console.settings.folder) if save else {}
    _warn_of_others(console, connection)
    asked = replace(asked, plan=fitted(connection, asked.plan))
    plan, series, done = asked.plan, Series(), 0
    stop: KeyboardInterrupt | None = None
    try:
        for found in measure(connection, plan):
            series, done = series.with_round(found), done + 1
            console.progress(progress_text(series, plan, done))
    except RemoteError as fault:
        connection.hang_up()
        console.end_progress()
        if series.runs:
            show_series(console, asked, told, series, kept=None, stop=fault)
        console.note(f"broken off {_after(series, plan)}; nothing is kept as evidence")
        raise
    except KeyboardInterrupt as interrupt:
        connection.hang_up()
        stop = interrupt
    console.end_progress()
    unfit = why_not_compared(
        plan,
        series,
        names=served_names(asked.loaded.spec),
        stopped=stop is not None,
        told_engine=told.engine,
        title=told_title(asked.loaded.spec.engine.kind),
    ) or other_context(asked.loaded, model.context)
    # What was measured is worth showing and drawing, also where it cannot be written down.
    kept, failure = None, None
    if save and series.rounds:
        try:
            kept = _keep(asked, told, series, content, unfit)
        except ChartgenError as error:
            failure = error
    if svg is not None and series.runs:
        title, names = f"{asked.app} on {asked.machine}", run_names(series, plan.users)
        try:
            write_atomically(svg, runs_svg(series.runs, title, labels=names).encode())
        except ChartgenError as error:
            failure = failure or error
    if series.runs:
        show_series(
            console, asked, told, series, kept=kept, stop=stop, failure=failure, unfit=unfit
        )
    if stop is not None:
        console.note(f"stopped {_after(series, plan)}")
    if kept is not None:
        console.note(f"kept as {kept.as_posix()}")
        if unfit:
            console.note(f"note: texts, market and leaderboard take no number from it: {unfit}")
        elif gain := gain_note(console.settings.folder, asked.loaded, kept):
            console.note(f"note: {gain}")
    if failure is not None:
        raise failure
    if stop is not None:
        raise stop


def _after(series: Series, plan: BenchPlan) -> str:
    shown = ", which are shown" if series.rounds else ""
    return f"after {len(series.rounds)} of {plan.runs} runs{shown}"


def _keep(asked: Asked, told: Told, series: Series, content: dict[str, str], unfit: str) -> Path:
    """Write the evidence file; `unfit` says why it stands for no release."""
    from chartgen.cli.measured import today
    from chartgen.evidence.store import keep
    from chartgen.measure.bench_evidence import bench_measurement

    measurement = bench_measurement(
        asked.loaded,
        asked.plan,
        series,
        engine=told.engine,
        context=told.model.context,
        hardware=asked.machine,
        date=today(),
        content=content,
        unfit=unfit,
    )
    return keep(asked.loaded.path.parent, measurement)


def _check_api(loaded: LoadedSpec) -> None:
    from chartgen.engines import engine_facts
    from chartgen.errors import RefusedError

    kind = loaded.spec.engine.kind
    if not engine_facts(kind).openai_api:
        raise RefusedError(
            f"{loaded.file}: an app of engine kind {kind!r} has no chat completions, whose tokens "
            "a bench counts; `chartgen smoke` checks what it does"
        )


def _check_picture(svg: Path) -> None:
    """Refuse what cannot become a picture now, and not after all runs."""
    if svg.suffix != ".svg":
        raise click.UsageError(f"--svg writes an SVG picture; {svg.name!r} does not end in .svg.")
    if svg.is_dir() or not svg.absolute().parent.is_dir():
        raise click.UsageError(f"--svg: {svg.as_posix()!r} is a folder, or its folder is missing.")


def _warn_of_others(console: Console, connection: Connection) -> None:
    """Say so where somebody else uses the endpoint."""
    from chartgen.measure.endpoint import read_counters

    running = read_counters(connection).running
    if running:
        others = "another request" if running == 1 else f"{running} other requests"
        console.note(f"note: the endpoint works on {others}, which slows these")
