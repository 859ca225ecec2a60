"""Checks of an engine's settings against the exact release in its image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chartgen.engines import engine_facts, engine_weights
from chartgen.engines.arguments import normal
from chartgen.engines.forks import with_fork
from chartgen.engines.release import EngineRelease, spec_release
from chartgen.engines.table import EngineTable, engine_table, name_history, table_releases
from chartgen.findings import Finding, Place, Severity
from chartgen.knowledge.book import Knowledge, spoken
from chartgen.lint.engine_arguments import softened, table_findings
from chartgen.lint.engine_subjects import engine_subjects
from chartgen.lint.rules import finding
from chartgen.models.beside import shelf_of
from chartgen.models.facts import ModelFacts
from chartgen.spec.load import LoadedSpec

# Fields of a spec from which arguments follow that knowledge speaks of.
_FIELDS = {"max-model-len": "context", "ctx-size": "context", "draft": "draft"}


def engine_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    """Yield what is to be said of the engine's arguments, variables and models."""
    release = spec_release(loaded.spec)
    if release.table:
        table = with_fork(engine_table(release.kind, release.table), release.fork)
        if not release.exact:
            yield _unknown_release(loaded, release)
        yield from table_findings(loaded, table, release)
        yield from _unsupported(loaded, table, release)
    yield from _known(loaded, release)


def _unknown_release(loaded: LoadedSpec, release: EngineRelease) -> Finding:
    title = engine_facts(release.kind).title
    if release.fork is not None and release.fork.inferred:
        why = f"what {release.told_by} holds is partly inferred"
    elif release.number:
        why = f"{release.told_by} means {title} {release.number}, which has no table of its own"
    else:
        why = f"{release.told_by} does not tell the release of {title}"
    newest = table_releases(release.kind)[-1]
    nearest = "the newest known" if release.table == newest else "the nearest known"
    message = (
        f"{why}; the settings are compared with {release.table}, {nearest}, and what it would "
        "refuse is only a warning"
    )
    return finding("engine-release-unknown", loaded.place("engine", "image"), message)


def _unsupported(
    loaded: LoadedSpec, table: EngineTable, release: EngineRelease
) -> Iterator[Finding]:
    known = table.names.get("architecture")
    facts = _facts(loaded, "main")
    if not known or facts is None or not facts.architecture or facts.architecture in known:
        return
    title = f"{engine_facts(table.kind).title} {table.release}"
    message = f"{title} does not implement {facts.architecture}, which the model is"
    first, _ = name_history(table.kind, "architecture", facts.architecture)
    if first is not None:
        message += f"; {first} is the first release that does"
    item = finding("engine-model-unsupported", loaded.place("engine", "image"), message)
    # A model that no release implements may still run on the transformers library.
    yield softened(item, release) if first is not None else replace(item, severity=Severity.WARNING)


def _known(loaded: LoadedSpec, release: EngineRelease) -> Iterator[Finding]:
    subjects = engine_subjects(loaded.spec, _facts(loaded, "main"), _facts(loaded, "draft"))
    number = release.number or release.table
    for entry in spoken(release.kind, number, subjects):
        message = entry.said(number, subjects)
        yield softened(finding(entry.id, _place(loaded, entry), message), release)


def _facts(loaded: LoadedSpec, role: str) -> ModelFacts | None:
    shelf = shelf_of(loaded)
    sources = [item.source for item in engine_weights(loaded.spec) if item.role == role]
    found = [shelf.find(source.hf, source.file) for source in sources if source.hf is not None]
    return found[0] if found else None


def _place(loaded: LoadedSpec, entry: Knowledge) -> Place:
    """Return where the spec says what an entry speaks of: an argument, a field, or neither."""
    for key in loaded.spec.engine.args:
        if normal(key).partition(".")[0] == entry.at:
            return loaded.place("engine", "args", key)
    field = _FIELDS.get(entry.at)
    if field is not None and getattr(loaded.spec.engine, field) is not None:
        return loaded.place("engine", field)
    return loaded.place("engine", "args", key=True)
