"""`chartgen plan`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED, UNREADABLE
from chartgen.cli.options import command

# A log of vLLM with many workers has some megabytes.
LOG_BYTES = 64 << 20


@command("plan")
@click.argument("spec", metavar="SPEC")
@click.option("--context", type=click.IntRange(min=1), help="Context length in tokens.")
@click.option("--hardware", metavar="NAME", help="Another hardware profile.")
@click.option("--release", metavar="X", help="Another release of the engine: an image bump.")
@click.option("--log", type=click.Path(path_type=Path), help="Log of a start of vLLM.")
@click.option("--suggest", "wanted", is_flag=True, help="Say what would make the context fit.")
@click.option("--sources", is_flag=True, help="Say where each number is from.")
@click.option("--svg", type=click.Path(path_type=Path), help="Write the bar to this file.")
def plan(
    console: Console,
    spec: str,
    context: int | None,
    hardware: str | None,
    release: str | None,
    log: Path | None,
    wanted: bool,
    sources: bool,
    svg: Path | None,
) -> int:
    """Plan the GPU memory of an app.

    Shows what SPEC, the path of a spec or the name of an app, takes of the card: weights, draft
    model, KV cache, allowances; then what the next steps would do. The KV cache follows the
    engine's own arithmetic; what cannot be known before a run is an allowance, unless --log gives a
    log of the engine with the spec's own settings. Exits with 1 if it does not fit, or if the facts
    of its models are unsound.
    """
    from chartgen.cli.findings import report_text
    from chartgen.cli.spec_words import spec_paths
    from chartgen.cli.table import table
    from chartgen.engines.release import spec_release
    from chartgen.files import read_limited, write_atomically
    from chartgen.findings import has_errors
    from chartgen.hardware import hardware_profiles
    from chartgen.market.settings import load_market, own_machine
    from chartgen.memory import plan as planning
    from chartgen.memory.boot_log import measured_from_log
    from chartgen.memory.bump import bump_notes
    from chartgen.memory.grid import grid
    from chartgen.memory.plan_json import grid_json, plan_json, suggestions_json
    from chartgen.memory.report import (
        GRID_HEAD,
        GRID_RIGHT,
        grid_rows,
        notes_text,
        plan_text,
        sources_text,
        suggestions_text,
    )
    from chartgen.memory.suggest import suggest
    from chartgen.memory.svg import plan_svg
    from chartgen.models.beside import model_findings, shelf_of
    from chartgen.spec.load import load_spec

    folder = console.settings.folder
    (path,) = (spec_paths(folder, [spec]) or [Path(spec)])[:1]
    loaded, findings = load_spec(folder / path, shown_as=path.as_posix())
    if loaded is None:
        console.report(report_text(console, "text", findings, on_stdout=False))
        return UNREADABLE
    market, _ = load_market(folder)
    own = own_machine(loaded.spec, market)
    name = hardware or own
    profiles = hardware_profiles()
    if name not in profiles:
        raise click.UsageError(f"No hardware is named {name!r}. Known: {', '.join(profiles)}.")
    if release is not None and not spec_release(loaded.spec, release).number:
        raise click.UsageError(f"{release!r} is no release of {loaded.spec.engine.kind}.")
    faults = tuple(model_findings(loaded))
    if faults:
        console.report(report_text(console, "text", faults, on_stdout=False))
    measured = None
    if log is not None:
        measured = measured_from_log(read_limited(log, LOG_BYTES).decode("utf-8", "replace"))
        if measured is None:
            raise click.UsageError(f"{log} says nothing of memory for the KV cache.")
    given = planning.plan_input(
        loaded.spec, shelf_of(loaded), profiles.get(own, profiles[name]), measured
    )
    if name != own:
        given = planning.with_card(given, profiles[name])
    changes = bump_notes(given, release, context) if release is not None else ()
    if release is not None:
        given = planning.with_release(given, release)
    found, run = planning.planned(given, context)
    steps = grid(given, run) if run is not None else ()
    asked = context or found.context or 0
    ways = suggest(given, context) if wanted else ()
    if svg is not None:
        write_atomically(svg, plan_svg(found).encode())
    if console.settings.json:
        document = {**plan_json(found), "grid": grid_json(steps)}
        document |= {"changes": list(changes)} if release is not None else {}
        document |= {"suggestions": suggestions_json(ways)} if wanted else {}
        console.data(json.dumps(document, indent=2) + "\n")
    else:
        encoding = (sys.stdout.encoding or "").lower()
        fancy = sys.stdout.isatty() and encoding.startswith("utf")
        width = min(console.width, 100)
        console.data(plan_text(found, width=width, unicode=fancy))
        if changes:
            console.data("\n" + notes_text(changes, width=width))
        if steps and not found.missing:
            rows = grid_rows(steps)
            console.data("\n" + table(GRID_HEAD, rows, width=width, right=GRID_RIGHT))
        if wanted and not found.missing:
            fits = found.verdict != "does not fit"
            console.data("\n" + suggestions_text(ways, asked, fits=fits, width=width))
        if sources:
            console.data("\n" + sources_text(found, width=width))
    return REFUSED if found.verdict == "does not fit" or has_errors(faults) else DONE
