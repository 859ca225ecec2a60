"""Speeds that somebody typed into a text: whether evidence bears them out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chartgen.document import Path
from chartgen.engines import engine_facts
from chartgen.evidence.beside import (
    Speed,
    current_evidence,
    current_speed,
    evidence_of,
    subject_of,
)
from chartgen.evidence.figures import rate_text
from chartgen.evidence.record import Measurement
from chartgen.evidence.standing import Kept, Subject, is_on, mismatch, ran
from chartgen.evidence.statistics import summarise
from chartgen.findings import Finding, Place, Severity
from chartgen.hardware import hardware_profiles
from chartgen.lint.rules import finding
from chartgen.lint.shown_texts import shown_texts
from chartgen.lint.speed_words import (
    TypedSpeed,
    is_of_earlier_days,
    is_of_something_else,
    typed_speeds,
)
from chartgen.release.record import Release
from chartgen.release.versions import number
from chartgen.spec.load import LoadedSpec

_FINAL = "Nothing: the notes of a release are final. Tell what is so in those of the next version."


def speed_findings(
    loaded: LoadedSpec, machine: str = "", latest: Release | None = None
) -> Iterator[Finding]:
    """Yield the typed-in speeds that evidence contradicts, or that have none.

    A text of today needs evidence of what the spec runs today; where a line names an older
    version, that of this version. A contradiction is an error where no room is to say how a number
    is meant, and a warning in a full text. The change notes of a version that is still to come need
    evidence of today and of the release before it; those of a release are final, and may tell what
    was measured of it or before it, or where that is not known, anything. As nobody can mend
    them, all that is said of them is a note.

    `machine` is the hardware profile that the app is for, empty for any, and `latest` its last
    release, None where it has none.
    """
    everything = [kept for kept in evidence_of(loaded) if kept.measurement.kind == "bench"]
    if not everything and not engine_facts(loaded.spec.engine.kind).openai_api:
        # Nothing could be measured: such numbers are of other things, as the rate of a codec.
        return
    current = current_evidence(loaded, "bench", machine)
    speed = current_speed(loaded, machine)
    here = [kept for kept in everything if is_on(kept.measurement, machine)]
    gpu = hardware_profiles()[machine].title if machine in hardware_profiles() else ""
    for shown in shown_texts(loaded):
        for typed in _own_speeds(shown.text, gpu):
            held = _headline(speed) if shown.headline else _numbers_of(current)
            held |= _numbers_of_named(here, shown.line(typed.offset))
            if _wrong(typed, held) is not None:
                found = _finding(shown.place(typed.offset), shown.path, typed, current, speed)
                yield found if shown.headline else _at_most(Severity.WARNING, found)
    final = latest.version if latest is not None else ""
    for path, version, notes in _change_notes(loaded):
        at = loaded.document.place(path, key=True)
        if version == loaded.spec.version != final:
            before = _numbers_of(_of_release_before(loaded, here, machine, latest))
            for note, typed in _by_note(notes, gpu):
                held = _numbers_of(current) | before | _numbers_of_named(here, note)
                wrong = _wrong(typed, held, last=_numbers_of(current))
                if wrong is not None:
                    found = _finding(at, path, typed, current, speed)
                    sources = [
                        one for one in everything if typed.is_one_of(_numbers_of([one]), wrong)
                    ]
                    found = _with_source(found, wrong, sources, subject_of(loaded, machine))
                    if is_of_earlier_days(note, typed) and any(map(_is_told, sources)):
                        found = _at_most(Severity.WARNING, found)
                    yield found
            continue
        own, told = _of_version(everything, version, latest)
        known = _numbers_of(told if own else [*told, *here])
        for _, typed in _by_note(notes, gpu):
            if (known or version == final) and _wrong(typed, known) is not None:
                found = replace(_finding(at, path, typed, own, None, of=version), remedy=_FINAL)
                yield _at_most(Severity.NOTE, found)


def _of_release_before(
    loaded: LoadedSpec, here: Iterable[Kept], machine: str, latest: Release | None
) -> list[Kept]:
    """Return what was measured of the last release, or of all earlier versions where none is."""
    if latest is not None:
        release = Subject(latest.version, latest.settings, latest.workload, machine)
        return [kept for kept in here if mismatch(kept.measurement, release) is None]
    now = number(loaded.spec.version)
    return [kept for kept in here if _is_told(kept) and number(kept.measurement.version) < now]


def _of_version(
    everything: Iterable[Kept], version: str, latest: Release | None
) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """Return what was measured of a release, and all that may have been measured before it.

    A bench before a bump is kept under the version before it.
    """
    workload = latest.workload if latest is not None and latest.version == version else ""
    told = tuple(kept for kept in everything if _is_told(kept))
    own = tuple(kept for kept in told if ran(kept.measurement, version, workload))
    earlier = (kept for kept in told if number(kept.measurement.version) <= number(version))
    return own, (*own, *earlier)


def _is_told(kept: Kept) -> bool:
    """Tell whether a measurement names a version, which trials do not."""
    return bool(kept.measurement.version)


def _finding(
    place: Place,
    path: Path,
    typed: TypedSpeed,
    evidence: tuple[Kept, ...],
    speed: Speed | None,
    of: str = "these settings",
) -> Finding:
    where = ".".join(str(part) for part in path)
    if not evidence:
        message = f"{where} says {typed.words!r}, and nothing was measured of {of}"
        return finding("speed-unproven", place, message)
    newest = speed.kept if speed is not None else evidence[-1]
    told = rate_text(speed.tokens_per_second) if speed is not None else _told(newest.measurement)
    message = f"{where} says {typed.words!r}, and {newest.file} says {told}"
    remedy = "" if path[0] != "changes" else "Write the number that was measured, or none."
    return finding("speed-contradicted", place, message, remedy)


def _with_source(found: Finding, written: str, sources: Iterable[Kept], today: Subject) -> Finding:
    """Say of what else a number was measured, where it was: it is of that, and not of the spec.

    It weighs as much as a number that nobody measured.
    """
    differing = [(kept, mismatch(kept.measurement, today)) for kept in sources]
    where = next(((kept, why) for kept, why in reversed(differing) if why is not None), None)
    if where is None:
        return found
    kept, why = where
    of = {"machine": kept.measurement.hardware, "trial": "a trial"}.get(why, f"another {why}")
    of = "other settings" if why == "settings" else of
    message = f"{found.message}; {written} is of {of}, in {kept.file}"
    return replace(found, message=message, remedy="Write the number that was measured, or none.")


def _told(measurement: Measurement) -> str:
    summary = summarise(measurement.runs)
    two = summary is not None and summary.speeds is not None
    published = measurement.published
    if two or (published is not None and published.two_speeds):
        return "two speeds, for which no single number stands"
    mean = summary.mean if summary is not None else published.mean if published else 0.0
    return rate_text(mean)


def _headline(speed: Speed | None) -> set[float]:
    return set() if speed is None else {speed.tokens_per_second}


def _numbers_of(evidence: Iterable[Kept]) -> set[float]:
    """Return all speeds that measurements tell: of single runs, of groups, and of all of them."""
    numbers: set[float] = set()
    for kept in evidence:
        measurement = kept.measurement
        numbers |= {run.tokens_per_second for run in measurement.runs}
        summary = summarise(measurement.runs)
        if summary is not None:
            numbers |= {summary.mean, summary.median}
            if summary.speeds is not None:
                numbers |= {summary.speeds.fast_mean, summary.speeds.slow_mean}
        if measurement.published is not None:
            told = measurement.published
            numbers |= {rate for rate in (told.mean, told.least, told.most) if rate is not None}
    return numbers


def _numbers_of_named(evidence: Iterable[Kept], line: str) -> set[float]:
    """Return the speeds of the versions that a line names."""
    return _numbers_of(
        kept for kept in evidence if _is_told(kept) and _names(line, kept.measurement.version)
    )


def _wrong(typed: TypedSpeed, held: set[float], last: set[float] | None = None) -> str | None:
    """Return the first typed number that is none of those held, None where there is no such one.

    Of several numbers the last one tells what is now, as in `136 → 250`: it is one of `last`.
    """
    for at, written in enumerate(typed.bounds, 1):
        wanted = last if last is not None and at == len(typed.bounds) > 1 else held
        if not typed.is_one_of(wanted, written):
            return written
    return None


def _names(line: str, version: str) -> bool:
    return re.search(rf"(?<![\d.]){re.escape(version)}(?![\d]|\.\d)", line) is not None


def _by_note(notes: Iterable[str], gpu: str) -> Iterator[tuple[str, TypedSpeed]]:
    for note in notes:
        for item in _own_speeds(note, gpu):
            yield note, item


def _own_speeds(text: str, gpu: str) -> Iterator[TypedSpeed]:
    """Yield the speeds in a text at which the app is said to answer."""
    return (item for item in typed_speeds(text) if not is_of_something_else(text, item, gpu))


def _at_most(severity: Severity, found: Finding) -> Finding:
    """Return a finding that weighs no more than `severity`."""
    order = tuple(Severity)
    return replace(found, severity=max(severity, found.severity, key=order.index))


def _change_notes(loaded: LoadedSpec) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for version, notes in loaded.spec.changes.items():
        yield ("changes", version), version, notes
    for locale, entry in loaded.spec.i18n.items():
        for version, notes in entry.changes.items():
            yield ("i18n", locale, "changes", version), version, notes
