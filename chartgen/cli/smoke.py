"""`chartgen smoke`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REMOTE
from chartgen.cli.json_errors import error_words, told_in_json
from chartgen.cli.options import FiniteRange, command
from chartgen.errors import ChartgenError

if TYPE_CHECKING:
    from chartgen.measure.connection import Connection
    from chartgen.measure.smoke import Done
    from chartgen.measure.smoke_claims import Claims
    from chartgen.spec.load import LoadedSpec

# A prompt that nearly fills a long context is read for minutes on a small card.
_SECONDS = 300.0


@command("smoke")
@click.argument("spec", type=click.Path(), metavar="SPEC")
@click.argument("url")
@click.option("--long", is_flag=True, help="Also send a prompt that nearly fills the context.")
@click.option("--hardware", metavar="NAME", help="Machine it runs on; by default the spec's.")
@click.option(
    "--timeout",
    "seconds",
    type=FiniteRange(1, 86_400),
    default=_SECONDS,
    show_default=True,
    help="Longest time for one answer, in seconds.",
)
@click.option("--no-save", is_flag=True, help="Write no evidence file.")
@told_in_json
def smoke(
    console: Console,
    spec: str,
    url: str,
    long: bool,
    hardware: str | None,
    seconds: float,
    no_save: bool,
) -> int:
    """Check that a running app does what its spec claims.

    SPEC is the app's name or the path of its spec. Asks the OpenAI-compatible endpoint at URL, and
    nothing else: whether it is healthy, serves the model, answers, streams, and refuses what is
    longer than the context; and, where the spec claims it, sees a picture, calls a tool, makes
    vectors or speaks. An API key is taken from CHARTGEN_API_KEY. The outcome is kept as evidence
    beside the spec. Exits with 4 if a check fails.
    """
    from chartgen.cli.measured import api_key, content_digests, machine_of, measured_spec
    from chartgen.measure.address import read_endpoint
    from chartgen.measure.connection import Connection
    from chartgen.measure.endpoint import engine_version
    from chartgen.measure.smoke import reach
    from chartgen.measure.smoke import smoke as checks_of
    from chartgen.measure.smoke_claims import claims_of
    from chartgen.measure.smoke_report import verdict
    from chartgen.models.beside import shelf_of

    loaded = measured_spec(console.settings.folder, spec)
    machine = machine_of(loaded, console.settings.folder, hardware)
    claims = claims_of(loaded.spec, shelf_of(loaded))
    connection = Connection(read_endpoint(url), api_key())
    done: list[Done] = []
    kept = None
    try:
        console.progress(f"asking {connection.address.url}")
        reach(connection, seconds)
        tested = None
        if not no_save:
            # Before the checks: once they are done, nothing may keep anybody from seeing them.
            engine = engine_version(connection, seconds)
            content = content_digests(loaded, console.settings.folder)
            tested = _Tested(loaded, claims, machine, long, engine, content)
        for one in checks_of(connection, claims, seconds=seconds, long=long):
            done.append(one)
            console.progress(f"{one.check.name} {one.check.outcome}")
        console.end_progress()
        kept = _keep(console, tested, done) if tested is not None else None
    except KeyboardInterrupt as stop:
        console.end_progress()
        _show(console, loaded, connection, done, None, stop=stop)
        before = "these checks were done before" if done else "before the first check"
        console.note(f"stopped: {before}; nothing is kept as evidence")
        raise
    except ChartgenError as failure:
        console.end_progress()
        if done:
            # What was found out is worth showing, also where it cannot be written down.
            _show(console, loaded, connection, done, None, failure=failure)
        raise
    _show(console, loaded, connection, done, kept)
    checks = [one.check for one in done]
    failed = any(check.outcome == "failed" for check in checks)
    if kept is not None:
        console.note(f"kept as {kept.as_posix()}")
    name = f"{loaded.spec.name} {loaded.spec.version}"
    console.note(f"{name} at {connection.address.url}: {verdict(checks)}")
    return REMOTE if failed else DONE


@dataclass(frozen=True, slots=True)
class _Tested:
    """What is tested: the release, the machine, and the engine as the endpoint reports it."""

    loaded: LoadedSpec
    claims: Claims
    machine: str
    long: bool
    engine: str
    content: Mapping[str, str]


def _keep(console: Console, tested: _Tested, done: Sequence[Done]) -> Path | None:
    """Write the evidence file; None where the test says nothing of this release."""
    from chartgen.cli.measured import today
    from chartgen.evidence.record import Measurement
    from chartgen.evidence.store import keep
    from chartgen.evidence.workload import workload_digest
    from chartgen.measure.smoke import why_untold

    if why := why_untold(done):
        console.note(f"nothing is kept as evidence: {why}")
        return None
    loaded, spec = tested.loaded, tested.loaded.spec
    measurement = Measurement(
        kind="smoke",
        app=spec.name,
        version=spec.version,
        workload=workload_digest(loaded),
        content=tested.content,
        image=spec.engine.image,
        engine=tested.engine,
        hardware=tested.machine,
        date=today(),
        context=tested.claims.context,
        settings={"long": tested.long, "temperature": 0},
        checks=tuple(one.check for one in done),
    )
    return keep(loaded.path.parent, measurement)


def _show(
    console: Console,
    loaded: LoadedSpec,
    connection: Connection,
    done: Sequence[Done],
    kept: Path | None,
    *,
    stop: KeyboardInterrupt | None = None,
    failure: ChartgenError | None = None,
) -> None:
    """Print the checks as a table or as JSON.

    `stop` is what ended them early, `failure` why they could not be written down.
    """
    from chartgen.measure.smoke_report import smoke_json, smoke_text

    checks = [one.check for one in done]
    if not console.settings.json:
        console.data(smoke_text(checks, width=console.width))
        return
    document: dict[str, Any] = {
        "app": loaded.spec.name,
        "version": loaded.spec.version,
        "url": connection.address.url,
        "finished": stop is None,
        "passed": stop is None and all(check.outcome != "failed" for check in checks),
        "checks": smoke_json(checks),
        "evidence": None if kept is None else kept.as_posix(),
    }
    if error := stop or failure:
        document["error"] = error_words(error)
    console.data(json.dumps(document, indent=2) + "\n")
