"""Checks of what an app's texts and settings promise against what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator

from chartgen.evidence.beside import (
    Kind,
    current_evidence,
    current_speed,
    evidence_file_findings,
    evidence_of,
    evidence_values,
    other_context,
    subject_of,
)
from chartgen.evidence.standing import is_comparable, mismatch, outcomes
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.lint.shown_texts import asks_for, shown_texts
from chartgen.lint.speeds import speed_findings
from chartgen.lint.typed_figures import figure_findings
from chartgen.measure.smoke_claims import claims_of
from chartgen.models.beside import shelf_of
from chartgen.release.record import Release
from chartgen.release.versions import number
from chartgen.render.texts import EVIDENCE_PLACEHOLDERS
from chartgen.spec.load import LoadedSpec

# Claims that a smoke test tries, by the names of its checks.
_TRIED = ("vision", "tools", "embedding", "speech")


def evidence_findings(
    loaded: LoadedSpec, machine: str = "", latest: Release | None = None
) -> Iterator[Finding]:
    """Yield what is to be said of an app's evidence, and of texts and claims that need some.

    `machine` is the hardware profile that the app is made for, empty for any, and `latest` its last
    release, None where it has none.
    """
    yield from evidence_file_findings(loaded)
    yield from _versions(loaded)
    yield from _stale(loaded)
    yield from speed_findings(loaded, machine, latest)
    yield from figure_findings(loaded, machine)
    yield from _unfilled(loaded, machine)
    yield from _claims(loaded, machine)


def _versions(loaded: LoadedSpec) -> Iterator[Finding]:
    for kept in evidence_of(loaded):
        version = kept.measurement.version
        if version and number(version) > number(loaded.spec.version):
            message = f"it is of {version}, and the spec is at {loaded.spec.version}"
            yield finding("evidence-version", Place(kept.file), message)


def _stale(loaded: LoadedSpec) -> Iterator[Finding]:
    kinds: tuple[Kind, ...] = ("bench", "smoke")
    for kind in kinds:
        of_releases = [
            kept
            for kept in evidence_of(loaded)
            if kept.measurement.kind == kind and kept.measurement.version
        ]
        if of_releases and not current_evidence(loaded, kind):
            newest = of_releases[-1]
            why = "is of other settings than the present ones"
            if newest.measurement.imported:
                why = "is imported, and not of this version, image and context"
            elif mismatch(newest.measurement, subject_of(loaded)) == "context":
                told = other_context(loaded, newest.measurement.context)
                why = f"is of another context: {told}"
            message = f"the newest {kind}, {newest.file} of {newest.measurement.version}, {why}"
            remedy = f"Run `chartgen {kind} SPEC URL` against the app as it is now."
            yield finding("evidence-stale", loaded.place("engine", key=True), message, remedy)


def _unfilled(loaded: LoadedSpec, machine: str) -> Iterator[Finding]:
    values = evidence_values(loaded, machine)
    wanting = EVIDENCE_PLACEHOLDERS - values.keys()
    if not wanting:
        return
    seen: set[str] = set()
    for shown in shown_texts(loaded):
        for word in sorted(wanting - seen):
            if shown.filled and asks_for(shown.text, word):
                seen.add(word)
                message = f"{{{word}}} is left out, because {_why_unfilled(loaded, machine)}"
                place = loaded.document.place(shown.path)
                yield finding("text-without-evidence", place, message)


def _why_unfilled(loaded: LoadedSpec, machine: str) -> str:
    if current_speed(loaded, machine) is not None:
        return "the newest bench does not tell it"
    current = current_evidence(loaded, "bench", machine)
    if any(is_comparable(kept.measurement) for kept in current):
        return "the newest bench has two speeds, and no single number stands for them"
    if current:
        return (
            "the benches of these settings are none of the standard ones (one user, four runs or "
            "more, default prompt, length and sampling, streamed), by which apps are compared"
        )
    others = {kept.measurement.hardware for kept in current_evidence(loaded, "bench")}
    if others:
        listed = " and ".join(sorted(others))
        return f"the benches of these settings are of {listed}, and the app is for {machine}"
    today = subject_of(loaded, machine)
    benches = [kept.measurement for kept in evidence_of(loaded) if kept.measurement.kind == "bench"]
    elsewhere = [bench for bench in benches if mismatch(bench, today) == "context"]
    if elsewhere:
        told = other_context(loaded, elsewhere[-1].context)
        return f"the bench of these settings is of another context: {told}"
    if benches:
        return "no bench is of this version as it is set now"
    return "there is no bench of this app"


def _claims(loaded: LoadedSpec, machine: str) -> Iterator[Finding]:
    claims = claims_of(loaded.spec, shelf_of(loaded))
    claimed = [name for name in _TRIED if getattr(claims, name).holds]
    tried = outcomes(current_evidence(loaded, "smoke", machine))
    untested = [name for name in claimed if name not in tried]
    place = loaded.place("engine", key=True)
    if untested:
        listed = " and ".join(untested)
        because = "; ".join(f"{name}: {getattr(claims, name).because}" for name in untested)
        others = current_evidence(loaded, "smoke") and not current_evidence(
            loaded, "smoke", machine
        )
        where = f" on {machine}" if others else ""
        message = f"no smoke test of these settings{where} has tried {listed} ({because})"
        yield finding("claim-untested", place, message)
    for name in claimed:
        if name in tried and tried[name][0] == "failed":
            file = tried[name][1].file
            message = f"{name} is claimed ({getattr(claims, name).because}), and failed in {file}"
            yield finding("claim-refuted", place, message)
