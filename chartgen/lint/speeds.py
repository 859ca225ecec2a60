"""Speeds that somebody typed into a text: whether evidence bears them out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chartgen.document import Path
from chartgen.engines import engine_facts
from chartgen.evidence.beside import (
    Kept,
    Speed,
    current_evidence,
    current_speed,
    evidence_of,
)
from chartgen.evidence.figures import rate_text
from chartgen.evidence.record import Measurement
from chartgen.evidence.statistics import summarise
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.spec.engine import Content
from chartgen.spec.load import LoadedSpec

_NUMBER = r"\d+(?:[.,]\d+)*"
_BETWEEN = "\N{EN DASH}|\N{EM DASH}|-|→|->|to|and|bis|und|/"
_UNIT = (
    r"(?:(?:t|tok|tokens?|tkn)\s?(?:/\s?|\s?per\s|\s?pro\s)(?:s|sec|secs|seconds?|sekunde)(?!\w)"
    r"|tps(?!\w)|(?:词元|个词元|tokens?|トークン)\s?[/每]\s?秒)"
)
_SPEED = re.compile(
    rf"(?<![\w.,])(?P<numbers>{_NUMBER}(?:\s{{0,2}}(?:{_BETWEEN})\s{{0,2}}{_NUMBER})*)"
    rf"\+?\s{{0,2}}{_UNIT}",
    re.IGNORECASE,
)
_BOUND = re.compile(r"(?:over|above|more than|at least|über|mehr als|>=?|≥)\s?$", re.IGNORECASE)
# Longer than the longest of these words.
_BOUND_REACH = 12


@dataclass(frozen=True, slots=True)
class TypedSpeed:
    """Numbers with a unit of speed in a text (tokens/s), and where in it they begin.

    `least` tells that they are bounds, as in "over 100 tokens/s".
    """

    numbers: tuple[str, ...]
    words: str
    offset: int
    least: bool


def typed_speeds(text: str) -> tuple[TypedSpeed, ...]:
    """Return the speeds that stand in a text as numbers."""
    return tuple(
        TypedSpeed(
            tuple(re.findall(_NUMBER, found["numbers"])),
            " ".join(found[0].split()),
            found.start("numbers"),
            _BOUND.search(text, max(0, found.start() - _BOUND_REACH), found.start()) is not None,
        )
        for found in _SPEED.finditer(text)
    )


def speed_findings(loaded: LoadedSpec, machine: str = "") -> Iterator[Finding]:
    """Yield the typed-in speeds that evidence contradicts, or that have none.

    A text of today needs evidence of what the spec runs today; where a line names an older
    version, that of this version. Change notes may tell any speed that was measured of the app;
    those of older versions are not shown any more, and are only held against evidence of theirs.
    """
    everything = [kept for kept in evidence_of(loaded) if kept.measurement.kind == "bench"]
    if not everything and not engine_facts(loaded.spec.engine.kind).openai_api:
        # Nothing could be measured: such numbers are of other things, as the rate of a codec.
        return
    spec = loaded.spec
    current = current_evidence(loaded, "bench", machine)
    speed = current_speed(loaded, machine)
    for path, text, place in _present_texts(loaded):
        for line, typed in _by_line(text):
            held = _headline(speed) if path[-1] == "summary" else _numbers_of(current)
            held |= _numbers_of(
                kept
                for kept in everything
                if kept.measurement.version and _names(line, kept.measurement.version)
            )
            if not _holds(typed, held):
                yield _finding(place(typed), path, typed, current, speed)
    anything = _numbers_of(everything)
    for path, version, notes in _change_notes(loaded):
        own = [kept for kept in everything if kept.measurement.version == version]
        if version != spec.version and not own:
            continue
        for typed in (item for note in notes for item in typed_speeds(note)):
            if not _holds(typed, anything):
                at = loaded.document.place(path, key=True)
                yield _finding(at, path, typed, tuple(own) or current, None)


def _finding(
    place: Place, path: Path, typed: TypedSpeed, evidence: tuple[Kept, ...], speed: Speed | None
) -> Finding:
    where = ".".join(str(part) for part in path)
    if not evidence:
        message = f"{where} says {typed.words!r}, and nothing was measured of these settings"
        return finding("speed-unproven", place, message)
    newest = speed.kept if speed is not None else evidence[-1]
    told = rate_text(speed.tokens_per_second) if speed is not None else _told(newest.measurement)
    message = f"{where} says {typed.words!r}, and {newest.file} says {told}"
    remedy = "" if path[0] != "changes" else "Write the number that was measured, or none."
    return finding("speed-contradicted", place, message, remedy)


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


def _holds(typed: TypedSpeed, held: set[float]) -> bool:
    if typed.least:
        return any(value >= _value(typed.numbers[0]) for value in held)
    return all(any(_same(written, value) for value in held) for written in typed.numbers)


def _same(written: str, value: float) -> bool:
    """Compare with what was written, rounded or cut off at its last digit."""
    decimals = len(written.rpartition(".")[2]) if "." in _plain(written) else 0
    return abs(_value(written) - value) < 10.0**-decimals


def _value(written: str) -> float:
    return float(_plain(written))


def _plain(written: str) -> str:
    """Return a number with a point before its decimals, and nothing between thousands."""
    whole = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", written)
    parts = re.split(r"[.,]", whole)
    return parts[0] if len(parts) == 1 else f"{''.join(parts[:-1])}.{parts[-1]}"


def _names(line: str, version: str) -> bool:
    return re.search(rf"(?<![\d.]){re.escape(version)}(?![\d]|\.\d)", line) is not None


def _by_line(text: str) -> Iterator[tuple[str, TypedSpeed]]:
    start = 0
    for line in text.split("\n"):
        for item in typed_speeds(line):
            yield line, TypedSpeed(item.numbers, item.words, start + item.offset, item.least)
        start += len(line) + 1


class _Where:
    """The place of a speed: in the spec, or at its line of the text's own file."""

    def __init__(self, loaded: LoadedSpec, path: Path, content: Content | None, text: str) -> None:
        self._loaded, self._path, self._content, self._text = loaded, path, content, text

    def __call__(self, typed: TypedSpeed) -> Place:
        """Return the place of a speed in the text."""
        if self._content is None or self._content.from_ is None:
            return self._loaded.document.place(self._path)
        before = self._text[: typed.offset]
        folder = self._loaded.file.rpartition("/")[0]
        file = f"{folder}/{self._content.from_}" if folder else self._content.from_
        return Place(file, before.count("\n") + 1, typed.offset - (before.rfind("\n") + 1) + 1)


def _present_texts(loaded: LoadedSpec) -> Iterator[tuple[Path, str, _Where]]:
    spec = loaded.spec
    texts: list[tuple[Path, str | None, Content | None]] = [
        (("summary",), spec.summary, None),
        (("about",), None, spec.about),
    ]
    for locale, entry in spec.i18n.items():
        texts.append((("i18n", locale, "summary"), entry.summary, None))
        texts.append((("i18n", locale, "about"), None, entry.about))
    for path, stated, content in texts:
        text = loaded.text(content) if content is not None else stated
        if text:
            yield path, text, _Where(loaded, path, content, text)


def _change_notes(loaded: LoadedSpec) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for version, notes in loaded.spec.changes.items():
        yield ("changes", version), version, notes
    for locale, entry in loaded.spec.i18n.items():
        for version, notes in entry.changes.items():
            yield ("i18n", locale, "changes", version), version, notes
