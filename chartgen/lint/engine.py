"""Checks of an engine's settings against the exact release in its image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chartgen.engines import engine_facts, engine_weights
from chartgen.engines.forks import with_fork
from chartgen.engines.llamacpp_variables import variable_of
from chartgen.engines.release import EngineRelease, shown_release, spec_release
from chartgen.engines.table import EngineTable, engine_table, name_around, table_releases
from chartgen.findings import Finding, Place, Severity
from chartgen.knowledge.book import Knowledge, spoken
from chartgen.lint.engine_arguments import since_when, softened, table_findings
from chartgen.lint.engine_subjects import engine_subjects, main_name
from chartgen.lint.rules import finding
from chartgen.models.beside import shelf_of
from chartgen.models.facts import ModelFacts
from chartgen.spec.load import LoadedSpec

# Fields of a spec from which arguments follow that knowledge speaks of.
_FIELDS = {
    "max-model-len": "context",
    "ctx-size": "context",
    "draft": "draft",
    "mmproj": "mmproj",
}
# Of a value that the engine refuses nothing more is said.
_REFUSED = frozenset(
    {
        "engine-argument-name",
        "engine-argument-json",
        "engine-argument-value",
        "engine-argument-value-missing",
        "engine-argument-unknown",
        "argument-json",
    }
)


def engine_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    """Yield what is to be said of the engine's arguments, variables and models."""
    release = spec_release(loaded.spec)
    if release.table:
        table = with_fork(engine_table(release.kind, release.table), release.fork)
        if not release.exact:
            yield _unknown_release(loaded, release)
        found = tuple(table_findings(loaded, table, release))
        yield from found
        yield from _unsupported(loaded, table, release)
        refused = {item.place for item in found if item.rule in _REFUSED}
    else:
        refused = set()
    yield from (item for item in _known(loaded, release) if item.place not in refused)


def _unknown_release(loaded: LoadedSpec, release: EngineRelease) -> Finding:
    title = engine_facts(release.kind).title
    newest = table_releases(release.kind)[-1]
    number = shown_release(release.kind, release.number)
    table = shown_release(release.kind, release.table)
    nearest = "the newest known" if release.table == newest else "the nearest known"
    remedy = ""
    if release.fork is not None and release.fork.inferred:
        why = f"what {release.told_by} holds is partly inferred"
        nearest = "which it is based on" if release.fork.base == release.table else nearest
        remedy = "Try the image before you publish; describe a build of your own by `engine.fork`."
    elif release.number == release.table:
        why = f"{release.told_by} names a build of somebody's own"
        nearest = "which it names"
        remedy = f"State `engine.release: {number}` if it is that one unchanged."
    elif release.number:
        why = f"{release.told_by} means {title} {number}, which has no table of its own"
        remedy = "Try the image before you publish, or take one of a release that is known."
    else:
        why = f"{release.told_by} does not tell the release of {title}"
    message = (
        f"{why}; the settings are compared with {table}, {nearest}, and what it would "
        "refuse is only a warning"
    )
    return finding("engine-release-unknown", _told_at(loaded), message, remedy)


def _told_at(loaded: LoadedSpec) -> Place:
    """Return the place of what tells the release: a field, or the image."""
    engine = loaded.spec.engine
    if engine.fork is not None:
        return loaded.place("engine", "fork", "base")
    return loaded.place("engine", "image" if engine.release is None else "release")


def _unsupported(
    loaded: LoadedSpec, table: EngineTable, release: EngineRelease
) -> Iterator[Finding]:
    known = table.names.get("architecture")
    facts = _facts(loaded, "main")
    if not known or facts is None or not facts.architecture or facts.architecture in known:
        return
    title = f"{engine_facts(table.kind).title} {shown_release(table.kind, table.release)}"
    message = f"{title} does not implement {facts.architecture}, which the model is"
    before, first = name_around(table.kind, "architecture", facts.architecture, table.release)
    remedy = ""
    if first is not None:
        remedy = f"Take an image with {shown_release(table.kind, first)} or a later release."
    elif before is not None:
        remedy = f"Stay with {shown_release(table.kind, before)}, or take another model."
    message += since_when(table.kind, before, first)
    item = finding("engine-model-unsupported", loaded.place("engine", "image"), message, remedy)
    # A model that no release implements may still run on the transformers library.
    known_elsewhere = first is not None or before is not None
    yield softened(item, release) if known_elsewhere else replace(item, severity=Severity.WARNING)


def _known(loaded: LoadedSpec, release: EngineRelease) -> Iterator[Finding]:
    subjects = engine_subjects(loaded.spec, _facts(loaded, "main"), _facts(loaded, "draft"))
    number = release.number or release.table
    for entry in spoken(release.kind, number, subjects):
        message = entry.said(shown_release(release.kind, number), subjects)
        yield softened(finding(entry.id, _place(loaded, entry), message), release)


def _facts(loaded: LoadedSpec, role: str) -> ModelFacts | None:
    shelf = shelf_of(loaded)
    sources = [item.source for item in engine_weights(loaded.spec) if item.role == role]
    found = [shelf.find(source.hf, source.file) for source in sources if source.hf is not None]
    return found[0] if found else None


def _place(loaded: LoadedSpec, entry: Knowledge) -> Place:
    """Return where the spec says what an entry speaks of: an argument, a field, or neither."""
    engine = loaded.spec.engine
    for at in entry.at:
        name, _, inside = at.partition(".")
        for key in engine.args:
            main, _, path = main_name(engine.kind, key).partition(".")
            if main == name and path in ("", inside):
                steps = (inside,) if inside and not path else ()
                whole = not steps and isinstance(engine.args[key], Mapping)
                return loaded.place("engine", "args", key, *steps, key=whole)
        field = _FIELDS.get(at)
        if field is not None and getattr(engine, field, None) is not None:
            return loaded.place("engine", field)
        if engine.kind == "llamacpp" and (variable := variable_of(at)) in loaded.spec.env:
            return loaded.place("env", variable)
    return loaded.place("engine", "args", key=True)
