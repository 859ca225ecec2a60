"""Acceptance and context length that somebody typed into a text: whether they are what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from chartgen.engines import engine_facts
from chartgen.evidence.beside import current_evidence, subject_of
from chartgen.evidence.figures import share_text
from chartgen.evidence.standing import fits_context
from chartgen.findings import Finding
from chartgen.lint.rules import finding
from chartgen.lint.shown_texts import ShownText, shown_texts
from chartgen.lint.speed_words import any_of, readings, typed_acceptance
from chartgen.render.texts import context_text
from chartgen.resources import shipped_data
from chartgen.spec.load import LoadedSpec

# 128K, 1M, 131072 and 131,072: what is no K has four digits at least.
_LENGTH = r"\d{1,4}(?:[.,]\d{1,3})?\s?[km](?![a-z])|\d{1,3}(?:[., \u00a0\u202f]\d{3}){1,2}|\d{4,7}"
_MARKUP = r"(?:[\s*_`(]|&nbsp;){0,3}"
# 131K is cut off from 131,072; of a number with few digits the last one is no measure.
_CUT_OFF = 0.02
# Where a clause ends; within a number these have no space after them.
_STOP = re.compile(r"[;!?\n。；！？，、]|[.,:](?=\s)")
# Longer than clauses are.
_REACH = 200
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def figure_findings(loaded: LoadedSpec, machine: str = "") -> Iterator[Finding]:
    """Yield the typed-in shares of accepted drafts and context lengths that nothing bears out.

    Only in the texts of today: change notes tell of what was before.
    """
    for shown in shown_texts(loaded):
        yield from _acceptance(loaded, shown, machine)
        yield from _context(loaded, shown)


def _acceptance(loaded: LoadedSpec, shown: ShownText, machine: str) -> Iterator[Finding]:
    typed = typed_acceptance(shown.text)
    if not typed or not engine_facts(loaded.spec.engine.kind).openai_api:
        return
    benches = current_evidence(loaded, "bench", machine)
    told = [share for kept in benches if (share := kept.measurement.acceptance) is not None]
    for item in typed:
        if all(item.is_one_of(told, number) for number in item.bounds):
            continue
        says = f"and the newest bench says {share_text(told[-1])}" if told else ""
        message = f"{_name(shown)} says {item.words!r}, {says or 'and no bench has counted drafts'}"
        yield finding("acceptance-unproven", shown.place(item.offset), message)


def _context(loaded: LoadedSpec, shown: ShownText) -> Iterator[Finding]:
    stated = loaded.spec.engine.context
    if stated is None:
        return
    lengths, elsewhere = _patterns()
    matches = list(lengths.finditer(shown.text))
    if not matches:
        return
    today = subject_of(loaded)
    for found in matches:
        clause = _clause(shown.text, *found.span())
        if elsewhere.search(clause) or _VERSION.search(clause):
            continue
        written = found["before"] or found["after"]
        if any(fits_context(length, today) for length in _lengths(written, stated)):
            continue
        words = " ".join(found[0].split())
        message = f"{_name(shown)} says {words!r}, and engine.context is {context_text(stated)}"
        yield finding("context-contradicted", shown.place(found.start()), message)


def _clause(text: str, start: int, end: int) -> str:
    """Return the clause around a part of a text."""
    begin = max(0, start - _REACH)
    before = [stop.end() for stop in _STOP.finditer(text, begin, start)]
    after = _STOP.search(text, end, end + _REACH)
    return text[before[-1] if before else begin : after.start() if after else end + _REACH]


def _name(shown: ShownText) -> str:
    return ".".join(str(part) for part in shown.path)


def _lengths(written: str, stated: int) -> Iterator[int]:
    """Yield the lengths (tokens) that may be meant; `stated` where it is that, rounded or cut off.

    128K is 131,072 or 128,000, and so is 128,000; 131K is 131,072, too.
    """
    power = {"k": 1, "m": 2}.get(written[-1].lower(), 0)
    for reading in readings(written.rstrip("kKmM \t\n")):
        value, step = reading.value, reading.step
        if power == 0:
            yield int(value)
        if power == 0 and value % 1000 == 0:
            value /= 1000
        elif power == 0:
            continue
        for unit in (1000 ** (power or 1), 1024 ** (power or 1)):
            yield round(value * unit)
            if abs(stated / unit - value) < min(step, _CUT_OFF * value):
                yield stated


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what a context length looks like, and what makes it one of something else."""
    table = shipped_data("chartgen.lint", "context_words.yaml")
    word = {
        name: any_of(w for words in rows.values() for w in words) for name, rows in table.items()
    }
    begin, end = r"(?<![A-Za-z0-9.,])", r"(?![A-Za-z0-9])"
    lengths = (
        rf"{begin}(?P<before>{_LENGTH})-?{_MARKUP}(?:(?:{word['token']}){_MARKUP})?"
        rf"(?:(?:{word['of']}){_MARKUP})?(?:{word['context']}){end}"
        rf"|{begin}(?<!-)(?:{word['context']}){_MARKUP}(?:(?:{word['of']}){_MARKUP})?"
        rf"(?P<after>{_LENGTH}){end}"
    )
    elsewhere = rf"(?<![a-z])(?:{word['elsewhere']})(?![a-z])"
    return re.compile(lengths, re.IGNORECASE), re.compile(elsewhere, re.IGNORECASE)
